"""The README says what is so."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
SETTINGS = (ROOT / "webapp" / "settings.py").read_text()


def test_the_settings_table_names_every_knob_and_no_other():
    listed = re.findall(r"^\| `([A-Z_]+)` \|", README, re.M)
    read = re.findall(r'(?:env\.\w+|_number)\(\s*"([A-Z_]+)"', SETTINGS)
    assert sorted(listed) == sorted(set(read))


def test_the_settings_table_gives_the_defaults():
    for name, default in re.findall(r'_number\("([A-Z_]+)", (\d+),', SETTINGS):
        assert f"| `{name}` | `{default}` |" in README


def test_the_files_that_the_readme_names_are_there():
    paths = re.findall(r"(?:`|\()((?:worker|docs|digits|tests|webapp)/[\w./-]*)[`)]", README)
    assert len(paths) >= 5
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_makefile_has_the_commands_that_the_readme_names():
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M)
    assert set(re.findall(r"\bmake (run|test|train|verifier|check)\b", README)) <= set(targets)


def test_the_version_is_the_same_everywhere():
    import digits

    assert f'version = "{digits.__version__}"' in (ROOT / "pyproject.toml").read_text()
    assert f"## {digits.__version__} - " in (ROOT / "CHANGELOG.md").read_text()
