"""The scripts of the pages: each is kept by browsers under a name that changes with its content."""

import re
from urllib.parse import urljoin

import pytest
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command

from digits.models import ModelVersion
from tests.factories import make_reading
from webapp import settings as own

ON_A_PAGE = re.compile(r'<script[^>]* src="([^"]+)"')
IMPORTED = re.compile(r"""\b(?:from|import)\s*\(?\s*["']([^"']+)["']""")
HASH = re.compile(r"\.[0-9a-f]{12}(?=\.js$)")


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


def _loaded(client, path: str) -> set[str]:
    """The addresses of all scripts that a page loads, of which each is there and is kept."""
    waiting, found = ON_A_PAGE.findall(client.get(path).content.decode()), set()
    while waiting:
        found.add(url := waiting.pop())
        answer = client.get(url)
        assert answer.status_code == 200, url
        assert "immutable" in answer["Cache-Control"], url
        script = answer.getvalue().decode()
        if "/digits/" in url:
            waiting += [urljoin(url, name) for name in IMPORTED.findall(script)]
    return found


@pytest.mark.django_db
def test_whatever_the_scripts_of_a_page_import_is_there_kept_and_loaded_once(collect, client):
    collect()
    client.force_login(get_user_model().objects.create_superuser("root"))
    upload = make_reading(ModelVersion.active()).get_absolute_url()
    loaded = [_loaded(client, path) for path in ("/", "/batches/", "/uploads/", "/review/", upload)]
    names = [{HASH.sub("", url) for url in urls} for urls in loaded]
    assert [len(urls) for urls in loaded] == [len(one) for one in names]
    for page in names[:2]:
        assert "/static/digits/dropping.js" in page
