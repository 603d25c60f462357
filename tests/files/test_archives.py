"""ZIP archives from untrusted senders: which are refused, and why."""

import contextlib
import io
import stat
import struct
import zipfile

import numpy as np
import pytest

from tests.bulks import zip_of
from worker.files import archives
from worker.files.archives import ArchiveError, Limits

SMALL = Limits(files=5, file_bytes=10_000, total_bytes=20_000, ratio=50, ratio_from=0)


def check(data: bytes, limits: Limits = SMALL) -> list[str]:
    file = io.BytesIO(data)
    archive = archives.open_archive(file, limits)
    return [entry.filename for entry in archives.check(archive, len(data), limits)]


def zip_with(name: str = "a.png", data: bytes = b"picture", **fields) -> bytes:
    """A ZIP of one file whose entry has these fields."""
    file, entry = io.BytesIO(), zipfile.ZipInfo(name)
    for field, value in fields.items():
        setattr(entry, field, value)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(entry, data)
    return file.getvalue()


def test_it_lists_the_images_without_folders_and_litter():
    names = ["b/", "b/2.png", "a.png", "__MACOSX/b/._2.png", "b/.DS_Store"]
    assert check(zip_of(dict.fromkeys(names, b"x"))) == ["b/2.png", "a.png"]


@pytest.mark.parametrize(
    "name", ["../a.png", "b/../../a.png", "/a.png", "C:\\a.png", "c:a.png", "..\\a.png"]
)
def test_it_refuses_a_path_that_leads_out(name):
    with pytest.raises(ArchiveError, match="a path that leads out of the archive"):
        check(zip_of({"good.png": b"x", name: b"x"}))


@pytest.mark.parametrize("name", [b"a\0.png", b"\0.png..", b"a.png\0"])
def test_it_refuses_a_nul_in_a_name_and_does_not_repeat_it(name):
    data = zip_of({"x" * len(name): b"x"}).replace(b"x" * len(name), name)
    with pytest.raises(ArchiveError, match="a name that holds a NUL") as refused:
        check(data)
    assert "\0" not in str(refused.value)


def test_a_file_without_a_name_is_read_like_any_other():
    data = bytearray(zip_of({"a": b"x", "b.png": b"x"}))
    entry = data.index(b"PK\x01\x02")
    struct.pack_into("<HH", data, entry + 28, 0, 1)  # its name is a byte of what comes after it
    assert check(bytes(data)) == ["", "b.png"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_it_refuses_links_and_devices(kind):
    with pytest.raises(ArchiveError, match="a link or no plain file"):
        check(zip_with(data=b"/etc/passwd", external_attr=(kind | 0o644) << 16, create_system=3))


@pytest.mark.parametrize(
    "inner", [zip_of({"a": b"x"}), b"\x1f\x8b\x08", b"7z\xbc\xaf\x27\x1c", bytes(257) + b"ustar"]
)
def test_it_refuses_an_archive_in_the_archive_whatever_its_name(inner):
    with pytest.raises(ArchiveError, match=r"“a.png” is an archive itself"):
        check(zip_of({"a.png": inner}))


def test_it_refuses_a_bomb_before_unpacking_it():
    bomb = zip_of({f"{n}.bmp": bytes(50_000) for n in range(4)})
    with pytest.raises(ArchiveError, match=r"looks like a bomb: .* 50 times are the limit"):
        check(bomb, Limits(ratio=50, ratio_from=0))
    assert len(check(bomb, Limits(ratio=1000))) == 4


def test_it_counts_files_that_share_their_bytes_by_what_they_would_be_unpacked():
    data = bytearray(zip_of({"a.bmp": bytes(5000)}))
    end = data.rfind(b"PK\x05\x06")
    start = struct.unpack_from("<I", data, end + 16)[0]
    entry, tail = bytes(data[start:end]), bytearray(data[end:])
    struct.pack_into("<HHI", tail, 8, 4, 4, 4 * len(entry))
    with pytest.raises(ArchiveError, match="looks like a bomb"):
        check(bytes(data[:start]) + entry * 4 + bytes(tail), Limits(ratio=20, ratio_from=0))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "holds no files"),
        ({"only/": b""}, "holds no files"),
        ({f"{n}.png": b"x" for n in range(6)}, "too many files: 6, and 5 are the limit"),
        ({"a.png": bytes(range(250)) * 41}, "“a.png” is too large"),
        ({f"{n}.png": bytes(range(250)) * 32 for n in range(3)}, "too large unpacked"),
    ],
)
def test_it_keeps_to_its_limits(files, message):
    with pytest.raises(ArchiveError, match=message):
        check(zip_of(files, zipfile.ZIP_STORED))


def test_it_refuses_a_directory_that_is_too_long_before_reading_it():
    data = bytearray(zip_of({"a.png": b"x"}))
    struct.pack_into("<I", data, data.rfind(b"PK\x05\x06") + 12, 4_000_000)
    with pytest.raises(ArchiveError, match="too many files: 5 are the limit"):
        check(bytes(data))


def as_zip64(data: bytes, directory_bytes: int | None = None) -> bytes:
    """A ZIP with the records of the format for huge archives, as Info-ZIP writes them to a pipe."""
    end = data.rfind(b"PK\x05\x06")
    count, size, start = struct.unpack_from("<HII", data, end + 10)
    given = size if directory_bytes is None else directory_bytes
    record = struct.pack(
        "<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, given, start
    )
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, end, 1)
    return data[:end] + record + locator + data[end : end + 16] + b"\xff" * 4 + data[end + 20 :]


def test_a_small_zip_in_the_format_for_huge_archives_is_read():
    assert check(as_zip64(zip_of({"a.png": b"x", "b.png": b"y"}))) == ["a.png", "b.png"]


def test_the_size_that_the_format_for_huge_archives_states_is_checked_first():
    data = zip_of({"a.png": b"x"})
    with pytest.raises(ArchiveError, match="too many files: 5 are the limit"):
        check(as_zip64(data, 1 << 40))
    end = data.rfind(b"PK\x05\x06")
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, 0, 1)
    with pytest.raises(ArchiveError, match="cut off or damaged"):
        check(data[:end] + locator + data[end:])


def test_it_refuses_a_password_and_a_packing_that_needs_much_memory():
    secret = bytearray(zip_of({"a.png": b"x"}))
    secret[secret.rfind(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(ArchiveError, match="protected by a password"):
        check(bytes(secret))
    with pytest.raises(ArchiveError, match="only Deflate is"):
        check(zip_of({"a.png": b"x"}, zipfile.ZIP_LZMA))


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 and no more", zip_of({"a": b"x" * 99})[60:]])
def test_it_reports_that_an_archive_is_damaged(data):
    with pytest.raises(ArchiveError, match="cut off or damaged"):
        check(data)


def test_a_damaged_file_is_reported_when_it_is_read():
    data = bytearray(zip_of({"a.png": b"the picture"}, zipfile.ZIP_STORED))
    data[data.index(b"the picture")] ^= 1
    archive = archives.open_archive(io.BytesIO(bytes(data)), SMALL)
    with pytest.raises(ArchiveError, match="damaged in the ZIP"):
        archives.read(archive, archives.images(archive)[0], 100)


def test_no_more_is_unpacked_than_the_limit_allows():
    archive = archives.open_archive(io.BytesIO(zip_of({"a.png": bytes(1000)})), SMALL)
    with pytest.raises(ArchiveError, match="larger than"):
        archives.read(archive, archives.images(archive)[0], 999)


def test_a_zip_that_is_damaged_anywhere_is_read_or_refused_with_a_message():
    whole = zip_of({"a.png": bytes(range(200)), "b/ü.png": b"x" * 50})
    rng = np.random.default_rng(1)
    for _ in range(2000):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), rng.integers(1, 4)):
            data[place] = rng.integers(0, 256)
        with contextlib.suppress(ArchiveError):
            archive = archives.open_archive(io.BytesIO(bytes(data)), SMALL)
            for entry in archives.check(archive, len(data), SMALL):
                archives.read(archive, entry, 1000)


def names(data: bytes) -> list[str]:
    archive = archives.open_archive(io.BytesIO(data), SMALL)
    found = archives.names(archive)
    return [found[entry] for entry in archives.images(archive)]


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("utf-8", ["größe 7.png", "цифра 3.png", "数字5.png", "été 2.png"]),
        ("cp932", ["数字5.png", "答え4.png", "scan手書き.png"]),
        ("gbk", ["数字5.png", "什字.png", "手写数字 7.png"]),
        ("cp437", ["größe 7.png", "été 2.png", "étés.png", "señal.png"]),
        ("cp866", ["цифра 3.png", "лист.png"]),
        ("ascii", ["a.png"]),
    ],
)
def test_names_are_read_in_the_encoding_that_they_were_written_in(encoding, written):
    data = zip_of({f"{number}.png".rjust(40, "x"): b"x" for number in range(len(written))})
    for number, name in enumerate(written):
        data = renamed(data, f"{number}.png".rjust(40, "x").encode(), name.encode(encoding))
    assert names(data) == written
    assert names(zip_of(dict.fromkeys(written, b"x"))) == written  # with the flag of UTF-8


def renamed(data: bytes, before: bytes, after: bytes) -> bytes:
    """A ZIP with another name of a file, which is shorter, in both places, and without a flag."""
    file = bytearray(data)
    longer = len(before) - len(after)
    local = file.index(before)
    struct.pack_into("<H", file, local - 4, len(after))
    file[local : local + len(before)] = after
    end = file.rfind(b"PK\x05\x06")
    first = struct.unpack_from("<I", file, end + 16)[0] - longer
    entry = file.index(before, local)
    struct.pack_into("<H", file, entry - 18, len(after))
    file[entry : entry + len(before)] = after
    place = first
    while file[place : place + 4] == b"PK\x01\x02":  # what comes after it lies further ahead
        start = struct.unpack_from("<I", file, place + 42)[0]
        if start > local:
            struct.pack_into("<I", file, place + 42, start - longer)
        place += 46 + struct.unpack_from("<H", file, place + 28)[0]
    end = file.rfind(b"PK\x05\x06")
    struct.pack_into("<II", file, end + 12, place - first, first)
    return bytes(file)


def test_what_devices_add_is_left_out():
    litter = (
        *("scans/@eaDir/7.png/SYNOPHOTO_THUMB_M.jpg", "scans/.thumbnails/7.png", "scans/Icon\r"),
        *("scans/.@__thumb/7.png", "scans/.gitkeep", "scans/sub/__MACOSX/._7.png", "Thumbs.db"),
        *("scans/.picasa.ini", "#recycle/7.png", "$RECYCLE.BIN/7.png", "a/desktop.ini"),
    )
    many = Limits(files=50)
    assert check(zip_of(dict.fromkeys([*litter, "scans/7.png"], b"x")), many) == ["scans/7.png"]


def test_a_job_from_before_counts_the_files_that_it_counted_then():
    data = zip_of(dict.fromkeys(["@eaDir/7.png", "7.png", "__MACOSX/a", ".hidden"], b"x"))
    archive = archives.open_archive(io.BytesIO(data), SMALL)
    found = [entry.filename for entry in archives.images(archive, litter=False)]
    assert found == ["@eaDir/7.png", "7.png", ".hidden"]


def test_a_colon_is_part_of_a_name():
    assert check(zip_of({"4:3.png": b"x", "1: first try.png": b"x"})) == [
        "4:3.png",
        "1: first try.png",
    ]


def test_two_files_of_one_name_stay_two():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.png", b"first")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.png", b"second")
    with zipfile.ZipFile(file) as archive:
        found = archives.check(archive, len(file.getvalue()), SMALL)
        assert [archives.read(archive, one, 99) for one in found] == [b"first", b"second"]


def test_some_white_scans_are_no_bomb():
    scans = zip_of({f"{n}.bmp": bytes(2_240_000) for n in range(5)})
    assert len(check(scans, Limits())) == 5
    assert 100 * len(scans) < 11_200_000


def test_folders_that_net_wrote_with_backslashes_are_left_out():
    assert check(zip_of({"scans\\": b"", "scans\\2.png": b"x"})) == ["scans\\2.png"]
