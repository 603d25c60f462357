"""The architectures: each a function that returns a Keras model.

Every model takes float32 images of shape (n, 28, 28, 1), 0 paper to 1 full ink, and gives float32
probabilities of shape (n, 11): of the digits 0 to 9 and, last, of "not a digit". Only Keras 3's own
API is used, so any of its backends runs them.
"""

import keras
from keras import layers

from worker.recipes import check_architecture

CLASSES = 11
NOT_A_DIGIT = 10  # the class of whatever is no digit
LAST_LAYER = "probabilities"
IMAGE_SHAPE = (28, 28, 1)


def cnn() -> keras.Model:
    """A convolutional network of 275,000 parameters: three stages of 3x3 convolutions.

    The strokes of a digit are three to five pixels wide, so pooling starts after two convolutions.
    The last stage keeps a grid of 3x3: where a stroke lies tells a 6 from its mirror image.
    """
    inputs = keras.Input(IMAGE_SHAPE, name="image")
    x = inputs
    for filters in (24, 48, 96):
        for _ in range(2):
            x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
            x = layers.BatchNormalization()(x)
            x = layers.ReLU()(x)
        x = layers.MaxPooling2D(2)(x)
        if filters < 96:
            x = layers.SpatialDropout2D(0.05)(x)
    x = layers.Flatten()(x)
    x = layers.Dropout(0.2)(x)
    x = layers.Dense(128, use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU()(x)
    x = layers.Dropout(0.3)(x)
    return _classifier(inputs, x, "cnn")


def mlp() -> keras.Model:
    """A multilayer perceptron: two dense layers of 256. Small and quick, and less accurate."""
    inputs = keras.Input(IMAGE_SHAPE, name="image")
    x = layers.Flatten()(inputs)
    for _ in range(2):
        x = layers.Dense(256, use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
        x = layers.Dropout(0.3)(x)
    return _classifier(inputs, x, "mlp")


BUILDERS = {"cnn": cnn, "mlp": mlp}


def build(architecture: str, precision: str = "float32") -> keras.Model:
    """Build an untrained network by its name; ValueError where there is none.

    Args:
        architecture: one of recipes.ARCHITECTURES.
        precision: Keras's dtype policy, "float32" or "mixed_bfloat16".
    """
    check_architecture(architecture)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        return BUILDERS[architecture]()
    finally:
        keras.config.set_dtype_policy(before)


def _classifier(inputs, features, name: str) -> keras.Model:
    outputs = layers.Dense(CLASSES, activation="softmax", dtype="float32", name=LAST_LAYER)
    return keras.Model(inputs, outputs(features), name=name)
