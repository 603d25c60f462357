"""docs/security.md: each requirement once, and by tests that exist."""

import ast
import re
from functools import cache
from pathlib import Path

from digits.accounts.passwords import WORDS
from worker.images.formats import NAMES

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "security.md").read_text()
STATES = ("met", "not met", "does not apply")
# How many requirements of levels 1 and 2 each section of OWASP ASVS 5.0.0 has, from number 1 on.
# Those of level 3 alone, which come after them, are left out, and so are sections of such alone.
SECTIONS = """
1.1:2 1.2:9 1.3:11 1.4:3 1.5:2  2.1:3 2.2:3 2.3:4 2.4:1  3.2:2 3.3:4 3.4:6 3.5:5 3.7:2
4.1:3 4.2:1 4.3:2 4.4:4  5.1:1 5.2:3 5.3:2 5.4:3  6.1:3 6.2:12 6.3:4 6.4:4 6.5:5 6.6:3 6.8:4
7.1:3 7.2:4 7.3:2 7.4:5 7.5:2 7.6:2  8.1:2 8.2:3 8.3:1 8.4:1  9.1:3 9.2:4
10.1:2 10.2:2 10.3:4 10.4:11 10.5:5 10.6:2 10.7:3  11.1:2 11.2:3 11.3:3 11.4:4 11.5:1 11.6:1
12.1:3 12.2:2 12.3:4  13.1:1 13.2:5 13.3:2 13.4:5  14.1:2 14.2:4 14.3:3  15.1:3 15.2:3 15.3:7
16.1:1 16.2:5 16.3:4 16.4:3 16.5:3  17.1:1 17.2:4 17.3:2
"""


def required() -> list[str]:
    """The numbers of all requirements, in the standard's order."""
    sections = (section.split(":") for section in SECTIONS.split())
    return [f"{name}.{one}" for name, count in sections for one in range(1, int(count) + 1)]


def rows() -> list[list[str]]:
    """Number, what it asks, state, and by what or why of each row."""
    found = re.findall(r"^\| (\d+\.\d+\.\d+ \|.*) \|$", TEXT, re.M)
    return [row.split(" | ") for row in found]


@cache
def names_in(file: str) -> set[str]:
    """The names of a file's tests."""
    path = ROOT / file
    tree = ast.parse(path.read_text()) if path.is_file() else ast.Module([], [])
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def named(text: str) -> list[tuple[str, str]]:
    """The tests that a text names: their files, and their names."""
    return re.findall(r"`(tests/[\w./]+)::(\w+)`", text)


def missing(text: str) -> list[str]:
    """The tests that a text names and that are not there."""
    return [f"{file}::{name}" for file, name in named(text) if name not in names_in(file)]


def test_each_requirement_has_one_row_in_the_standards_order():
    assert len(required()) == 253
    assert [row[0] for row in rows()] == required()


def test_each_row_says_what_it_asks_its_state_and_by_what_or_why():
    assert [row for row in rows() if len(row) != 4 or not all(row)] == []
    assert [row for row in rows() if row[2] not in STATES] == []


def test_each_test_that_it_names_exists():
    assert len(named(TEXT)) > 100
    assert missing(TEXT) == []


def test_a_test_that_is_not_there_is_found():
    text = "`tests/test_docs.py::test_none_such`, `tests/none.py::test_x`"
    here = "`tests/test_security_page.py::test_a_test_that_is_not_there_is_found`"
    assert missing(text + here) == ["tests/test_docs.py::test_none_such", "tests/none.py::test_x"]


def test_what_is_met_is_held_by_a_test_a_page_or_a_reading():
    loose = [
        row for row in rows() if row[2] == "met" and not re.search(r"::|\]\(|\bRead\b", row[3])
    ]
    assert loose == []


def test_it_counts_the_rows():
    counts = [sum(row[2] == state for row in rows()) for state in STATES]
    assert "{} are met, {} are not, {} do not apply.".format(*counts) in TEXT


def test_the_sections_that_it_leads_to_are_there():
    titles = {title.lower().replace(" ", "-") for title in re.findall(r"^#+ (.+)$", TEXT, re.M)}
    assert set(re.findall(r"\]\(#([\w-]+)\)", TEXT)) <= titles


def test_the_formats_are_those_of_the_code():
    assert f"| image | {NAMES} by its content" in TEXT


def test_the_words_are_those_of_the_code():
    listed = re.search(r"these words with digits and signs[^:]*: ([^.]*)\.", TEXT)
    assert listed is not None
    assert set(re.findall(r"`(\w+)`", listed[1])) == WORDS
