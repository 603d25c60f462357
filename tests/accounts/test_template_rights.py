"""Templates ask for rights that there are: a name that is wrong would hide something for good."""

import re
from pathlib import Path

import pytest

from digits.accounts.permissions import ACTS
from digits.context import Granted

TEMPLATES = Path(__file__).parents[2] / "digits" / "templates"
ASKED = {
    (str(path.relative_to(TEMPLATES)), name)
    for path in TEMPLATES.rglob("*.html")
    for name in re.findall(r"\bmay\.(\w+)", path.read_text())
}


def test_templates_ask_for_rights_that_there_are():
    assert len(ASKED) >= 10
    assert [one for one in sorted(ASKED) if one[1] not in ACTS] == []


def test_templates_ask_for_staff_only_for_the_link_to_the_admin_and_for_whose_word_counts():
    asking = {path.name for path in TEMPLATES.rglob("*.html") if "is_staff" in path.read_text()}
    assert asking == {"base.html", "dashboard.html", "review.html"}


@pytest.mark.parametrize("name", ACTS)
def test_a_page_about_an_error_grants_nothing(name):
    assert Granted(None)[name] is False
