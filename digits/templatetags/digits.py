"""Template filters for figures and texts."""

import re

from django import template
from django.utils.html import escape
from django.utils.safestring import mark_safe

from digits import formats

register = template.Library()
for show in (formats.percent, formats.exactly, formats.in_words, formats.duration):
    register.filter(show)
register.filter(formats.class_name)


@register.filter
def unlocal(number: float) -> str:
    """Return a number for an HTML attribute, in any language of the reader."""
    return f"{number:.6f}"


@register.filter
def prose(text: str) -> str:
    """Return a docstring as HTML, with paragraphs and `code`."""
    paragraphs = [" ".join(one.split()) for one in text.split("\n\n")]
    return mark_safe("".join(f"<p>{_with_code(one)}</p>" for one in paragraphs if one))


@register.filter
def with_code(text: str) -> str:
    """Return a line as HTML, with `code`."""
    return mark_safe(_with_code(text))


def _with_code(text: str) -> str:
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))
