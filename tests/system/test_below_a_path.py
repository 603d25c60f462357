"""A site below a path of a proxy: with URL_PREFIX, all that it leads to lies there.

The proxy passes the path on as it is, or takes the prefix away; it notes what is asked for outside.
"""

import re
from html import unescape
from urllib.parse import urldefrag, urljoin

import pytest
import requests
from playwright.sync_api import expect

from tests.pages import draw
from tests.proxy import Proxy
from tests.site import ADMIN_PASSWORD, Site, run_manage
from tests.system.conftest import Watched
from tests.system.test_sending import MAKE_TOKEN

PREFIX = "/digits/"
# What leads somewhere in a page: links, forms, pictures, styles, scripts, and what htmx asks for.
LEADS = re.compile(r'\s(?:href|src|action|hx-get|hx-post|hx-delete|data-src)="([^"]*)"')
MOST_PAGES = 400


@pytest.fixture(scope="module")
def below(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("below"), URL_PREFIX=PREFIX) as running:
        yield running


@pytest.fixture(params=["passes the path on", "takes the prefix away"])
def proxy(request, below):
    with Proxy(below.port, PREFIX, takes_away="away" in request.param) as running:
        yield running
        assert running.strays == []


@pytest.fixture
def home(proxy) -> str:
    return proxy.url + PREFIX


@pytest.fixture(scope="module")
def token(below):
    return below.query(MAKE_TOKEN)


def test_a_person_draws_corrects_and_signs_in_there(chromium, home, photo):
    context = chromium.new_context()
    watched = Watched(context)
    page = watched.page
    page.goto(home)
    draw(page)
    expect(page.locator("#reading .answer")).to_have_text("7")
    page.get_by_label("Image").set_input_files(photo)
    expect(page.locator("#reading .answer")).to_have_text("7")
    page.get_by_role("link", name="Details").click()
    expect(page).to_have_url(re.compile(f"{home}uploads/\\d+/$"))
    page.locator("[data-label='1'], button[value='1']").first.click()
    expect(page.locator("#result")).to_contain_text("1")
    page.get_by_role("link", name="History").click()
    expect(page.locator(".tile")).to_have_count(2)
    page.get_by_role("link", name="Sign in").click()
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill(ADMIN_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(home)
    page.get_by_role("link", name="Admin").click()
    expect(page).to_have_url(f"{home}admin/")
    assert {cookie["path"] for cookie in context.cookies()} == {PREFIX}
    page.goto(home)
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(home)
    assert watched.errors == []
    assert watched.hosts == {home.split("/")[2]}
    context.close()


def test_every_link_of_every_page_leads_somewhere_below_it(below, proxy, home, seven):
    admin = requests.Session()
    form = signed_in(admin, below, home)
    admin.post(home, data=form, files={"file": ("seven.png", seven)}, timeout=40)
    found, dead = crawl(admin, home)
    assert dead == {}
    assert len(found) > 60
    for path in ("uploads/", "models/", "dashboard/", "admin/", "api/docs/", "account/"):
        assert home + path in found


def signed_in(session: requests.Session, below: Site, home: str) -> dict[str, str]:
    """Sign in as admin; return the field with which forms are taken."""
    session.get(f"{home}accounts/login/", timeout=40)
    name = f"digits-{below.port}-csrf"
    fields = {"username": "admin", "password": ADMIN_PASSWORD}
    fields["csrfmiddlewaretoken"] = session.cookies[name]
    answer = session.post(f"{home}accounts/login/", data=fields, timeout=40)
    assert answer.url == home
    return {"csrfmiddlewaretoken": session.cookies[name]}


def crawl(session: requests.Session, home: str) -> tuple[set[str], dict[str, str]]:
    """Follow all that pages lead to; return it, and what is dead with where it was found."""
    found, waiting, dead = {home}, [(home, "")], {}
    while waiting and len(found) < MOST_PAGES:
        place, source = waiting.pop(0)
        answer = session.get(place, timeout=40)
        if answer.status_code not in (200, 400, 405):  # forms are not to be asked for
            dead[place] = f"{answer.status_code} from {source}"
        if not answer.headers.get("Content-Type", "").startswith("text/html"):
            continue
        for link in LEADS.findall(answer.text):
            target = urldefrag(urljoin(answer.url, unescape(link)))[0]
            is_here = target.split("/")[2:3] == home.split("/")[2:3]
            # Lists of the admin sort and filter by endless combinations.
            if is_here and "?" not in target and target not in found:
                if not target.startswith(home):
                    dead[target] = f"outside, from {answer.url}"
                found.add(target)
                waiting.append((target, answer.url))
    return found, dead


def test_a_program_finds_all_that_the_api_names(home, token, seven):
    headers = {"Authorization": f"Bearer {token}"}
    files = {"file": ("seven.png", seven)}
    for path in ("api/v1/uploads/?wait=30", "api/v1/uploads?wait=30"):
        sent = requests.post(home + path, files=files, headers=headers, timeout=60)
        assert (sent.status_code, sent.json()["reading"]) == (201, "7")
        assert sent.headers["Location"].startswith(f"{home}api/v1/uploads/")
        assert requests.get(sent.headers["Location"], headers=headers, timeout=40).ok
        assert sent.json()["page"].startswith(f"{home}uploads/")
    first = requests.get(f"{home}api/v1/uploads/?page_size=1", headers=headers, timeout=40).json()
    assert first["next"].startswith(f"{home}api/v1/uploads/?")
    assert requests.get(first["next"], headers=headers, timeout=40).ok
    for _ in range(2):  # the second goes a shorter way
        files = {"file": ("seven.png", seven)}
        assert requests.post(f"{home}mnist/classify", files=files, timeout=40).ok


def test_the_schema_names_the_place_and_the_page_shows_it(home, token):
    place = f"{home}api/schema/"
    schema = requests.get(place, timeout=40).json()
    server = urljoin(place, schema["servers"][0]["url"])
    headers = {"Authorization": f"Bearer {token}"}
    assert requests.get(f"{server}/api/v1/models/", headers=headers, timeout=40).ok
    assert f"{home}api/v1/uploads/" in requests.get(f"{home}api/docs/", timeout=40).text


def test_the_path_without_its_slash_leads_to_it(below):
    with Proxy(below.port, PREFIX) as proxy:
        answer = requests.get(proxy.url + PREFIX[:-1], timeout=40)
        assert (answer.url, answer.status_code) == (proxy.url + PREFIX, 200)


def test_an_error_page_leads_back(home):
    answer = requests.get(f"{home}nothing/", timeout=40)
    assert answer.status_code == 404
    assert f'href="{PREFIX}"' in answer.text


def test_the_log_says_where_it_is_and_health_is_asked_for_as_before(below):
    assert f"open http://127.0.0.1:{below.port}{PREFIX} ;" in below.log()
    for path in ("/health/live", f"{PREFIX}health/live"):
        assert requests.get(f"http://127.0.0.1:{below.port}{path}", timeout=40).text == "ok\n"


@pytest.mark.parametrize("prefix", ["digits", "/digits", "digits/", "//", "/a b/", "/../"])
def test_a_prefix_that_is_no_path_stops_the_start(tmp_path, prefix):
    done = run_manage(["check"], {"DATA_DIR": tmp_path, "URL_PREFIX": prefix})
    assert done.returncode != 0
    assert "expected URL_PREFIX to be a path such as /digits/" in done.stderr


@pytest.mark.parametrize("prefix", ["/models/", "/api/", "/static/x/"])
def test_a_prefix_that_is_an_address_of_the_site_stops_the_start(tmp_path, prefix):
    done = run_manage(["check"], {"DATA_DIR": tmp_path, "URL_PREFIX": prefix})
    assert done.returncode != 0
    assert "URL_PREFIX may not begin with" in done.stderr
