"""Metadata are taken out of image files, and what is seen stays the same."""

import io
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from worker.images import metadata
from worker.images.decoding import decode, read_header
from worker.images.errors import ImageError

SECRET = "a secret place"
XMP = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'>{SECRET}</x:xmpmeta>".encode()
COLOURS = np.random.default_rng(5).integers(0, 256, (40, 56, 3), np.uint8)
PICTURE = Image.fromarray(COLOURS)
MAKER, GPS, EXIF_PART, COMMENT = 271, 34853, 34665, 37510


def exif_of(orientation: int) -> Image.Exif:
    """EXIF metadata with a secret in each of its parts."""
    exif = Image.Exif()
    exif[MAKER] = SECRET
    exif[274] = orientation
    exif.get_ifd(GPS)[1] = "N"
    exif.get_ifd(GPS)[2] = (48.0, 12.0, 34.5)
    exif.get_ifd(GPS)[29] = SECRET
    exif.get_ifd(EXIF_PART)[COMMENT] = SECRET.encode()
    return exif


def saved(kind: str, orientation: int = 1) -> bytes:
    """A file of a format that tells secrets in every way that Pillow can write."""
    file, image = io.BytesIO(), PICTURE
    options: dict = {"exif": exif_of(orientation)}
    if kind in ("JPEG", "WEBP", "HEIF", "AVIF"):
        options["xmp"] = XMP
    if kind == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_text("Author", SECRET)
        text.add_itxt("XML:com.adobe.xmp", XMP.decode())
        options["pnginfo"] = text
    if kind in ("JPEG", "GIF"):
        options["comment"] = SECRET
    if kind == "GIF":
        image = PICTURE.quantize(64)
        del options["exif"]
    if kind == "TIFF":
        options["tiffinfo"] = {270: SECRET, 315: SECRET, 700: XMP}
    if kind == "WEBP":
        options["lossless"] = True
    image.save(file, kind, **options)
    return file.getvalue()


def is_told(data: bytes) -> bool:
    """Whether a secret stands in a file, or is found by Pillow."""
    image = Image.open(io.BytesIO(data))
    exif = image.getexif()
    values = [image.info.get(name) for name in ("comment", "xmp", "Author")]
    values += [*exif.get_ifd(GPS).values(), exif.get(MAKER)]
    zeros = {str: "\0", bytes: b"\0"}
    told = [one.strip(zeros[type(one)]) if type(one) in zeros else one for one in values]
    return SECRET.encode() in data or any(told)


def same(one: bytes, other: bytes) -> bool:
    first, second = decode(one), decode(other)
    sizes = (first.width, first.height) == (second.width, second.height)
    return sizes and first.image.tobytes() == second.image.tobytes()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "HEIF", "AVIF"])
@pytest.mark.parametrize("orientation", [1, 2, 3, 6, 8])
def test_what_tells_of_a_person_goes_and_the_picture_stays(kind, orientation):
    data = saved(kind, orientation)
    assert SECRET.encode() in data
    assert is_told(data)
    cleaned = metadata.removed(data)
    assert not is_told(cleaned)
    assert same(cleaned, data)
    assert read_header(cleaned) == read_header(data)
    assert metadata.removed(cleaned) == cleaned


def test_a_gif_loses_its_comment_and_stays_an_animation():
    file = io.BytesIO()
    frames = [PICTURE.rotate(turn).quantize(32) for turn in (0, 90, 180)]
    frames[0].save(
        file, "GIF", save_all=True, append_images=frames[1:], loop=0, comment=SECRET.encode()
    )
    cleaned = metadata.removed(file.getvalue())
    assert SECRET.encode() in file.getvalue()
    assert SECRET.encode() not in cleaned
    image = Image.open(io.BytesIO(cleaned))
    assert (image.n_frames, image.info["loop"]) == (3, 0)
    assert same(cleaned, file.getvalue())


def test_what_follows_the_image_goes_too():
    """As the film of a moving photo, or the small pictures of a camera, which have their own."""
    for kind in ("JPEG", "PNG"):
        data = saved(kind)
        cleaned = metadata.removed(data + b"film" + saved("JPEG"))
        assert cleaned == metadata.removed(data)


@pytest.mark.parametrize("options", [{"progressive": True}, {"restart_marker_blocks": 2}])
def test_a_jpeg_of_several_scans_or_with_restarts_stays_whole(options):
    file = io.BytesIO()
    PICTURE.resize((300, 200)).save(file, "JPEG", exif=exif_of(6), **options)
    cleaned = metadata.removed(file.getvalue())
    assert not is_told(cleaned)
    assert same(cleaned, file.getvalue())


def test_colour_profiles_and_transparency_stay():
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for kind in ("JPEG", "PNG", "WEBP"):
        file = io.BytesIO()
        PICTURE.save(file, kind, icc_profile=profile, exif=exif_of(1))
        cleaned = Image.open(io.BytesIO(metadata.removed(file.getvalue())))
        assert cleaned.info["icc_profile"] == profile
    file = io.BytesIO()
    PICTURE.convert("RGBA").save(file, "PNG", exif=exif_of(1))
    assert Image.open(io.BytesIO(metadata.removed(file.getvalue()))).mode == "RGBA"


def test_a_tiff_of_several_pages_loses_those_of_each():
    file = io.BytesIO()
    PICTURE.save(
        file,
        "TIFF",
        save_all=True,
        append_images=[PICTURE],
        tiffinfo={270: SECRET},
        exif=exif_of(1),
    )
    cleaned = metadata.removed(file.getvalue())
    assert SECRET.encode() not in cleaned
    assert Image.open(io.BytesIO(cleaned)).n_frames == 2


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF"])
def test_a_file_without_metadata_is_not_touched(kind):
    file = io.BytesIO()
    (PICTURE.quantize(16) if kind == "GIF" else PICTURE).save(file, kind)
    cleaned = metadata.removed(file.getvalue())
    assert same(cleaned, file.getvalue())
    if kind not in ("TIFF", "HEIF", "AVIF"):
        assert cleaned == file.getvalue()


def read_or_reason(data: bytes):
    try:
        found = decode(data)
    except ImageError as error:
        return str(error)
    return found.width, found.height, found.image.tobytes()


SAVED = {kind: saved(kind, 6) for kind in ("PNG", "JPEG", "WEBP", "TIFF", "HEIF", "AVIF", "GIF")}


@settings(max_examples=150, deadline=2000, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(SAVED)), st.data())
def test_a_damaged_file_is_never_an_error(kind, draw):
    data = bytearray(SAVED[kind])
    for _ in range(draw.draw(st.integers(1, 8))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    cut = draw.draw(st.integers(0, len(data)))
    for damaged in (bytes(data), bytes(data[:cut])):
        cleaned = metadata.removed(damaged)
        assert len(cleaned) <= len(damaged) + 64


def test_a_directory_that_leads_to_itself_ends():
    head = b"MM\0*" + struct.pack(">I", 8)
    entry = struct.pack(">HHII", GPS, 4, 1, 8)
    data = head + struct.pack(">H", 1) + entry + struct.pack(">I", 8)
    assert len(metadata.removed(data)) == len(data)
