"""mosec with its batching. It takes the file as the request's body."""

import io

import model
import numpy as np
from mosec import Server, Worker


class Digits(Worker):
    def __init__(self) -> None:
        self.model = model.load_warm()

    def deserialize(self, data: bytes) -> np.ndarray:
        return model.decoded(io.BytesIO(data))

    def forward(self, data: list[np.ndarray]) -> list[int]:
        return model.read(self.model, np.stack(data))


if __name__ == "__main__":
    server = Server()
    server.append_worker(Digits, max_batch_size=64, max_wait_time=1)
    server.run()
