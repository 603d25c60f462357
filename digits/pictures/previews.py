"""Previews: what pages show of an upload."""

import io
from typing import TYPE_CHECKING

from digits.models.uploads import PREVIEW_SIDE

if TYPE_CHECKING:
    from PIL.Image import Image


def webp(image: "Image") -> bytes:
    """Return an image as a WebP, reduced to at most PREVIEW_SIDE pixels."""
    image = image.copy()
    image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=80, method=2)
    return buffer.getvalue()
