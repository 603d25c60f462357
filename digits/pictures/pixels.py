"""A digit's 28x28 pixels as a picture."""

import base64
import io

from PIL import Image


def png(pixels: bytes) -> bytes:
    """Return 784 bytes, 0 for paper to 255 for ink, as a PNG."""
    buffer = io.BytesIO()
    Image.frombytes("L", (28, 28), bytes(pixels)).save(buffer, "PNG")
    return buffer.getvalue()


def data_url(pixels: bytes) -> str:
    """Return the pixels as a data URL of a PNG."""
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode()
