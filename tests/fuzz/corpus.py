"""The files that fuzzing begins with: small valid ones of each format, complaints, and bombs."""

import gzip
import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from tests import bombs
from tests.bulks import csv_of, idx, kaggle_csv, npy_of, npz_of, zip_of
from tests.pictures import encoded, in_lines, on_paper, png
from worker.files.datasets import Dataset, load_mnist
from worker.reading.bundle import BUNDLED_MODEL

Files = tuple[bytes, ...]
BOUNDARY = b"a-boundary"
PLANTED = tuple(str(number).encode() for number in range(10))


@cache
def mnist() -> Dataset:
    """MNIST's first test images."""
    whole = load_mnist("test")
    return Dataset(whole.images[:40], whole.labels[:40])


def _pages() -> list[Image.Image]:
    """Images of several modes: single digits, lines of digits, nothing at all."""
    digits = mnist()
    page = Image.fromarray(on_paper(digits.images[0], size=120))
    lines = Image.fromarray(in_lines(digits, [[1, 2, 3], [4, 5]], size=40))
    turned = Image.Exif()
    turned[0x0112] = 6
    photo = lines.convert("RGB")
    photo.info["exif"] = turned.tobytes()
    clear = Image.merge("LA", (page, Image.fromarray(255 - np.asarray(page))))
    specks = np.random.default_rng(1).random((60, 60)) < 0.3
    noise = Image.fromarray(np.where(np.kron(specks, np.ones((2, 2))), 20, 240).astype(np.uint8))
    return [
        Image.fromarray(digits.images[0]),
        page,
        photo,
        page.convert("P"),
        page.convert("1"),
        clear.convert("RGBA"),
        Image.new("L", (1, 1)),
        Image.new("RGB", (3000, 8), "white"),
        noise,
    ]


def _encoded(kind: str, pages: Iterable[Image.Image], **options: object) -> list[bytes]:
    found = []
    for page in pages:
        exif = {"exif": page.info["exif"]} if "exif" in page.info and kind != "GIF" else {}
        try:
            found.append(encoded(page, kind, **exif, **options))
        except (OSError, ValueError):  # the format has no such mode
            found.append(encoded(page.convert("RGB"), kind, **exif, **options))
    return found


def _bombs(*names: str) -> list[bytes]:
    made = {**bombs.STRUCTURES, **{f"ordinary {name}": f for name, f in bombs.ORDINARY.items()}}
    return [make() for name, make in made.items() if any(one in name for one in names)]


def _huge(kind: str, pixels: int = 59_000_000, **options: object) -> bytes:
    """A white image of nearly as many pixels as are allowed: few bytes where they compress."""
    side = int(pixels**0.5)
    return encoded(Image.new("L", (side, side), 255), kind, **options)


def _pngs() -> Files:
    deep = Image.fromarray(mnist().images[0].astype(np.uint16) * 257)
    claims = bytearray(png(mnist().images[0]))
    struct.pack_into(">II", claims, 16, 20_000, 20_000)
    return (
        *_encoded("PNG", [*_pages(), deep]),
        *(b"", b"words", bytes(claims), png(np.full((200, 200), 255))[:90]),
        *_bombs("png"),
        _huge("PNG"),
    )


def _jpegs() -> Files:
    return (
        *_encoded("JPEG", _pages()),
        *_encoded("JPEG", _pages()[1:3], progressive=True),
        encoded(_pages()[2].convert("CMYK"), "JPEG"),
        _encoded("JPEG", _pages()[1:2])[0][:700],
        *_bombs("jpeg"),
        _huge("JPEG"),
    )


def _webps() -> Files:
    moving = encoded(_pages()[1], "WEBP", save_all=True, append_images=[_pages()[1].rotate(90)])
    return (
        *_encoded("WEBP", _pages()),
        *_encoded("WEBP", _pages()[1:3], lossless=True),
        *_bombs("webp"),
        moving,
    )


def _gifs() -> Files:
    moving = encoded(_pages()[1], "GIF", save_all=True, append_images=_pages()[2:3])
    return (*_encoded("GIF", _pages()), moving, *_bombs("gif"), _huge("GIF"))


def _bmps() -> Files:
    return (*_encoded("BMP", _pages()), bombs.bmp(28), bombs.bmp(2_000_000))


def _tiffs() -> Files:
    floats = Image.fromarray(mnist().images[0].astype(np.float32))
    deep = Image.fromarray(mnist().images[0].astype(np.uint16) * 257)
    packings = ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
    return (
        *_encoded("TIFF", [*_pages(), floats, deep]),
        *(encoded(_pages()[2], "TIFF", compression=one) for one in packings),
        encoded(_pages()[4], "TIFF", compression="group4"),
        encoded(_pages()[1], "TIFF", save_all=True, append_images=_pages()[2:5]),
        *_bombs("tiff"),
        _huge("TIFF", compression="tiff_adobe_deflate"),
    )


def _heics() -> Files:
    small = [page for page in _pages() if min(page.size) > 1]
    return tuple(_encoded("HEIF", small))


def _avifs() -> Files:
    moving = encoded(_pages()[1], "AVIF", save_all=True, append_images=[_pages()[1].rotate(90)])
    return (*_encoded("AVIF", _pages(), speed=8), moving)


def _csvs() -> Files:
    plain, labelled = kaggle_csv(mnist(), 3), kaggle_csv(mnist(), 3, labels=True)
    rows = plain.split(b"\n", 1)[1]
    return (
        *(plain, labelled, rows, b"\xef\xbb\xbf" + rows, plain.replace(b"\n", b"\r\n")),
        *(labelled.replace(b",0", b', "0"'), labelled.replace(b",0", b",0.0")),
        *(b"", b"words", plain[:1000], b"\n" * 200_000, rows + b"\n" * 30_000),
        b"1," * 40_000,
        plain + b"0" * 200_000,
        *_layouts(),
    )


def _layouts() -> Files:
    """Tables of other layouts, each with a few rows."""
    digits = mnist()
    tables = [
        csv_of(digits.images[:3], digits.labels[:3], label="last", delimiter=";"),
        csv_of(digits.images[:3] / 255, digits.labels[:3], names=None, delimiter="\t"),
        csv_of(255 - digits.images[:3], digits.labels[:3], index=True, ending="\r\n"),
        csv_of(digits.images[:3].transpose(0, 2, 1), names=range(784), ending=",\n"),
    ]
    return (
        *tables,
        tables[0].decode().encode("utf-16"),
        b"sep=;\n" + tables[0],
        b"# x\n" + tables[2],
    )


def _idxs() -> Files:
    images, labels = idx(mnist().images[:3]), idx(mnist().labels[:3])
    floats = (
        struct.pack(">4I", 0x0D03, 2, 28, 28) + (mnist().images[:2] / 255).astype(">f4").tobytes()
    )
    little = struct.pack("<4I", 0x0803, 2, 28, 28) + mnist().images[:2].tobytes()
    return (
        *(images, labels, idx(np.zeros((2, 8, 8))), images[:-1], images[:12], b"\0\0\x08\x03"),
        *(floats, little, struct.pack(">4I", 0x0E03, 2**32 - 1, 2**32 - 1, 2**32 - 1)),
    )


def _numpys() -> Files:
    digits = mnist()
    pairs = {"x": digits.images[:3], "y": digits.labels[:3]}
    objects = io.BytesIO()
    np.save(objects, np.array([{}], object))
    return (
        *(npy_of(digits.images[:3]), npy_of(digits.images[:3].reshape(3, 784) / 255)),
        *(npy_of(digits.labels[:3]), npz_of(**pairs), npz_of(**pairs, compressed=True)),
        npz_of(x_train=digits.images[:2], x_test=digits.images[2:3]),
        *(objects.getvalue(), npy_of(np.zeros((2, 8, 8))), npy_of(digits.images[:3])[:200]),
        b"%PDF-1.7\n",
    )


def _labels() -> Files:
    return (idx(mnist().labels[:3]), idx(mnist().labels[:4]), idx(np.full(3, 10)), b"\0\0\x08\x01")


def _zips() -> Files:
    images = {"b/seven.png": png(mnist().images[0]), "ü.jpg": _encoded("JPEG", _pages()[1:2])[0]}
    words = {"a.png": b"words", "=1+1": b"", "b/.DS_Store": b"x"}
    secret = bytearray(zip_of({"a.png": b"x"}))
    secret[secret.rfind(b"PK\x01\x02") + 8] |= 1
    return (
        zip_of(images),
        zip_of(images | words, zipfile.ZIP_STORED),
        zip_of({"a.zip": zip_of(images)}),
        zip_of({"a.png": b"x"}, zipfile.ZIP_LZMA),
        zip_of({"../a.png": b"x"}),
        zip_of({f"{number}.bmp": bytes(50_000) for number in range(20)}),
        zip_of({f"{number}.png": b"x" for number in range(300)}),
        zip_of({"huge.png": _huge("PNG")}),
        bytes(secret),
        zip_of(images)[:200],
        zip_of({"test.csv": kaggle_csv(mnist(), 3)}),
        zip_of({"a.csv": kaggle_csv(mnist(), 3), "b.csv": b"1"}),
        zip_of({f"{n}/a.png": png(mnist().images[n]) for n in range(2)}),
        zip_of({"gr\u00f6.png": b"x"}).replace("\u00f6".encode(), b"\x90\x94"),
    )


def _gzips() -> Files:
    inside = (*_csvs()[:3], *_idxs()[:2], _zips()[0], b"", bytes(5_000_000))
    packed = [gzip.compress(one, mtime=0) for one in inside]
    return (*packed, packed[0][:-9], gzip.compress(packed[0], mtime=0), packed[0] + packed[1])


def _forms() -> Files:
    def part(head: str, content: bytes) -> bytes:
        return b"--" + BOUNDARY + b"\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n"

    named = 'Content-Disposition: form-data; name="{}"; filename="{}"'.format
    image = part(named("file", "a.png"), png(mnist().images[0]))
    field = part('Content-Disposition: form-data; name="lang"', b"de")
    end = b"--" + BOUNDARY + b"--\r\n"
    names = ("ü.png", "..", "a/../b", "C:\\\\a.png", "x" * 3000, "a\0b.png")
    return (
        *(image + end, field + image + end, image * 3 + end, image[:200], end, field * 300 + end),
        *(part(named("file", name), png(mnist().images[0])) + end for name in names),
    )


@cache
def _small_model() -> bytes:
    """A .keras file of the smallest model of digits, and the same model as its student."""
    import tempfile

    import keras

    from worker.reading.bundle import write_model

    def made() -> "keras.Model":
        layers = [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(11)]
        return keras.Sequential(layers)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.keras"
        write_model(made(), path, made())
        return path.read_bytes()


def _model_with(**changes: object) -> bytes:
    """The small model with entries of its own instead of Keras's."""
    with zipfile.ZipFile(io.BytesIO(_small_model())) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    return zip_of(files | changes)  # type: ignore[operator]


def _config(config: str, units: int) -> bytes:
    """A model's description whose last layer has so many units."""
    changed = json.loads(config)
    last = changed["config"]["layers"][-1]
    last["config"]["units"] = units
    del last["build_config"]
    return json.dumps(changed).encode()


def _models() -> Files:
    with zipfile.ZipFile(io.BytesIO(_small_model())) as archive:
        config = archive.read("config.json").decode()
    deep = '{"class_name": "Sequential", "config": ' * 20_000
    return (
        *(_small_model(), _model_with(**{"student.keras": _small_model()})),
        *(_model_with(**{"config.json": _config(config, units)}) for units in (500_000, 2**31)),
        _model_with(**{"config.json": deep.encode()}),
        _model_with(**{"config.json": config.replace("Dense", "Lambda").encode()}),
        _model_with(**{"config.json": b" " * 200_000_000}),
        _model_with(**{"student.keras": b"words"}),
        _model_with(**{"model.weights.h5": b"\x89HDF\r\n\x1a\n" + bytes(3000)}),
        *(b"", b"words", _small_model()[:3000], zip_of({"a.png": b"x"})),
        BUNDLED_MODEL.read_bytes(),
    )


CORPORA: dict[str, Callable[[], Files]] = {
    "png": _pngs,
    "jpeg": _jpegs,
    "webp": _webps,
    "gif": _gifs,
    "bmp": _bmps,
    "tiff": _tiffs,
    "heic": _heics,
    "avif": _avifs,
    "csv": _csvs,
    "idx": _idxs,
    "labels": _labels,
    "gzip": _gzips,
    "numpy": _numpys,
    "zip": _zips,
    "datasets": lambda: (*_csvs(), *_idxs(), *_labels(), *_gzips()),
    "forms": _forms,
    "model": _models,
}


@cache
def corpus(name: str) -> Files:
    """Return the files of one reader."""
    return PLANTED if name == "planted" else CORPORA[name]()
