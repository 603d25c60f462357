"""Pages that lie on their side or on their head."""

import numpy as np

from benchmarks.complaints.sheet import Rng, Scene, a_note
from worker.files.datasets import Dataset


def turned(digits: Dataset, rng: Rng) -> Scene:
    """A page of one to four numbers that lies on its side or on its head."""
    sheet, text, _ = a_note(digits, rng)
    while len(text) < 5:
        sheet, text, _ = a_note(digits, rng)
    turn = int(rng.integers(1, 4))
    image = sheet.image()
    sent = np.ascontiguousarray(np.rot90(image, turn))
    return Scene(sent, text, f"{90 * turn} degrees", plain=(image,))
