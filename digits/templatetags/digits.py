"""Template filters for figures and texts."""

import re

from django import template
from django.utils.html import format_html, format_html_join

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
    return format_html_join("", "<p>{}</p>", ([with_code(one)] for one in paragraphs if one))


@register.filter
def with_code(text: str) -> str:
    """Return a line as HTML, with `code`."""
    parts = re.split("`([^`]+)`", text)  # every second one is code
    pairs = zip(parts[::2], [*parts[1::2], ""], strict=True)
    return format_html_join("", "{}{}", ([plain, _code(code)] for plain, code in pairs))


def _code(text: str) -> str:
    return format_html("<code>{}</code>", text) if text else ""
