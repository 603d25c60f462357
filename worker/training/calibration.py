"""Calibrate a network: its confidence is to equal its accuracy."""

import math

import keras
import numpy as np

from worker.reading.neighbours import EXPECTED
from worker.training import networks
from worker.training.minibatches import EVALUATION_BATCH, AugmentedDigits

CALIBRATION_BATCHES = 64


def calibrate(model: keras.Model, batches: AugmentedDigits) -> tuple[float, float]:
    """Calibrate the model on newly augmented digits.

    The share of images that are not digits is far larger in training than in the images that people
    send: the logit of "not a digit" is lowered by the difference in log-odds. Then a temperature is
    found for all logits. Both are folded into the last layer, so that the model file needs nothing
    beside it.

    Returns:
        The temperature, and by how much the logit of "not a digit" was lowered before it.

    Source: Guo et al., "On calibration of modern neural networks" (2017), for the temperature;
    Saerens, Latinne and Decaestecker, "Adjusting the outputs of a classifier to new a priori
    probabilities" (2002).
    """
    fresh = [batches[index] for index in range(min(CALIBRATION_BATCHES, len(batches)))]
    images, targets = (np.concatenate(parts) for parts in zip(*fresh, strict=True))
    logits = np.log(np.clip(model.predict(images, EVALUATION_BATCH, verbose=0), 1e-12, 1))
    others = targets[:, networks.NOT_A_DIGIT] == 1
    seen, expected = float(others.mean()), EXPECTED
    lowered = math.log(seen / (1 - seen) * (1 - expected) / expected) if seen > expected else 0.0
    logits[:, networks.NOT_A_DIGIT] -= lowered
    weights = np.where(others, math.exp(-lowered), 1.0)

    def loss(temperature: float) -> float:
        scaled = logits / temperature
        scaled -= scaled.max(axis=1, keepdims=True)
        losses = np.log(np.exp(scaled).sum(axis=1)) - (scaled * targets).sum(axis=1)
        return float(np.average(losses, weights=weights))

    temperature = float(min(np.geomspace(0.25, 4, 161), key=loss))
    layer = model.get_layer(networks.LAST_LAYER)
    kernel, bias = layer.get_weights()
    bias[networks.NOT_A_DIGIT] -= lowered
    layer.set_weights([kernel / temperature, bias / temperature])
    return temperature, lowered
