"""LitServe with its batching, and the queue that its documentation recommends for many requests."""

import sys

import litserve
import model
import numpy as np


class Digits(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.model = model.load_warm()

    def decode_request(self, request) -> np.ndarray:
        return model.decoded(request["file"].file)

    def batch(self, inputs: list[np.ndarray]) -> np.ndarray:
        return np.stack(inputs)

    def predict(self, pixels: np.ndarray) -> list[int]:
        return model.read(self.model, pixels)

    def unbatch(self, output: list[int]) -> list[int]:
        return output

    def encode_response(self, output: int) -> dict[str, int]:
        return {"digit": output}


if __name__ == "__main__":
    api = Digits(max_batch_size=64, batch_timeout=0.002)
    server = litserve.LitServer(api, accelerator="cpu", fast_queue=True)
    server.run("127.0.0.1", int(sys.argv[1]), log_level="warning", generate_client_file=False)
