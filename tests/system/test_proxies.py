"""The site behind real proxies, configured as docs/operate.md says."""

import os
import re
import shutil
import ssl
import subprocess

import pytest
import requests

from benchmarks.soak import TOKEN
from tests.pictures import mnist_png
from tests.proxy import HERE, certificate
from tests.site import ADMIN_PASSWORD, ROOT, Site, die_with_parent, eventually, free_port

TEXT = (ROOT / "docs" / "operate.md").read_text()
NAME = "digits.example.org"


def block(language: str) -> str:
    """The configuration that the page has for a proxy."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", TEXT, re.S)
    return found


def changed(text: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def nginx(folder, site, port, pem) -> list[str]:
    own = changed(
        block("nginx"),
        ("listen 443 ssl", f"listen {HERE}:{port} ssl"),
        (f"server_name {NAME}", f"server_name {HERE}"),
        ("/etc/ssl/digits/fullchain.pem", str(pem)),
        ("/etc/ssl/digits/privkey.pem", str(pem)),
        ("127.0.0.1:8000", f"127.0.0.1:{site.port}"),
    )
    places = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "" if os.getuid() else "user root;\n"  # who may enter the folder of a test
    (folder / "nginx.conf").write_text(
        f"daemon off;\n{user}pid {folder}/pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{places}{own}}}\n"
    )
    return ["nginx", "-p", str(folder), "-c", "nginx.conf"]


def caddy(folder, site, port, pem) -> list[str]:
    own = changed(
        block("caddy"),
        (f"{NAME} {{", f"https://{HERE}:{port} {{\n    tls {pem} {pem}"),
        ("127.0.0.1:8000", f"127.0.0.1:{site.port}"),
    )
    options = f"{{\n    admin off\n    auto_https off\n    storage file_system {folder}\n}}\n"
    (folder / "Caddyfile").write_text(options + own)
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


@pytest.fixture(scope="module")
def safe(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("safe"), HTTPS=1) as running:
        yield running


@pytest.fixture(params=[nginx, caddy], ids=["nginx", "caddy"])
def proxied(request, tmp_path, safe):
    """A session that trusts the proxy's certificate, and the proxy's address."""
    program = request.param.__name__
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed here")
    pem, port = certificate(tmp_path), free_port()
    command = request.param(tmp_path, safe, port, pem)
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=die_with_parent)
    session = requests.Session()
    session.trust_env, session.verify = False, str(pem)
    url = f"https://{HERE}:{port}"
    try:
        eventually(lambda: answers(session, url), 30)
        yield session, url
    finally:
        process.terminate()
        process.wait(30)


def answers(session: requests.Session, url: str) -> bool:
    try:
        return session.get(f"{url}/health/live", timeout=10).ok
    except (requests.RequestException, ssl.SSLError):
        return False


def test_people_sign_in_and_send_by_way_of_it(proxied, mnist):
    session, url = proxied
    page = session.get(f"{url}/accounts/login/", timeout=60)
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[1]
    fields = {"username": "admin", "password": ADMIN_PASSWORD, "csrfmiddlewaretoken": token}
    signed = session.post(page.url, data=fields, headers={"Referer": page.url}, timeout=60)
    assert signed.url == f"{url}/"
    assert {cookie.name.startswith("__Host-") for cookie in session.cookies} == {True}
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', signed.text)[1]
    sent = session.post(
        f"{url}/",
        data={"csrfmiddlewaretoken": token},
        files={"file": ("seven.png", mnist_png(mnist, 0))},
        headers={"Referer": f"{url}/"},
        timeout=60,
    )
    assert sent.ok
    assert sent.url.startswith(f"{url}/uploads/")
    eventually(lambda: '<p class="answer">7</p>' in session.get(sent.url, timeout=60).text)


def test_programs_send_large_files_by_way_of_it(proxied, safe):
    session, url = proxied
    session.headers["Authorization"] = f"Bearer {safe.query(TOKEN)}"
    file = {"file": ("large.csv", b"1,2,3\n" * 3_000_000)}
    answer = session.post(f"{url}/api/v1/batches/", files=file, timeout=120)
    # Read whole, and refused for what is in it alone.
    assert answer.status_code == 400, answer.text
    assert "784" in answer.text
