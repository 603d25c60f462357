"""What is posted: MNIST's test images as PNGs, in multipart forms or bare."""

import re
from pathlib import Path

import requests

from tests.pictures import mnist_png
from worker.files.datasets import load_mnist

COUNT = 300
BOUNDARY = "----a-boundary-of-digits"
FORM = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="digit.png"\r\n'
    "Content-Type: image/png\r\n\r\n"
)
END = f"\r\n--{BOUNDARY}--\r\n"


class Bodies:
    """Bodies of requests, in files of a folder for those who send them."""

    def __init__(self, folder: Path):
        mnist = load_mnist("test")
        self.folder = folder
        self.labels = mnist.labels[:COUNT].tolist()
        for raw in (False, True):
            self.place(raw).mkdir()
        for number in range(COUNT):
            image = mnist_png(mnist, number)
            (self.place(True) / str(number)).write_bytes(image)
            form = FORM.encode() + image + END.encode()
            (self.place(False) / str(number)).write_bytes(form)

    def place(self, raw: bool) -> Path:
        return self.folder / ("raw" if raw else "form")

    def content_type(self, raw: bool) -> str:
        return "image/png" if raw else f"multipart/form-data; boundary={BOUNDARY}"

    def post(self, url: str, raw: bool, number: int) -> requests.Response:
        return requests.post(
            url,
            (self.place(raw) / str(number)).read_bytes(),
            headers={"Content-Type": self.content_type(raw)},
            allow_redirects=False,
            timeout=60,
        )

    def check(self, url: str, raw: bool) -> int:
        """Check that a server reads the first image of each digit right; return how many those are.

        Raises:
            RuntimeError: it refuses or misreads one.
        """
        for digit in range(10):
            answer = self.post(url, raw, self.labels.index(digit))
            read = re.findall(r"\d+", answer.text)
            if answer.status_code != 200 or read[-1:] != [str(digit)]:
                raise RuntimeError(
                    f"expected {url} to read {digit}, received {answer.status_code}:"
                    f" {answer.text[:200]}"
                )
        return 10
