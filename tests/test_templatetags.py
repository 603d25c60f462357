"""The filters that make HTML: what they are given stays text."""

import pytest

from digits.templatetags import digits


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("", ""),
        ("<b>", "&lt;b&gt;"),
        ("`a<b` or `c`", "<code>a&lt;b</code> or <code>c</code>"),
        ("one ` alone", "one ` alone"),
    ],
)
def test_a_line_is_escaped_and_has_code(text, html):
    assert digits.with_code(text) == html


def test_a_docstring_has_paragraphs():
    text = "Return `all`\n    of it.\n\n    Not <none>."
    assert digits.prose(text) == "<p>Return <code>all</code> of it.</p><p>Not &lt;none&gt;.</p>"
