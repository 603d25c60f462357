"""A site with HTTPS=1 behind a real proxy that speaks TLS: who is locked out, and who is not."""

import http.client
import re
import ssl
from urllib.parse import urlencode

import pytest

from tests.proxy import HERE, Proxy
from tests.site import ADMIN_PASSWORD, Site

WRONG = 11  # passwords; the tenth locks that name out from that address
LOGINS = ("/accounts/login/", "/admin/login/")


@pytest.fixture(scope="module")
def safe(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("safe"), HTTPS=1) as running:
        yield running


@pytest.fixture(scope="module")
def proxy(safe, tmp_path_factory):
    with Proxy(safe.port, tls=tmp_path_factory.mktemp("tls")) as running:
        yield running


class Browser:
    """A browser at an address of this machine, which asks the proxy by TLS."""

    def __init__(self, proxy: Proxy, address: str, **headers: str):
        self.proxy, self.address, self.headers = proxy, address, headers
        self.cookies: dict[str, str] = {}
        self.context = ssl.create_default_context(cafile=proxy.certificate)

    def ask(self, method: str, path: str, body: str = "") -> http.client.HTTPResponse:
        """Return the answer; its text is in `text`."""
        connection = http.client.HTTPSConnection(
            HERE,
            self.proxy.server_port,
            timeout=60,
            source_address=(self.address, 0),
            context=self.context,
        )
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Cookie": cookies, "Referer": f"{self.proxy.url}{path}"} | self.headers
        if body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.text = answer.read().decode()
        for line in answer.headers.get_all("Set-Cookie") or []:
            name, value = line.split(";")[0].split("=", 1)
            self.cookies[name] = value
        connection.close()
        return answer

    def sign_in(self, password: str, path: str = LOGINS[0]) -> http.client.HTTPResponse:
        page = self.ask("GET", path)
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[1]
        fields = {"username": "admin", "password": password, "csrfmiddlewaretoken": token}
        return self.ask("POST", path, urlencode(fields))


@pytest.mark.parametrize(
    ("path", "bad", "good"),
    [(LOGINS[0], "127.0.1.1", "127.0.1.2"), (LOGINS[1], "127.0.2.1", "127.0.2.2")],
)
def test_wrong_passwords_lock_out_only_who_sends_them(proxy, path, bad, good):
    stranger = Browser(proxy, bad)
    statuses = [stranger.sign_in(f"wrong-{number}", path).status for number in range(WRONG)]
    assert statuses[-1] == 429
    assert stranger.sign_in(ADMIN_PASSWORD, path).status == 429  # also with the right one
    admin = Browser(proxy, good)
    assert admin.sign_in(ADMIN_PASSWORD, path).status == 302
    assert admin.ask("GET", "/account/").status == 200


def test_nobody_locks_out_another_by_naming_its_address(tmp_path):
    """What a client says in X-Forwarded-For stands before the address that the proxy adds."""
    settings = {"HTTPS": 1, "TRUSTED_PROXIES": HERE}  # here the clients are on this machine, too
    with Site(tmp_path / "data", **settings) as site, Proxy(site.port, tls=tmp_path) as proxy:
        bad = Browser(proxy, "127.0.3.1", **{"X-Forwarded-For": "127.0.3.2"})
        assert [bad.sign_in(f"wrong-{number}").status for number in range(WRONG)][-1] == 429
        assert Browser(proxy, "127.0.3.2").sign_in(ADMIN_PASSWORD).status == 302
        bad.headers["X-Forwarded-For"] = "127.0.3.3"
        assert bad.sign_in(ADMIN_PASSWORD).status == 429  # another name is no other address


def test_cookies_reach_the_browser_as_guarded_ones(proxy, safe):
    browser = Browser(proxy, "127.0.4.1")
    assert browser.sign_in(ADMIN_PASSWORD).status == 302
    assert {f"__Host-digits-{safe.port}-{name}" for name in ("session", "csrf")} <= set(
        browser.cookies
    )
