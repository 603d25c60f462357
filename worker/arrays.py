"""Names for the NumPy arrays that recognition passes on, by the type of their elements."""

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]  # grey levels, or ink: 0 is paper, 255 is full ink
Labels = npt.NDArray[np.uint8]  # 0 to 9, and 10 for "not a digit"
Probabilities = npt.NDArray[np.float32]  # its last axis: 0 to 9, and "not a digit"
Floats = npt.NDArray[np.floating]
Integers = npt.NDArray[np.integer]
Mask = npt.NDArray[np.bool_]
