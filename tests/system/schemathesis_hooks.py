"""What schemathesis sends as a file: images as well as random bytes (SCHEMATHESIS_HOOKS)."""

import schemathesis
from hypothesis import strategies

from tests.pictures import mnist_png
from worker.files.datasets import load_mnist

_mnist = load_mnist("test")
_images = [mnist_png(_mnist, index) for index in range(5)]
schemathesis.openapi.format(
    "binary", strategies.sampled_from(_images) | strategies.binary(max_size=100)
)
