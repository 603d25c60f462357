"""How well a model reads: answers on labelled images, and the figures that sum them up."""

import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from worker.arrays import Integers, Pixels, Probabilities
from worker.files.datasets import Dataset, DatasetError, load_idx, load_mnist, read_idx_images
from worker.files.layouts import Wishes
from worker.files.sources import load_arrays
from worker.files.tables import Told, load_csv
from worker.metrics import Figures
from worker.reading.reading import decide, read_images

if TYPE_CHECKING:
    from worker.reading.engine import Engine

BINS = 15
CHUNK = 64
LABELLED = re.compile(r"^([0-9]*(?:-[0-9]+)*)_")


@dataclass(frozen=True)
class Sample:
    """An image file with the digits written in it.

    truth: its digits; a space stands between two lines; empty for an image without digits.
    """

    name: str
    data: bytes
    truth: str


@dataclass(frozen=True)
class Answer:
    """The reading of one image, and the truth.

    confidence: that of the least sure digit; None if no digit was found.
    pixels: the first digit as the model saw it, uint8, shape (28, 28); None where there is none.
    probable: the most probable digit, even where it was read as "not a digit"; None of files.
    """

    name: str
    truth: str
    text: str
    confidence: float | None
    pixels: Pixels | None
    probable: str | None = None

    @property
    def is_right(self) -> bool:
        return self.text == self.truth


def answers_of_pixels(
    engine: "Engine",
    dataset: Dataset,
    truths: Iterable[str] | None = None,
    read: Probabilities | None = None,
) -> list[Answer]:
    """Read images of 28x28 as they are, by the network alone.

    Args:
        dataset: the images.
        truths: the right readings, if they are not the dataset's labels.
        read: the engine's probabilities for the images, if they are known.

    Returns:
        One Answer an image, in order.
    """
    if dataset.images.shape[1:] != (28, 28):
        shape = "x".join(map(str, dataset.images.shape[1:]))
        raise DatasetError(f"expected images of 28x28 pixels, received {shape}")
    read = engine.predict(dataset.images) if read is None else read
    truths = list(truths) if truths is not None else [str(label) for label in dataset.labels]
    return [
        _answer_of_pixels(str(row), truth, probabilities, image)
        for row, (truth, probabilities, image) in enumerate(
            zip(truths, read, dataset.images, strict=True)
        )
    ]


def _answer_of_pixels(name: str, truth: str, probabilities: Probabilities, image: Pixels) -> Answer:
    value, confidence = decide(probabilities)
    probable = str(int(probabilities[:-1].argmax()))
    return Answer(name, truth, "" if value is None else probable, confidence, image, probable)


def answers_of_files(
    engine: "Engine", samples: Iterable[Sample], on_progress: Callable[[int], None] | None = None
) -> list[Answer]:
    """Read image files the whole way: decoded, searched for digits, normalised, read.

    Args:
        samples: the files.
        on_progress: called with the number of files each time that some were read.
    """
    answers = []
    for chunk in _chunks(samples):
        readings = read_images(engine, [sample.data for sample in chunk])
        for sample, reading in zip(chunk, readings, strict=True):
            pixels = reading.digits[0].glyph.pixels if reading.digits else None
            answers.append(
                Answer(sample.name, sample.truth, reading.text, reading.confidence, pixels)
            )
        if on_progress:
            on_progress(len(chunk))
    return answers


def answers_of_mnist(
    engine: "Engine",
    on_progress: Callable[[int], None] | None = None,
    read: Probabilities | None = None,
) -> dict[str, list[Answer]]:
    """Read MNIST's test images, as pixels ("mnist") and as PNG files ("mnist-files").

    on_progress: called with the number of files each time that some were read.
    read: the engine's probabilities for the images, if they are known.
    """
    test = load_mnist("test")
    samples = (
        Sample(f"{label}_{row:05}.png", _png(image), str(label))
        for row, (image, label) in enumerate(zip(test.images, test.labels, strict=True))
    )
    return {
        "mnist": answers_of_pixels(engine, test, read=read),
        "mnist-files": answers_of_files(engine, samples, on_progress),
    }


def load_answers(
    engine: "Engine",
    source: Path,
    holds_digits: bool = True,
    on_progress: Callable[[int], None] | None = None,
    wishes: Wishes | None = None,
    on_layout: Told = bool,
) -> list[Answer]:
    """Read the images of a source.

    Args:
        source: a folder of images named `<digits>_anything.png` (`12-34_...` has two lines, `_...`
            has no digit); an IDX file of images (its labels beside it); an NPZ with labels; or a
            CSV of a label and 784 pixels a row. All but files go through the network alone.
        holds_digits: whether the labels are digits; otherwise no reading is right.
        on_progress: called with the number of files each time that some were read.
        wishes: what is known about the layout of a CSV or NPZ.
        on_layout: called with that layout when it is decided.

    Raises:
        DatasetError: the source is not of the expected form.
    """
    source = Path(source)
    if source.is_dir():
        samples = list(labelled_files(source))
        if not holds_digits:
            samples = [Sample(sample.name, sample.data, "") for sample in samples]
        return answers_of_files(engine, samples, on_progress)
    if ".csv" in source.suffixes:
        dataset = load_csv(source, wishes, on_layout)
    elif ".npz" in source.suffixes:
        dataset = load_arrays(source, wishes, on_layout)
    elif holds_digits:
        dataset = load_idx(source, _labels_beside(source))
    else:
        images = read_idx_images(source)
        dataset = Dataset(images, np.zeros(len(images), np.uint8))
    return answers_of_pixels(engine, dataset, None if holds_digits else [""] * len(dataset))


def labelled_files(folder: Path) -> Iterator[Sample]:
    """Yield the images of a folder whose names begin with their digits, in order of names.

    Raises:
        DatasetError: a name does not begin with digits and an underscore, or there is no file.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file())
    if not files:
        raise DatasetError(f"{folder}: expected labelled images, received an empty folder")
    for path in files:
        label = LABELLED.match(path.name)
        if not label:
            raise DatasetError(
                f'{path}: expected a name as "7_anything.png" or "12-34_anything.png"'
            )
        yield Sample(path.name, path.read_bytes(), label[1].replace("-", " "))


def figures(answers: list[Answer]) -> Figures:
    """Sum up answers.

    Returns:
        images: how many.
        accuracy: the share whose whole reading is right.
        probable_right: the share whose most probable digit is right, whatever the threshold; of
            pixels through the network alone.
        accepted: the share in which at least one digit was read.
        digits: how many there truly are, with digits_right (found and read right, in order), and
            digits_false (read where there are none).
        calibration_error: of 15 bins, over images with one digit; None where there are none.
    """
    aligned = [align(answer.truth, answer.text) for answer in answers]
    digits = sum(len(answer.truth.replace(" ", "")) for answer in answers)
    read = sum(len(answer.text.replace(" ", "")) for answer in answers)
    matched = sum(matches for matches, _ in aligned)
    paired = sum(pairs for _, pairs in aligned)
    probable = [answer for answer in answers if answer.probable is not None and answer.truth]
    single = [answer for answer in answers if len(answer.truth) == 1]
    return {
        "images": len(answers),
        "accuracy": _share(sum(answer.is_right for answer in answers), len(answers)),
        "probable_right": _share(sum(a.probable == a.truth for a in probable), len(probable)),
        "accepted": _share(sum(bool(answer.text) for answer in answers), len(answers)),
        "digits": digits,
        "digits_right": _share(matched, digits),
        "digits_false": read - paired,
        "calibration_error": calibration_error(single),
    }


def align(truth: str, text: str) -> tuple[int, int]:
    """Align a reading with the truth by the fewest edits.

    Returns:
        How many digits agree, and how many are paired, right or wrong.

    Source: Levenshtein distance, by dynamic programming.
    """
    truth, text = truth.replace(" ", ""), text.replace(" ", "")
    # Of the same cost, more agreeing digits are better: (cost, -agreeing, -paired).
    row = [(j, 0, 0) for j in range(len(text) + 1)]
    for i, wanted in enumerate(truth, 1):
        previous, row = row, [(i, 0, 0)]
        for j, given in enumerate(text, 1):
            cost, agreeing, paired = previous[j - 1]
            same = wanted == given
            row.append(
                min(
                    (cost + (not same), agreeing - same, paired - 1),
                    (previous[j][0] + 1, *previous[j][1:]),
                    (row[-1][0] + 1, *row[-1][1:]),
                )
            )
    return -row[-1][1], -row[-1][2]


def reliability(answers: list[Answer]) -> list[tuple[int, float, float]]:
    """Return, for each of 15 equal bins of confidence: count, mean confidence, share right.

    Images read as "not a digit" or without a find are left out.
    """
    read = [(a.confidence, a.is_right) for a in answers if a.text and a.confidence is not None]
    confidence = np.array([c for c, _ in read])
    right = np.array([r for _, r in read], bool)
    places = np.minimum((confidence * BINS).astype(int), BINS - 1)
    bins = []
    for place in range(BINS):
        inside = places == place
        count = int(inside.sum())
        mean = float(confidence[inside].mean()) if count else 0.0
        bins.append((count, mean, float(right[inside].mean()) if count else 0.0))
    return bins


def calibration_error(answers: list[Answer]) -> float | None:
    """Return the expected calibration error: the mean distance of confidence and share right.

    Source: Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian
    binning" (2015).
    """
    bins = reliability(answers)
    total = sum(count for count, *_ in bins)
    if not total:
        return None
    return round(sum(count * abs(mean - right) for count, mean, right in bins) / total, 6)


def confusion(answers: list[Answer]) -> Integers:
    """Count the answers on images of one digit or none: int, shape (11, 11).

    Rows are the truth, columns the reading; 10 is "not a digit" (or no digit, or several).
    """
    counts = np.zeros((11, 11), int)
    for answer in answers:
        if len(answer.truth) <= 1:
            read = int(answer.text) if len(answer.text) == 1 else 10
            counts[int(answer.truth or 10), read] += 1
    return counts


def _labels_beside(images: Path) -> Path:
    name = images.name.replace("images", "labels").replace("idx3", "idx1")
    if name == images.name:
        raise DatasetError(f'{images}: expected "images" in the name of an IDX file of images')
    return images.with_name(name)


def _chunks(samples: Iterable[Sample]) -> Iterator[list[Sample]]:
    chunk: list[Sample] = []
    for sample in samples:
        chunk.append(sample)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _png(image: Pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None
