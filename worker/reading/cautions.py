"""What a reading leaves out, or may have misread: nothing is left out in silence."""

from collections.abc import Sequence

TOO_MANY = "too_many"
AT_EDGE = "at_edge"
NOT_DIGITS = "not_digits"
STRUCK_OUT = "struck_out"
MORE_PAGES = "more_pages"
MOVING = "moving"
RAISED = "raised"
FRACTION = "fraction"
SLASH_MAYBE = "maybe_slash"
TURNED_MAYBE = "may_be_turned"

# What people see. A code is stable: programs may rely on it.
TEXTS = {
    TOO_MANY: "There is too much in the picture: only the largest shapes were read.",
    AT_EDGE: "Ink touches the edge of the picture. A digit may be cut off.",
    NOT_DIGITS: "Something beside the digits does not look like a digit, and was left out.",
    STRUCK_OUT: "A digit was struck out, and left out.",
    MORE_PAGES: "The file has more pages: only the first ones were read.",
    MOVING: "The picture moves: only the first of its frames that is not blank was read.",
    RAISED: "A digit stands higher than the one before it: it may be a power.",
    FRACTION: "A line stands between two numbers, as in a fraction: they are read one by one.",
    SLASH_MAYBE: "A 1 may be a slash, as in a date: check the reading.",
    TURNED_MAYBE: "The page may lie on its head or on its side: check the reading.",
}
ALL_SIDES = {"left", "right", "top", "bottom"}


def cautions(
    read: Sequence[bool],
    sides: Sequence[set[str]],
    *,
    struck_out: int = 0,
    is_raised: bool = False,
    has_fraction: bool = False,
    may_have_slash: bool = False,
    is_cut: bool = False,
    is_cut_out: bool = False,
    too_many: int = 0,
    more_pages: bool = False,
    is_moving: bool = False,
) -> tuple[str, ...]:
    """Return the codes of what is to be said about a reading, keys of TEXTS.

    Args:
        read: of each shape, whether it was read as a digit.
        sides: of each shape, at which sides of its picture it reaches the rim.
        struck_out: how many of the shapes are digits that were struck out.
        is_raised: whether a digit stands higher than the one before it.
        has_fraction: whether a bar stands between two numbers, one above the other.
        may_have_slash: whether a 1 may be a slash.
        is_cut: whether ink at the rim was left out that may belong to a digit that the rim cuts.
        is_cut_out: whether the picture was cut out closely around its ink.
        too_many: how many pieces of ink were too many to look at.
        more_pages: whether the file has pages that were not read.
        is_moving: whether it is an animation whose first frame was blank.
    """
    if is_cut_out:  # what is at the rim is whole, if it is a digit
        sides = [set() if is_digit else own for own, is_digit in zip(sides, read, strict=True)]
    said = {
        TOO_MANY: too_many > 0,
        AT_EDGE: is_cut or _are_cut(sides),
        NOT_DIGITS: 0 < sum(read) < len(read) - struck_out,
        STRUCK_OUT: struck_out > 0,
        RAISED: is_raised,
        FRACTION: has_fraction,
        SLASH_MAYBE: may_have_slash,
        MORE_PAGES: more_pages,
        MOVING: is_moving,
    }
    return tuple(code for code, is_said in said.items() if is_said)


def in_words(codes: str) -> list[str]:
    """Return the sentences of codes with spaces between them; of unknown codes there are none."""
    return [TEXTS[code] for code in codes.split() if code in TEXTS]


def _are_cut(sides: Sequence[set[str]]) -> bool:
    """Return whether the rim of the picture may cut ink off.

    Ink that touches it on all sides, or that of one shape on two that are opposite, was cut out.
    """
    touched = set[str]().union(*sides)
    if len(sides) == 1:
        return ("left" in touched) != ("right" in touched) or ("top" in touched) != (
            "bottom" in touched
        )
    return bool(touched) and touched != ALL_SIDES
