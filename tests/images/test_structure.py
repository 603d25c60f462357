"""Files made of millions of pieces are refused at once; ordinary ones are not."""

import struct
import subprocess
import sys

import pytest

from tests import bombs
from tests.site import ROOT, environment
from worker.images import structure
from worker.images.decoding import decode, read_header
from worker.images.errors import ImageError

REASON = "made of too many pieces"
# Reads the file of its standard input; prints the seconds of processor and the growth in megabytes.
COST = """
import resource, sys
from worker.images.decoding import {read}
from worker.images.errors import ImageError
data = sys.stdin.buffer.read()
before = resource.getrusage(resource.RUSAGE_SELF)
try:
    {read}(data)
    error = ""
except ImageError as refused:
    error = str(refused)
after = resource.getrusage(resource.RUSAGE_SELF)
print(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
print((after.ru_maxrss - before.ru_maxrss) / 1024)
print(error)
"""


def cost(data: bytes, read: str) -> tuple[float, float, str]:
    found = subprocess.run(
        [sys.executable, "-c", COST.format(read=read)],
        input=data,
        capture_output=True,
        cwd=ROOT,
        env=environment(),
        check=True,
        timeout=120,
    ).stdout.decode()
    seconds, megabytes, error = found.split("\n", 2)
    return float(seconds), float(megabytes), error.strip()


@pytest.mark.parametrize("read", ["read_header", "decode"])
@pytest.mark.parametrize("name", bombs.STRUCTURES)
def test_a_file_of_millions_of_pieces_is_refused_at_once(name, read):
    data = bombs.STRUCTURES[name]()
    seconds, megabytes, error = cost(data, read)
    if (name, read) != ("png-exif", "read_header"):  # it is small, and looked at when it is decoded
        assert REASON in error
    assert seconds < 0.5  # of the processor; hundredths are usual
    assert megabytes < 100


@pytest.mark.parametrize("name", bombs.ORDINARY)
def test_an_ordinary_file_with_many_pieces_is_read(name):
    data = bombs.ORDINARY[name]()
    assert read_header(data).width == 28
    assert decode(data).image.size == (28, 28)


@pytest.mark.parametrize("name", bombs.ORDINARY)
def test_a_file_that_is_cut_off_anywhere_is_refused_or_read(name):
    data = bombs.ORDINARY[name]()
    for length in range(1, min(len(data), 3000), 13):
        for cut in (data[:length], data[:length] + b"\xff" * 40):
            try:
                assert decode(cut).image.width
            except ImageError:
                continue


def test_more_scans_than_a_jpeg_has_are_refused():
    with pytest.raises(ImageError, match=REASON):
        decode(bombs.progressive(bombs.MOST_SCANS))


def test_a_large_bmp_in_runs_is_refused_at_once_and_a_small_one_read():
    seconds, megabytes, error = cost(bombs.bmp(2_000_000), "decode")
    assert "packed in runs of pixels, and 8 megapixels are the limit" in error
    assert seconds < 0.5
    assert megabytes < 100
    assert decode(bombs.bmp(28)).image.size == (28, 28)


def gif(*frames: tuple[int, int], width: int = 1, height: int = 1, junk: bytes = b"") -> bytes:
    """A GIF of blank frames of these sizes, with bytes between them that are no block."""
    parts = [b"GIF89a", struct.pack("<HHBBB", width, height, 0x80, 0, 0), bytes(6)]
    for wide, high in frames:
        parts += [b",", struct.pack("<HHHHB", 0, 0, wide, high, 0), b"\x02\x02\x44\x01\x00", junk]
    return b"".join([*parts, b";"])


@pytest.mark.parametrize("junk", [b"", b"\x01\x02\x03"])
def test_frames_beyond_the_picture_of_a_gif_are_counted(junk):
    data = gif((1, 1), (20_000, 3), (4, 30_000), junk=junk)
    assert structure.extent_of_gif(data, 1) == 1
    assert structure.extent_of_gif(data, 2) == 60_000
    assert structure.extent_of_gif(data, 9) == 20_000 * 30_000


@pytest.mark.parametrize("end", [12, 15, 25, 33])
def test_a_gif_that_ends_early_has_the_frames_before(end):
    assert structure.extent_of_gif(gif((1, 1), (7, 7))[:end], 9) in (0, 1)


def test_no_room_is_made_for_frames_that_are_far_too_large():
    seconds, megabytes, error = cost(gif((1, 1), (30_000, 30_000)), "decode")
    assert error == ""
    assert seconds < 0.5
    assert megabytes < 100
