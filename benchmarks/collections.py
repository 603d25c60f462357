"""Write labelled folders for `manage.py evaluate`: `python -m benchmarks.collections FOLDER`.

Each image is named `<digits>_<number>.png`; one without a digit `_<number>.png`. The same seed
gives the same files. scikit-learn's digits and rendered letters need scikit-learn and fonts; a
collection that cannot be made is named with the reason.
"""

import argparse
import string as alphabet
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks import scenes
from worker.files.datasets import load_mnist

FONTS = Path("/usr/share/fonts/truetype")
LIKE_DIGITS = "IlOoZSBqgb"  # nobody can tell these from digits out of context


def mnist_files(rng) -> Iterator[tuple[str, np.ndarray]]:
    """MNIST's 10,000 test images, as files."""
    test = load_mnist("test")
    for image, label in zip(test.images, test.labels, strict=True):
        yield str(label), image


def load_digits_files(rng) -> Iterator[tuple[str, np.ndarray]]:
    """scikit-learn's load_digits: 1,797 images of 8x8 by other people."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    for image, label in zip(digits.images, digits.target, strict=True):
        yield str(label), np.rint(image * (255 / 16)).astype(np.uint8)


def plain_pages(rng) -> Iterator[tuple[str, np.ndarray]]:
    """100 plain pages."""
    return _scenes(scenes.plain_page, 100, rng)


def hard_pages(rng) -> Iterator[tuple[str, np.ndarray]]:
    """100 hard pages."""
    return _scenes(scenes.hard_page, 100, rng)


def strings(rng) -> Iterator[tuple[str, np.ndarray]]:
    """1,000 strings of 2 to 8 digits, 20 % of neighbours touching."""
    return _scenes(scenes.string, 1000, rng)


def letters(rng) -> Iterator[tuple[str, np.ndarray]]:
    """Printed letters, without those that look like digits."""
    files = sorted(FONTS.rglob("*.ttf"))
    if not files:
        raise FileNotFoundError(f"no fonts under {FONTS}")
    for file in files:
        font = ImageFont.truetype(str(file), 64)
        for letter in alphabet.ascii_letters:
            if letter not in LIKE_DIGITS and (image := _rendered(letter, font)) is not None:
                yield "", image


def noise(rng) -> Iterator[tuple[str, np.ndarray]]:
    """1,000 images of noise: even, normal, and coarse."""
    for number in range(1000):
        side = int(rng.choice([28, 64, 128, 256]))
        if number % 3 == 0:
            image = rng.integers(0, 256, (side, side))
        elif number % 3 == 1:
            image = np.clip(rng.normal(128, 40, (side, side)), 0, 255)
        else:
            image = rng.integers(0, 256, (side // 4, side // 4)).repeat(4, 0).repeat(4, 1)
        yield "", image.astype(np.uint8)


def blank_pages(rng) -> Iterator[tuple[str, np.ndarray]]:
    """300 empty pages in different light."""
    for _ in range(300):
        height, width = (int(side) for side in rng.integers(28, 600, 2))
        page = np.full((height, width), rng.uniform(20, 250))
        page *= scenes.light_of(height, width, rng)
        page += rng.normal(0, rng.uniform(0, 6), page.shape)
        yield "", np.clip(page, 0, 255).astype(np.uint8)


COLLECTIONS = {
    "mnist-files": mnist_files,
    "load-digits": load_digits_files,
    "pages-plain": plain_pages,
    "pages-hard": hard_pages,
    "strings": strings,
    "letters": letters,
    "noise": noise,
    "blank": blank_pages,
}


def write(name: str, folder: Path, seed: int = 1) -> int:
    """Write one collection to folder/name; give the number of its images."""
    images = list(COLLECTIONS[name](np.random.default_rng(seed)))
    target = folder / name
    target.mkdir(parents=True, exist_ok=True)
    for number, (truth, image) in enumerate(images):
        Image.fromarray(image).save(target / f"{truth.replace(' ', '-')}_{number:05}.png")
    return len(images)


def _scenes(make, count: int, rng) -> Iterator[tuple[str, np.ndarray]]:
    digits = load_mnist("test")
    for _ in range(count):
        scene = make(digits, rng)
        yield scene.truth, scene.image


def _rendered(letter: str, font) -> np.ndarray | None:
    page = Image.new("L", (128, 128), 255)
    ImageDraw.Draw(page).text((64, 64), letter, 0, font, anchor="mm")
    image = np.asarray(page)
    return image if (image < 128).any() else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(COLLECTIONS))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if unknown := set(options.names) - set(COLLECTIONS):
        parser.error(f"expected {', '.join(COLLECTIONS)}, received {', '.join(sorted(unknown))}")
    for name in options.names or COLLECTIONS:
        try:
            print(f"{name}: {write(name, options.folder, options.seed)} images")
        except (ImportError, FileNotFoundError) as error:
            print(f"{name}: not made: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
