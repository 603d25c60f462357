"""Numbers and texts as people read them."""

import re
from datetime import timedelta

from django import template
from django.utils.html import escape
from django.utils.safestring import mark_safe

from digits.models.corrections import LABELS

register = template.Library()
# From which confidence on, and what it is called.
SURENESS = ((0.98, "Very sure"), (0.9, "Fairly sure"), (0.6, "Not very sure"), (0.0, "Guessing"))


@register.filter
def percent(share: float | None) -> str:
    """0.98765 -> "98.8 %"; what is not quite certain is never called 100 %."""
    if share is None:
        return ""
    if 0.9995 <= share < 1:
        return "> 99.9 %"
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return f"{share * 100:.1f} %"


@register.filter
def exactly(share: float | None) -> str:
    """0.98765 -> "98.77 %": for shares that are measured and compared."""
    return "" if share is None else f"{share * 100:.2f} %"


@register.filter
def in_words(confidence: float | None) -> str:
    """Say how sure the model is."""
    if confidence is None:
        return ""
    return next(words for least, words in SURENESS if confidence >= least)


@register.filter
def duration(time: timedelta | None) -> str:
    """Give a duration in milliseconds, seconds or minutes, whichever reads best."""
    if time is None:
        return "-"
    seconds = max(time.total_seconds(), 0)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min"


@register.filter
def class_name(label: int) -> str:
    """0 to 9 as it is, and the eleventh class in words."""
    return dict(LABELS)[label]


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
