"""Formats of figures on pages, in the admin and in reports."""

from datetime import timedelta

from digits.models.corrections import LABELS

# The least confidence for each description.
SURENESS = ((0.98, "Very sure"), (0.9, "Fairly sure"), (0.6, "Not very sure"), (0.0, "Guessing"))


def number_up_to(count: int, most: int) -> str:
    """Return 1234 as "1,234"; a count of more than `most`, where counting ended, as that."""
    return f"{count:,}" if count <= most else f"more than {most:,}"


def percent(share: float | None) -> str:
    """Return 0.98765 as "98.8 %"; a share below 1 is never shown as 100 %."""
    if share is None:
        return ""
    if 0.9995 <= share < 1:
        return "> 99.9 %"
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return f"{share * 100:.1f} %"


def exactly(share: float | None) -> str:
    """Return 0.98765 as "98.77 %", for shares that are measured and compared."""
    return "" if share is None else f"{share * 100:.2f} %"


def in_words(confidence: float | None) -> str:
    """Return how sure the model is, in words."""
    if confidence is None:
        return ""
    return next(words for least, words in SURENESS if confidence >= least)


def duration(time: timedelta | None) -> str:
    """Return a duration in milliseconds, seconds or minutes, whichever reads best."""
    if time is None:
        return "-"
    seconds = max(time.total_seconds(), 0)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min"


def class_name(label: int) -> str:
    """Return the name of a class: a digit, or "not a digit" for the eleventh."""
    return dict(LABELS)[label]
