"""`make audit` asks a database of vulnerabilities, here one of its own that speaks OSV's API."""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.site import ROOT, free_port

VULNERABILITY = {
    "id": "X-2026-1",
    "summary": "It opens any door.",
    "affected": [
        {
            "package": {"name": "few", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}],
        }
    ],
}


class Database(BaseHTTPRequestHandler):
    """Knows a vulnerability of version 1.0 of few, and none of anything else."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((asked["package"]["name"], asked["version"]))
        known = self.server.asked[-1] == ("few", "1.0")
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(json.dumps({"vulns": [VULNERABILITY]} if known else {}).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def database():
    with ThreadingHTTPServer(("127.0.0.1", 0), Database) as server:
        server.asked, server.status = [], 200
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def looked_up(tmp_path, database):
    def look_up(*pins: str, port: int = 0) -> subprocess.CompletedProcess:
        file = tmp_path / "requirements.txt"
        file.write_text("".join(f"{pin} --hash=sha256:{'0' * 64}\n" for pin in pins))
        address = f"http://127.0.0.1:{port or database.server_port}/"
        command = [sys.executable, "-m", "tests.pins", "--osv", address, str(file)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    return look_up


def test_a_known_vulnerability_is_told(looked_up, database):
    done = looked_up("few==1.0", "other==2.0")
    assert done.returncode == 1
    assert "few 1.0: X-2026-1, fixed in 1.1\n  It opens any door.\n" in done.stdout
    assert "2 packages audited, 1 known vulnerabilities." in done.stdout
    assert sorted(database.asked) == [("few", "1.0"), ("other", "2.0")]


def test_nothing_is_told_of_what_is_well(looked_up):
    done = looked_up("few==1.1", "other==2.0")
    assert done.returncode == 0
    assert done.stdout == "2 packages audited, 0 known vulnerabilities.\n"


def test_a_database_that_cannot_be_reached_is_told(looked_up):
    done = looked_up("few==1.0", port=free_port())
    assert done.returncode == 2
    assert done.stdout.startswith("No database of vulnerabilities answered")


def test_a_database_that_fails_is_told(looked_up, database):
    database.status = 503
    done = looked_up("few==1.0")
    assert done.returncode == 2
    assert done.stdout.startswith("No database of vulnerabilities answered")
