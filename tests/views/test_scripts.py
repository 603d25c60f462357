"""The scripts of the pages: each is kept by browsers under a name that changes with its content."""

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command

from webapp import settings as own


@pytest.fixture
def collect(settings, tmp_path):
    """Collect static files as an installation does; those that are given come before its own."""
    settings.STATIC_ROOT, given = tmp_path / "static", tmp_path / "given"
    settings.STORAGES = own.STORAGES
    settings.STATICFILES_DIRS = [given]
    (given / "digits").mkdir(parents=True)

    def collect(**scripts: str):
        for name, text in scripts.items():
            (given / "digits" / f"{name}.js").write_text(text)
        call_command("collectstatic", verbosity=0, interactive=False, ignore_patterns=["admin"])

    return collect


def _names(*scripts: str) -> list[str]:
    return [staticfiles_storage.stored_name(f"digits/{script}.js") for script in scripts]


def _content(name: str) -> str:
    with staticfiles_storage.open(name) as file:
        return file.read().decode()


def test_a_script_has_another_name_when_what_it_imports_has_changed(collect, settings):
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    three = ("outer", "middle", "alone")
    collect(
        outer='// From "./comments" on.\nimport { two } from "./middle.js";\n',
        middle='import {\n  one,\n} from "./inner.js";\nexport const two = "./inner.js";\n',
        inner="export const one = 1;\n",
        alone='const text = `import "./inner.js"`;\n',
    )
    before = _names(*three)
    (inner,) = _names("inner")
    assert f'from "./{inner.removeprefix("digits/")}";\n' in _content(before[1])
    assert 'two = "./inner.js"' in _content(before[1])
    assert f'from "./{before[1].removeprefix("digits/")}";\n' in _content(before[0])
    collect(inner="export const one = 2;\n")
    after = _names(*three)
    assert [old == new for old, new in zip(before, after, strict=True)] == [False, False, True]
