"""A digit's 28x28 pixels as a picture."""

import base64
import io

from PIL import Image


def png(pixels: bytes) -> bytes:
    """Give 784 bytes, 0 paper to 255 ink, as PNG."""
    buffer = io.BytesIO()
    Image.frombytes("L", (28, 28), bytes(pixels)).save(buffer, "PNG")
    return buffer.getvalue()


def data_url(pixels: bytes) -> str:
    """Give the same as an address that holds the whole picture."""
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode()
