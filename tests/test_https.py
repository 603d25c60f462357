"""A site with HTTPS=1, as its own settings make it: cookies and headers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
VISIT = """
import json
import django
from django.conf import settings

# Files with hashed names would have to be collected first.
settings.STORAGES["staticfiles"]["BACKEND"] = (
    "django.contrib.staticfiles.storage.StaticFilesStorage"
)
django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

call_command("migrate", verbosity=0)
User.objects.create_user("ada", password="a-long-password")
client = Client(headers={"host": "localhost"})
plain = client.get("/")
page = client.get("/accounts/login/", secure=True)
fields = {"username": "ada", "password": "a-long-password"}
assert client.post("/accounts/login/", fields, secure=True).status_code == 302
assert client.post("/account/", fields | {"username": "lovelace"}, secure=True).status_code == 302
names = ("secure", "path", "domain", "samesite", "httponly")
cookies = {key: [one[name] for name in names] for key, one in client.cookies.items()}
told = {"cookies": cookies, "plain": [plain.status_code, dict(plain.headers)]}
print(json.dumps(told | {"page": dict(page.headers)}))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> dict:
    """What a browser is told by a site of its own, in a process of its own."""
    environment = os.environ | {
        "DATA_DIR": str(tmp_path_factory.mktemp("https")),
        "DJANGO_SETTINGS_MODULE": "webapp.settings",
        "HTTPS": "1",
    }
    command = [sys.executable, "-c", VISIT]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer: dict = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_cookies_are_of_this_host_and_by_https_alone(told):
    assert told["cookies"] == {
        "__Host-digits-8000-csrf": [True, "/", "", "Lax", ""],
        "__Host-digits-8000-session": [True, "/", "", "Lax", True],
        "__Host-digits-8000-messages": [True, "/", "", "Lax", True],
    }


def test_browsers_are_told_to_keep_to_https_for_a_year(told):
    policy = "max-age=31536000; includeSubDomains"
    assert told["page"]["Strict-Transport-Security"] == policy


def test_a_page_by_http_leads_to_https_and_is_guarded(told):
    status, headers = told["plain"]
    assert (status, headers["Location"]) == (301, "https://localhost/")
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
