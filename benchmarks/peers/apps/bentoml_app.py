"""BentoML with its adaptive batching."""

import bentoml
import model
import numpy as np
from PIL.Image import Image


@bentoml.service
class Digits:
    def __init__(self) -> None:
        self.model = model.load_warm()

    @bentoml.api(batchable=True, max_batch_size=64, max_latency_ms=1000)
    def predict(self, file: list[Image]) -> list[int]:
        return model.read(self.model, np.stack([model.scaled(image) for image in file]))
