"""What is written in files of strangers, as it stands in messages about them."""

LONGEST = 100  # characters


def shown(text: str, most: int = LONGEST) -> str:
    """Return the beginning of a text with a sign for each character that cannot be printed.

    A NUL, which PostgreSQL stores in no text, is one of these, and so are signs that turn the
    direction of what follows.
    """
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text[:most])
