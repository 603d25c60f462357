"""The architectures: each a function that returns a Keras model.

Every model that reads digits takes float32 images of shape (n, 28, 28, 1), 0 paper to 1 full ink.
Its output is float32 probabilities of shape (n, 11): of the digits 0 to 9 and, last, of "not a
digit".
Only Keras 3's own API is used, so any of its backends runs them.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
from keras import layers

from worker.reading.verifier import COLUMNS, ROWS
from worker.training.recipes import check_architecture

CLASSES = 11
NOT_A_DIGIT = 10  # the class of images that are not digits
LAST_LAYER = "probabilities"
IMAGE_SHAPE = (28, 28, 1)
PART_SHAPE = (ROWS, COLUMNS, 2)


def cnn() -> keras.Model:
    """A convolutional network of 275,000 parameters: three stages of 3x3 convolutions.

    The strokes of a digit are three to five pixels wide, so pooling starts after two convolutions.
    The last stage keeps a grid of 3x3, as the position of a stroke separates a 6 from its mirror
    image.
    """
    inputs = keras.Input(IMAGE_SHAPE, name="image")
    x = inputs
    for filters in (24, 48, 96):
        for _ in range(2):
            x = _convolved(x, filters, 3)
        x = layers.MaxPooling2D(2)(x)
        if filters < 96:
            x = layers.SpatialDropout2D(0.05)(x)
    x = layers.Flatten()(x)
    x = layers.Dropout(0.2)(x)
    x = _dense(x, 128, 0.3)
    return _classifier(inputs, x, "cnn")


def mlp() -> keras.Model:
    """A multilayer perceptron: two dense layers of 256. Small and quick, and less accurate."""
    inputs = keras.Input(IMAGE_SHAPE, name="image")
    x = layers.Flatten()(inputs)
    for _ in range(2):
        x = _dense(x, 256, 0.3)
    return _classifier(inputs, x, "mlp")


def student() -> keras.Model:
    """Build an untrained student: a convolutional network of 157,000 parameters.

    It takes and returns what the others do, with a twentieth of the multiplications of `cnn`: each
    of its three convolutions halves the image's sides.
    """
    inputs = x = keras.Input(IMAGE_SHAPE, name="image")
    for filters, side in ((16, 5), (32, 3), (64, 3)):
        x = _convolved(x, filters, side, strides=2)
    x = layers.Flatten()(x)
    x = _dense(x, 128)
    return _classifier(inputs, x, "student")


BUILDERS = {"cnn": cnn, "mlp": mlp}


def verifier(precision: str = "float32") -> keras.Model:
    """Build an untrained verifier: a convolutional network of 148,000 parameters.

    It takes float32 parts in context, shape (n, 24, 48, 2), 0 paper to 1 full ink, and returns
    float32 probabilities, shape (n, 11): of one whole digit, 0 to 9, and, last, of anything else.

    Args:
        precision: Keras's dtype policy, "float32" or "mixed_bfloat16".
    """
    with _precision(precision):
        inputs = keras.Input(PART_SHAPE, name="part")
        x = _convolved(inputs, 16, 3)
        x = layers.MaxPooling2D(2)(x)
        for filters in (32, 64):
            x = _convolved(_convolved(x, filters, 3), filters, 3)
            x = layers.MaxPooling2D(2)(x)
        x = layers.SpatialDropout2D(0.05)(x)
        x = _convolved(x, 32, 1)
        x = layers.Flatten()(x)
        x = layers.Dropout(0.1)(x)
        x = _dense(x, 128, 0.2)
        return _classifier(inputs, x, "verifier")


def build(architecture: str, precision: str = "float32") -> keras.Model:
    """Build an untrained network by its name; ValueError where there is none.

    Args:
        architecture: one of recipes.ARCHITECTURES.
        precision: Keras's dtype policy, "float32" or "mixed_bfloat16".
    """
    check_architecture(architecture)
    with _precision(precision):
        return BUILDERS[architecture]()


@contextmanager
def _precision(policy: str) -> Iterator[None]:
    """Set Keras's dtype policy within the context."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _convolved(
    x: keras.KerasTensor, filters: int, side: int, strides: int = 1
) -> keras.KerasTensor:
    x = layers.Conv2D(filters, side, strides, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return layers.ReLU()(x)


def _dense(x: keras.KerasTensor, units: int, dropout: float = 0.0) -> keras.KerasTensor:
    x = layers.Dense(units, use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU()(x)
    return layers.Dropout(dropout)(x) if dropout else x


def _classifier(inputs: keras.KerasTensor, features: keras.KerasTensor, name: str) -> keras.Model:
    outputs = layers.Dense(CLASSES, activation="softmax", dtype="float32", name=LAST_LAYER)
    return keras.Model(inputs, outputs(features), name=name)
