"""The image formats that are read. A new one is a row here, and its sample in the tests."""

from dataclasses import dataclass

import pillow_heif

pillow_heif.register_heif_opener()


@dataclass(frozen=True)
class ImageFormat:
    """An image format.

    pillow: its name in Pillow, which opens it.
    name: its name as people know it.
    suffixes: of its files, where browsers do not count them among images.
    weight: the memory that a pixel takes to decode, where it is more than five bytes, by that.
    """

    pillow: str
    name: str
    suffixes: tuple[str, ...] = ()
    weight: float = 1.0


FORMATS = (
    ImageFormat("PNG", "PNG"),
    ImageFormat("JPEG", "JPEG"),
    ImageFormat("WEBP", "WebP", weight=3.2),  # two canvases and two copies
    ImageFormat("GIF", "GIF"),
    ImageFormat("BMP", "BMP"),
    ImageFormat("TIFF", "TIFF"),
    ImageFormat("HEIF", "HEIC", (".heic", ".heif"), weight=1.2),
    ImageFormat("AVIF", "AVIF", (".avif",), weight=2.4),
)
OF_PILLOW = {one.pillow: one for one in FORMATS}
PILLOW_NAMES = tuple(OF_PILLOW)
*_others, _last = (one.name for one in FORMATS)
NAMES = f"{', '.join(_others)} or {_last}"
# What a file field of a page accepts.
ACCEPT = ",".join(["image/*", *(suffix for one in FORMATS for suffix in one.suffixes)])
