"""Two sites on one host: browsers send each the cookies of the other, and neither is disturbed."""

import pytest
import requests

from tests.site import Site


@pytest.fixture(scope="module")
def neighbour(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("neighbour")) as running:
        yield running


def of_one_browser(*sites: Site):
    """A visitor of each site, all with the cookies of one browser, which know no ports."""
    visitors = [site.visitor() for site in sites]
    for visitor in visitors:
        visitor.session.cookies = visitors[0].session.cookies
    return visitors


def history(visitor) -> str:
    return visitor.get("/uploads/").text


def test_the_histories_of_a_visitor_stay_on_both(site, neighbour, seven):
    here, there = of_one_browser(site, neighbour)
    for number in range(2):
        here.send(seven, f"here-{number}.png")
        there.send(seven, f"there-{number}.png")
    for visitor, name in ((here, "here"), (there, "there")):
        assert all(f"{name}-{number}.png" in history(visitor) for number in range(2))


def test_signing_in_and_out_on_one_leaves_the_other_alone(site, neighbour, seven):
    here, there = of_one_browser(site, neighbour)
    here.send(seven, "mine.png")
    admin = neighbour.visitor(sign_in=True)
    there.session.cookies.update(admin.session.cookies)
    assert "mine.png" in history(here)
    assert there.get("/account/", allow_redirects=False).status_code == 200
    there.post("/accounts/logout/")
    assert "mine.png" in history(here)
    assert there.get("/account/", allow_redirects=False).status_code == 302


def as_before(visitor) -> requests.Session:
    """A browser with a visitor's cookies under the names that they had before."""
    old = requests.Session()
    for name, value in visitor.session.cookies.items():
        old.cookies.set(f"{name.split('-')[-1]}".replace("session", "sessionid"), value)
    old.cookies.set("csrftoken", old.cookies.get("csrf"))
    return old


def test_a_session_from_before_the_update_goes_on_under_its_new_name(site, seven):
    visitor = site.visitor()
    visitor.send(seven, "before.png")
    old = as_before(visitor)
    assert "sessionid" in old.cookies
    assert f"digits-{site.port}-session" not in old.cookies
    form = {"csrfmiddlewaretoken": old.cookies["csrftoken"]}  # of a page that was open meanwhile
    answer = old.post(site.url, data=form, files={"file": ("after.png", seven)}, timeout=40)
    assert answer.status_code == 200
    assert old.cookies["sessionid"] == visitor.session.cookies[f"digits-{site.port}-session"]
    for name in ("sessionid", "csrftoken"):
        del old.cookies[name]
    shown = old.get(f"{site.url}/uploads/", timeout=40).text
    assert "before.png" in shown
    assert "after.png" in shown


def test_a_session_of_another_site_is_left_to_it(site, neighbour, seven):
    other = neighbour.visitor()
    other.send(seven, "elsewhere.png")
    old = as_before(other)
    before = old.cookies["sessionid"]
    answer = old.get(f"{site.url}/uploads/", timeout=40)
    assert "elsewhere.png" not in answer.text
    assert old.cookies["sessionid"] == before
