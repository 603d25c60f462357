"""The reading that follows from the probabilities of the model."""

import numpy as np
import pytest

from worker.reading.reading import decide


@pytest.mark.parametrize(
    ("digit", "other", "value", "confidence"),
    [
        (0.99, 0.01, 4, 0.99),
        (0.4, 0.3, 4, 0.4),
        (0.1, 0.9, None, 0.9),
        (0.25, 0.45, None, 0.45),  # the likeliest digit, but "not a digit" is likelier
    ],
)
def test_a_digit_is_read_if_it_is_likelier_than_not_a_digit(digit, other, value, confidence):
    rest = (1 - digit - other) / 9
    probabilities = np.full(11, rest, np.float32)
    probabilities[4], probabilities[10] = digit, other
    read = decide(probabilities)
    assert read == (value, pytest.approx(confidence, abs=1e-6))
