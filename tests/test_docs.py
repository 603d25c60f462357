"""The README and the pages of docs/ say what is so."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
TABLE = (ROOT / "docs" / "settings.md").read_text()
SETTINGS = (ROOT / "webapp" / "settings.py").read_text()
FOLDERS = (ROOT, ROOT / "docs", ROOT / "docs" / "decisions")
DEPLOYMENT = "HTTPS=1 .venv/bin/python manage.py check --deploy --fail-level WARNING"
PAGES = [page for folder in FOLDERS for page in sorted(folder.glob("*.md"))]


def rows(text: str) -> list[str]:
    return re.findall(r"^\| `[A-Z_]+` \|.*$", text, re.M)


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def test_the_settings_table_names_every_knob_and_no_other():
    listed = re.findall(r"^\| `([A-Z_]+)` \|", TABLE, re.M)
    read = re.findall(
        r'(?:env\.\w+|\b(?:number|rate|networks|bounds|one_of|issuer|word|prefix|bucket))\(\s*"([A-Z_]+)"',
        SETTINGS,
    )
    assert sorted(listed) == sorted(set(read))


def test_the_settings_table_gives_the_defaults():
    for name, default in re.findall(r'\bnumber\("([A-Z_]+)", (\d+),', SETTINGS):
        assert f"| `{name}` | `{default}` |" in TABLE


def test_the_readme_shows_rows_of_the_settings_table():
    shown = rows(README)
    assert len(shown) >= 5
    assert [row for row in shown if row not in rows(TABLE)] == []


def test_the_files_that_the_readme_names_are_there():
    paths = re.findall(r"(?:`|\()((?:worker|docs|digits|tests|webapp)/[\w./-]*)[`)]", README)
    assert len(paths) >= 5
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_links_and_files_of_a_page_lead_somewhere(page):
    text = page.read_text()
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)\s]*)?\)", text)
    assert [link for link in links if not (page.parent / link).exists()] == []
    if page.name == "ARCHITECTURE.md":
        return  # tests/test_architecture.py holds its paths
    paths = re.findall(r"`((?:worker|docs|digits|tests|webapp|benchmarks)/[\w./-]*)`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_readme_links_to_every_page():
    linked = re.findall(r"\]\(([^)#:\s]+\.md)\)", README)
    assert {path.name for path in (ROOT / "docs").glob("*.md")} <= {
        Path(link).name for link in linked
    }


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_makefile_has_the_commands_that_a_page_names(page):
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M)
    text = page.read_text()
    assert set(re.findall(r"\bmake (run|test|train|verifier|check)\b", text)) <= set(targets)
    assert set(re.findall(r"(?:`|^)make (\w+)", text, re.M)) <= set(targets)


def test_the_hooks_run_what_make_check_runs():
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.M)[1]
    commands = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe.splitlines()]
    (hooks,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    entries = [hook["entry"] for hook in hooks["hooks"]]
    assert [command for command in commands if command not in entries] == [DEPLOYMENT]


def test_the_version_is_the_same_everywhere():
    import digits

    assert f'version = "{digits.__version__}"' in (ROOT / "pyproject.toml").read_text()
    assert f"## {digits.__version__} - " in (ROOT / "CHANGELOG.md").read_text()
