"""Template filters: figures and texts as people read them."""

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
    """Give a number as HTML attributes want it, whatever the reader's language."""
    return f"{number:.6f}"


@register.filter
def prose(text: str) -> str:
    """Show a docstring: paragraphs, and `code` as such."""
    paragraphs = [" ".join(one.split()) for one in text.split("\n\n")]
    return mark_safe("".join(f"<p>{_with_code(one)}</p>" for one in paragraphs if one))


@register.filter
def with_code(text: str) -> str:
    """Show `code` in a line as such."""
    return mark_safe(_with_code(text))


def _with_code(text: str) -> str:
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))
