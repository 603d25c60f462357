"""Signing in with a real browser: with a code beside the password, and by another server."""

from urllib.parse import parse_qs, urlsplit

import cv2
import numpy as np
import pytest
from playwright.sync_api import expect

from tests import oidc
from tests.codes import Telephone
from tests.site import ADMIN_PASSWORD, Site

PASSWORD = "a password of somebody careful"
WHO_REMOVED = """
from digits.models import AuditEvent
print(AuditEvent.objects.get(act="second factor off").name)
"""


@pytest.fixture(scope="module")
def provider():
    with oidc.running() as provider:
        yield provider


@pytest.fixture(scope="module")
def site(provider, tmp_path_factory, few_images):
    settings = {
        "OIDC_ISSUER": provider.url,
        "OIDC_CLIENT_ID": oidc.CLIENT,
        "OIDC_CLIENT_SECRET": oidc.SECRET,
        "OIDC_NAME": "the navy",
    }
    with Site(tmp_path_factory.mktemp("site"), **few_images, **settings) as running:
        yield running


def sign_in(page, name: str, password: str, to: str = "/accounts/login/"):
    page.goto(to)
    page.locator("#id_username").fill(name)
    page.locator("#id_password").fill(password)
    page.locator("#id_password").press("Enter")


def scan(page) -> str:
    """Return what a camera reads on the page, which looks from nearer and farther."""
    screen = cv2.imdecode(np.frombuffer(page.screenshot(full_page=True), np.uint8), 0)
    looks = (cv2.resize(screen, None, fx=scale, fy=scale) for scale in (1, 2, 3, 4))
    return next(filter(None, (cv2.QRCodeDetector().detectAndDecode(look)[0] for look in looks)))


def signed_out(page):
    page.context.clear_cookies()


def test_a_second_factor_is_set_up_with_the_camera_and_asked_for(watched):
    page = watched.page
    page.goto("/accounts/signup/")
    page.locator("#id_username").fill("careful")
    for field in ("#id_password1", "#id_password2"):
        page.locator(field).fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    page.goto("/account/")
    page.get_by_role("link", name="Second factor", exact=True).click()
    page.get_by_role("link", name="Switch it on").click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    scanned = urlsplit(scan(page))
    assert (scanned.scheme, scanned.netloc, scanned.path) == ("otpauth", "totp", "/careful")
    (key,), (issuer,) = (parse_qs(scanned.query)[name] for name in ("secret", "issuer"))
    assert issuer == "Digits 127.0.0.1"
    telephone = Telephone(page.content())
    assert telephone.key == key
    page.get_by_label("Code").fill(telephone.code(-30))
    page.get_by_role("button", name="Switch it on").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    codes = page.locator(".codes code").all_inner_texts()
    assert len(codes) == 10

    signed_out(page)
    sign_in(page, "careful", PASSWORD)
    page.get_by_label("Code").fill(telephone.code())
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Read")

    signed_out(page)
    sign_in(page, "careful", PASSWORD)
    page.get_by_label("Code").fill(codes[0])
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Read")
    page.goto("/account/second-factor/")
    expect(page.get_by_text("9 left")).to_be_visible()
    assert watched.errors == []


def test_the_admin_asks_for_the_code_and_a_command_lets_in_again(watched, site, manage):
    page = watched.page
    sign_in(page, "admin", ADMIN_PASSWORD)
    page.goto("/account/second-factor/on/")
    page.get_by_label("Password").fill(ADMIN_PASSWORD)
    page.get_by_role("button", name="Go on").click()
    telephone = Telephone(page.content())
    page.get_by_label("Code").fill(telephone.code(-30))
    page.get_by_role("button", name="Switch it on").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()

    signed_out(page)
    sign_in(page, "admin", ADMIN_PASSWORD, to="/admin/")
    expect(page.get_by_label("Code")).to_be_visible()
    page.get_by_label("Code").fill(telephone.code())
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="State of the system")).to_be_visible()

    removed = manage("remove_second_factor", "admin", DATA_DIR=site.data_dir)
    assert removed.stdout == "The second factor of admin is removed.\n"
    signed_out(page)
    sign_in(page, "admin", ADMIN_PASSWORD, to="/admin/")
    expect(page.get_by_role("heading", name="State of the system")).to_be_visible()
    assert site.query(WHO_REMOVED) == "manage.py remove_second_factor"


def test_the_button_signs_in_by_the_other_server(watched, provider):
    """It is a form that leads to another host, which the site's policy allows in no other way."""
    page = watched.page
    page.goto("/accounts/login/?next=/uploads/")
    page.get_by_role("button", name="Sign in with the navy").click()
    expect(page).to_have_url(f"{page.url.split('/accounts')[0]}/uploads/")
    page.goto("/account/")
    expect(page.get_by_text("grace")).to_be_visible()
    page.locator("main").get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Read")
    page.goto("/account/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert provider.asked.count("POST /token") == 1
    assert watched.errors == []
