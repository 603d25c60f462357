"""The site runs where only requirements.txt was installed, and nothing that only tests need."""

import subprocess

import pytest

from tests.pictures import mnist_png
from tests.roles import python_of
from tests.site import ROOT, Site, environment, eventually
from tests.test_requirements import RUNS, sources

READ = "from digits.models import Upload; print(Upload.objects.get().reading)"
IMPORT = "import django, importlib, sys; django.setup()\nfor name in sys.argv[1:]:\n    {}".format(
    "importlib.import_module(name)"
)


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    return python_of(tmp_path_factory.mktemp("environment"), "requirements")


def test_a_model_is_converted_and_reads(python, tmp_path, mnist):
    site = Site(tmp_path / "data", CONVERTED_DIR=tmp_path / "converted")
    site.python = python
    with site:
        site.visitor().send(mnist_png(mnist, 0))
        eventually(lambda: site.query(READ) == "7")
    assert list((tmp_path / "converted").iterdir())


def test_each_module_of_the_product_can_be_imported(python, tmp_path):
    paths = [path.relative_to(ROOT) for name in RUNS for path in sources(ROOT / name)]
    names = [".".join(path.with_suffix("").parts) for path in paths if path.stem != "__main__"]
    assert len(names) > 150
    subprocess.run(
        [python, "-c", IMPORT, *names], cwd=ROOT, env=environment(DATA_DIR=tmp_path), check=True
    )


def test_what_only_tests_need_is_not_there(python):
    done = subprocess.run([python, "-c", "import pytest"], capture_output=True, check=False)
    assert b"No module named 'pytest'" in done.stderr
