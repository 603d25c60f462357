"""What a reading says of the probabilities that the model gives."""

import numpy as np
import pytest

from worker.reading.reading import decide


@pytest.mark.parametrize(
    ("digit", "other", "value", "confidence"),
    [
        (0.99, 0.01, 4, 0.99),
        (0.4, 0.3, 4, 0.4),
        (0.1, 0.9, None, 0.9),
        (0.25, 0.45, None, 0.45),  # a digit that is the likeliest digit only is none
    ],
)
def test_a_digit_is_read_where_it_is_likelier_than_none(digit, other, value, confidence):
    rest = (1 - digit - other) / 9
    probabilities = np.full(11, rest, np.float32)
    probabilities[4], probabilities[10] = digit, other
    said = decide(probabilities)
    assert said == (value, pytest.approx(confidence, abs=1e-6))
