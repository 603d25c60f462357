"""Bytes of an image file -> a grey image. Light enough for the web process, too."""

import io
import struct
import warnings
import zlib
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageOps

from worker.arrays import Floats, Mask, Pixels
from worker.images import structure
from worker.images.errors import ImageError
from worker.images.formats import NAMES, OF_PILLOW, PILLOW_NAMES
from worker.images.levels import eight_bits

MAX_PIXELS = 60_000_000
MAX_SIDE = 2048  # a larger image is read at this size: strokes stay many pixels wide

# Bits of a sample, by the type of colour.
PNG_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}

# A JPEG of at least twice this side is decoded at half of it, and so on: ink is looked for at 800
# pixels. The photos of phones (12 megapixels, 4,000 pixels) then need no other reduction.
ENOUGH = 1434  # 0.7 of MAX_SIDE

GREY = ("1", "L", "LA")  # Pillow's modes without colour, once levels are of eight bits
PDF, PDF_STARTS = b"%PDF-", 1024  # in the first bytes, of which readers skip so many
MOST_PAGES = 20  # of a TIFF that are read
MOST_STACKED = 16_000_000  # pixels of all pages, as they are read
MOVING = ("GIF", "PNG", "WEBP", "AVIF")  # formats whose frames are no pages
MOST_FRAMES = 20  # in which ink is looked for where the first are blank
MOST_MOVING = 2_000_000  # bytes: of larger files, which may take long, the first frame is used
BLANK = 16  # levels between the darkest and the lightest pixel, less than which are no ink
STRIP = 128  # rows that are reduced at a time

# A sheet or a window that is cut out, with transparent pixels around it.
OPAQUE = 0.9  # less is the shadow of a window
SOLID = 0.9  # the share of its rows and columns that are opaque from end to end
DIFFERENT = 40  # grey levels between its paper and ink
LEAST_INK, MOST_INK = 0.001, 0.45  # the shares of it that may be ink

# The header's size is checked against max_pixels before anything is decoded, so Pillow's own limit,
# which only warns at first, is never the one that decides.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True)
class Header:
    """The header of an image file: its format, by Pillow's name, and its size in pixels."""

    format: str
    width: int
    height: int


def read_header(data: bytes, max_pixels: int = MAX_PIXELS) -> Header:
    """Check an image by its header alone; no pixel is decoded.

    Args:
        data: the content of an image file.
        max_pixels: of formats that take more memory than others, fewer are the limit.

    Raises:
        ImageError: the data is empty, is not an image of a known format, or has too many pixels.
    """
    size = _png_size(data)
    if size:
        structure.check(data)
        _check_size("PNG", *size, max_pixels)
        return Header("PNG", *size)
    with _open(data, max_pixels) as image:
        return Header(image.format or "", image.width, image.height)


@dataclass(frozen=True)
class Picture:
    """A decoded image.

    image: of mode RGB, upright, at most MAX_SIDE pixels long.
    width, height: the size of the whole, upright image, in pixels.
    is_grey: whether its file has no colours.
    areas: (left, top, right, bottom) of each page in the image, where it has several, which stand
        one below the other.
    of_pages: how many pages the file has; more than areas where some were left out.
    frame: which frame of an animation it is, from 0.
    """

    image: Image.Image
    width: int
    height: int
    is_grey: bool = False
    areas: tuple[tuple[int, int, int, int], ...] = ()
    of_pages: int = 1
    frame: int = 0

    @property
    def pages(self) -> list["Picture"]:
        """Its pages, each as a picture of its own; their sizes are those in the image."""
        if not self.areas:
            return [self]
        parts = [self.image.crop(area) for area in self.areas]
        return [Picture(part, part.width, part.height, self.is_grey) for part in parts]


def decode(data: bytes, max_pixels: int = MAX_PIXELS) -> Picture:
    """Decode an image.

    The pages of a TIFF stand one below the other: at most MOST_PAGES, and as many as have no more
    than max_pixels together. Of an animation, the first frame that is not blank is used.

    Transparent pixels become white, or black where the drawing itself is light, so that it stays
    visible; around an opaque sheet they take its colour.

    Raises:
        ImageError: as read_header, or the file is cut off or damaged.
    """
    if data[:4] in structure.TIFF and len(numbers := structure.tiff_pages(data)) > 1:
        return _decode_pages(data, numbers, max_pixels)
    picture, may_move = _decode_frame(data, 0, max_pixels)
    if may_move and _is_blank(picture):
        return _first_with_ink(data, picture, max_pixels)
    return picture


def _decode_pages(data: bytes, numbers: list[int], max_pixels: int) -> Picture:
    """Decode pages of a TIFF up to the first that is damaged or exceeds the limits."""
    pages: list[Picture] = []
    left = max_pixels
    for number in numbers[:MOST_PAGES]:
        try:
            page, _ = _decode_frame(data, number, left)
        except ImageError:
            if not pages:
                raise
            break
        pages.append(page)
        left -= page.width * page.height
    if len(pages) == 1:
        return replace(pages[0], of_pages=len(numbers))
    return _stacked(pages, len(numbers))


def _stacked(pages: list[Picture], of_pages: int) -> Picture:
    """Lay pages below each other, all at one scale."""
    scale = min(page.image.width / page.width for page in pages)
    pixels = sum(page.width * page.height for page in pages)
    scale = min(scale, (MOST_STACKED / pixels) ** 0.5)
    areas, parts, top = [], [], 0
    for page in pages:
        size = max(1, round(page.width * scale)), max(1, round(page.height * scale))
        image = page.image
        parts.append(image if image.size == size else image.resize(size, Image.Resampling.BOX))
        areas.append((0, top, size[0], top + size[1]))
        top += size[1]
    whole = Image.new("RGB", (max(area[2] for area in areas), top), "white")
    for part, area in zip(parts, areas, strict=True):
        whole.paste(part, area[:2])
    width, height = max(page.width for page in pages), sum(page.height for page in pages)
    is_grey = all(page.is_grey for page in pages)
    return Picture(whole, width, height, is_grey, tuple(areas), of_pages)


def _first_with_ink(data: bytes, first: Picture, max_pixels: int) -> Picture:
    """Return the first frame of an animation that is not blank; where there is none, the first."""
    if len(data) > MOST_MOVING:
        return first
    pixels = first.width * first.height
    if data.startswith(structure.GIF):
        pixels = max(pixels, structure.extent_of_gif(data, MOST_FRAMES))
    most = min(MOST_FRAMES, max_pixels // pixels)
    with _open(data, max_pixels) as image:
        for number in range(1, most):
            try:
                image.seek(number)
                frame = _decode(image.copy())
            except Exception:  # there is none, or it is damaged, by format
                break
            if not _is_blank(frame):
                return replace(frame, frame=number)
    return first


def _is_blank(picture: Picture) -> bool:
    levels = np.asarray(picture.image)
    return bool(np.ptp(levels, axis=(0, 1)).max() < BLANK)


def _decode_frame(data: bytes, number: int, max_pixels: int) -> tuple[Picture, bool]:
    """Decode a frame of a file, and tell whether it may have others that move."""
    with _open(data, max_pixels) as image:
        kind = image.format
        try:
            if number:
                image.seek(number)
                _check_size(str(kind), image.width, image.height, max_pixels)
            may_move = kind in MOVING and bool(getattr(image, "is_animated", False))
            return _decode(image), may_move
        except ImageError:
            raise
        except MemoryError as error:
            raise ImageError("The image is too large to be decoded.") from error
        except Exception as error:  # a damaged file may raise anything, by format
            raise ImageError(
                f"The {kind} file is cut off or damaged and cannot be decoded."
            ) from error


def _decode(image: Image.Image) -> Picture:
    width, height = image.size
    image.draft("RGB", (ENOUGH, ENOUGH))  # JPEG only: decodes at a half, quarter, eighth
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on metadata that we do not use
        image.load()
        was_wide = image.width > image.height
        if _may_be_turned(image):
            structure.check_exif(image.info.get("exif") or b"")
            ImageOps.exif_transpose(image, in_place=True)
    if (image.width > image.height) != was_wide:
        width, height = height, width
    small = _reduced(eight_bits(image))
    if small is not image:
        image.close()  # so that its memory serves for what comes next
    small.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BOX)
    return Picture(_on_paper(small), width, height, small.mode in GREY)


def _may_be_turned(image: Image.Image) -> bool:
    """Return whether an image has metadata, which may say that it is not upright."""
    return bool(image.info) or hasattr(image, "tag_v2")  # the tags of a TIFF


def _reduced(image: Image.Image) -> Image.Image:
    """Return an image of less than twice MAX_SIDE, whose pixels can be averaged."""
    if max(image.size) <= MAX_SIDE:
        return image
    # Between the levels of a palette there are no others.
    mode = {"1": "L", "P": "RGBA", "PA": "RGBA"}.get(image.mode, image.mode)
    if (factor := max(image.size) // MAX_SIDE) > 1:
        return _reduced_by(factor, image, mode)
    return image if image.mode == mode else image.convert(mode)


def _reduced_by(factor: int, image: Image.Image, mode: str) -> Image.Image:
    """Reduce an image by a factor, strip by strip: Pillow would convert a copy of all of it."""
    width, height = (-(-side // factor) for side in image.size)
    small = Image.new(mode, (width, height))
    rows = max(1, STRIP // factor)  # of the small image
    for top in range(0, height, rows):
        end = min((top + rows) * factor, image.height)
        strip = image.crop((0, top * factor, image.width, end))
        if strip.mode != mode:
            strip = strip.convert(mode)
        small.paste(strip.reduce(factor), (0, top))
    return small


def to_grey(image: Image.Image) -> Pixels:
    """Return an RGB image's luminance: uint8, shape (height, width)."""
    grey = image.convert("L")
    # As np.asarray, which takes three times as long for a small image.
    return np.frombuffer(grey.tobytes(), np.uint8).reshape(grey.height, grey.width)


def _open(data: bytes, max_pixels: int) -> Image.Image:
    if not data:
        raise ImageError("The file is empty.")
    structure.check(data)
    size = _webp_size(data)
    if size:
        _check_size("WEBP", *size, max_pixels)
    try:
        image = Image.open(io.BytesIO(data), formats=PILLOW_NAMES)
    except Exception as error:  # UnidentifiedImageError, or what a damaged header makes of it
        if PDF in data[:PDF_STARTS]:
            message = "PDF is not read yet: save the page as PNG or JPEG, and send that."
        else:
            message = f"The file is not an image that can be read ({NAMES})."
        raise ImageError(message) from error
    _check_size(str(image.format), image.width, image.height, max_pixels)
    return image


def _check_size(kind: str, width: int, height: int, max_pixels: int) -> None:
    if width < 1 or height < 1:
        raise ImageError("The image has no pixels.")
    known = OF_PILLOW.get(kind, OF_PILLOW["JPEG"])  # some JPEGs are of a kind of their own, MPO
    most = max_pixels / known.weight
    if width * height > most:
        of_kind = f" for {known.name}" if known.weight > 1 else ""
        raise ImageError(
            f"The image is too large: {width} x {height} pixels are"
            f" {width * height / 1e6:.0f} megapixels, and {most / 1e6:.0f} are the limit{of_kind}."
        )


def _png_size(data: bytes) -> tuple[int, int] | None:
    """Read the size in a PNG's first chunk; None where that is not whole or a kind is unknown.

    Source: W3C, "Portable Network Graphics (PNG) Specification", sections 5.2, 5.3 and 11.2.2.
    """
    if len(data) < 57 or data[:16] != b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR":
        return None
    if zlib.crc32(data[12:29]) != int.from_bytes(data[29:33], "big"):
        return None
    width, height, depth, colour, _, filtered = struct.unpack(">IIBBBB", data[16:28])
    is_known = depth in PNG_DEPTHS.get(colour, ()) and filtered == 0
    return (width, height) if is_known else None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """Read a WebP's canvas size, as Pillow makes room for the whole canvas when it opens one.

    Source: RFC 9649, "WebP Image Format", sections 2.5 to 2.7.
    """
    if len(data) < 30 or data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return None
    kind = data[12:16]
    if kind == b"VP8X":
        return (
            1 + int.from_bytes(data[24:27], "little"),
            1 + int.from_bytes(data[27:30], "little"),
        )
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return None


def _on_paper(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    image = image.convert("RGBA")
    if image.getchannel("A").getextrema() == (255, 255):
        return image.convert("RGB")
    pixels = np.asarray(image, np.float32)
    alpha = pixels[..., 3] / 255
    opaque = alpha >= OPAQUE
    if _is_sheet(pixels, opaque):
        colour = np.median(pixels[opaque][:, :3], axis=0)
        laid = np.where(opaque[..., None], pixels[..., :3], colour)
        return Image.fromarray(laid.astype(np.uint8))
    light = (pixels[..., :3].mean(axis=2) * alpha).sum() / max(float(alpha.sum()), 1e-6)
    paper = 0 if light > 160 and alpha.mean() < 0.9 else 255
    page = Image.new("RGBA", image.size, (paper, paper, paper, 255))
    return Image.alpha_composite(page, image).convert("RGB")


def _is_sheet(pixels: Floats, opaque: Mask) -> bool:
    """Return whether the opaque pixels are a sheet or a window with ink on it, not a drawing.

    They have no gaps, and some of them differ from most: a stroke is of one colour.
    """
    if opaque.all() or not opaque.any():
        return False
    whole = _spanned(opaque) & _spanned(opaque.T).T
    if opaque.sum() < SOLID * whole.sum():
        return False
    levels = pixels[opaque][:, :3].mean(axis=1)
    differs = float((np.abs(levels - np.median(levels)) > DIFFERENT).mean())
    return LEAST_INK < differs < MOST_INK


def _spanned(mask: Mask) -> Mask:
    """Return what lies between the first and the last true pixel of each row."""
    spanned: Mask = np.logical_or.accumulate(mask, axis=1)
    spanned &= np.logical_or.accumulate(mask[:, ::-1], axis=1)[:, ::-1]
    return spanned
