"""Whether a page may lie on its side or on its head, and which turn of it is upright."""

import numpy as np

from worker.arrays import Probabilities

# Set while turned pages of benchmarks.complaints (seed 1) were looked at beside upright pages and
# strings of benchmarks.collections (seed 1), none of which is turned: of several digits, these were
# as clear as 0.87 or more. They are no independent evidence.
FEWEST = 2  # digits on a page that may be turned: a lone 6 or 9 may be either
DOUBTFUL = 0.95  # the geometric mean of its digits' probabilities, below which it may be turned
SURE = 0.7  # the same, at least, of a page that is upright after it was turned
CLEARER = 4.0  # how many times the doubt in the page as it was, a logarithm, is that in the turned
EVIDENCE = 0.3  # by how much all digits of the turned page together are clearer, a logarithm
# Set while the pages of benchmarks.complaints (turned, seed 1) were looked at, upright and on their
# head, beside those of benchmarks.collections (pages-plain, seed 1).
LEAST_CLEAR = 0.99  # the least clear digit of a page that surely does not lie on its head
READABLE = 0.9  # how clear a page is that reads plausibly
RATHER = 2.5  # how many times the doubt in a page as it was read is that in what it rather is
LEAST = 1e-3  # lower probabilities count as this, so that a single speck decides nothing


def clearness(rows: list[Probabilities]) -> float:
    """Return how clear a page is: the geometric mean of its digits' probabilities; 0 for none.

    Args:
        rows: for each of its shapes, the probabilities of 0 to 9.
    """
    if not rows:
        return 0.0
    best = np.maximum([float(row.max()) for row in rows], LEAST)
    return float(np.exp(np.log(best).mean()))


def may_be_turned(rows: list[Probabilities]) -> bool:
    """Return whether a page has several shapes, and too few of them are clear digits."""
    return len(rows) >= FEWEST and clearness(rows) < DOUBTFUL


def may_lie_on_its_head(rows: list[Probabilities]) -> bool:
    """Return whether a page has several shapes, not all of which are clear digits."""
    return len(rows) >= FEWEST and min(float(row.max()) for row in rows) < LEAST_CLEAR


def is_uncertain(pages: dict[int, list[Probabilities]], turned: int) -> bool:
    """Return whether a page may lie otherwise than it was read.

    Args:
        pages: for each turn that was looked at, in degrees, the rows as `clearness` takes them.
        turned: that in which it was read. What was turned is uncertain where it is readable the
            other way round, too; what was not, where it is clearer otherwise.
    """
    if turned:
        return _is_readable(pages.get((turned + 180) % 360, []), DOUBTFUL)
    doubt = _doubt(pages[0])
    others = [rows for turn, rows in pages.items() if turn]
    return any(_is_readable(rows, READABLE) and RATHER * _doubt(rows) <= doubt for rows in others)


def _is_readable(rows: list[Probabilities], least: float) -> bool:
    return len(rows) >= FEWEST and clearness(rows) >= least


def _doubt(rows: list[Probabilities]) -> float:
    return -float(np.log(max(clearness(rows), LEAST)))


def upright(pages: list[list[Probabilities]]) -> int:
    """Return which of several turns of a page is upright; 0, as it was sent, where none surely is.

    Args:
        pages: for each turn, the first of which is none, the rows as `clearness` takes them.
    """
    clear = [clearness(rows) for rows in pages]
    best = int(np.argmax(clear))
    if clear[best] < SURE or len(pages[best]) < FEWEST:
        return 0
    doubt, before = -np.log(clear[best]), -np.log(max(clear[0], LEAST))
    is_clearer = CLEARER * doubt <= before and (before - doubt) * len(pages[best]) >= EVIDENCE
    return best if is_clearer else 0
