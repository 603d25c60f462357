"""Plots of an evaluation: confusion matrix, reliability diagram, gallery of readings."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib.figure import Figure

from worker.evaluation.scoring import BINS, Answer, confusion, reliability

CLASSES = [*map(str, range(10)), "none"]
GALLERY = 8, 12


def draw_evaluation(answers: list[Answer], folder: Path) -> None:
    """Draw confusion.png, reliability.png and gallery.png into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in (
        ("confusion", _confusion),
        ("reliability", _reliability),
        ("gallery", _gallery),
    ):
        draw(answers).savefig(folder / f"{name}.png", dpi=120, bbox_inches="tight")


def draw_gallery(answers: list[Answer], path: Path) -> None:
    """Draw wrong readings, the surest first, then right ones, the least sure first."""
    _gallery(answers).savefig(path, dpi=120, bbox_inches="tight")


def _confusion(answers: list[Answer]) -> Figure:
    counts = confusion(answers)
    figure = Figure(figsize=(6, 5.5))
    axes = figure.add_subplot()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for truth, read in zip(*np.nonzero(counts), strict=True):
        colour = "white" if shares[truth, read] > 0.5 else "black"
        axes.text(
            read, truth, counts[truth, read], ha="center", va="center", color=colour, fontsize=7
        )
    axes.set_xticks(range(11), CLASSES)
    axes.set_yticks(range(11), CLASSES)
    axes.set_xlabel("read as")
    axes.set_ylabel("truth")
    axes.set_title("Images of one digit, or of none")
    return figure


def _reliability(answers: list[Answer]) -> Figure:
    bins = [one for one in reliability(answers) if one[0]]
    figure = Figure(figsize=(5, 5))
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1)
    axes.bar(
        [mean for _, mean, _ in bins],
        [right for *_, right in bins],
        width=0.8 / BINS,
        color="tab:blue",
        alpha=0.7,
    )
    for count, mean, right in bins:
        axes.text(mean, right, f"{count:,}", ha="center", va="bottom", fontsize=7)
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.08)
    axes.set_xlabel("confidence")
    axes.set_ylabel("share right (number of readings above)")
    axes.set_title("Reliability")
    return figure


def _gallery(answers: list[Answer]) -> Figure:
    """Return a figure of wrong readings, surest first, then right ones, least sure first."""
    rows, columns = GALLERY
    seen = [(answer, answer.pixels) for answer in answers if answer.pixels is not None]
    wrong = [one for one in seen if not one[0].is_right]
    wrong.sort(key=lambda one: -(one[0].confidence or 0))
    right = [one for one in seen if one[0].is_right]
    right.sort(key=lambda one: one[0].confidence or 0)
    half = rows * columns // 2
    shown = wrong[: max(half, rows * columns - len(right))]
    shown += right[: rows * columns - len(shown)]
    figure = Figure(figsize=(columns, rows * 1.25))
    for place, (answer, pixels) in enumerate(shown):
        axes = figure.add_subplot(rows, columns, place + 1)
        axes.imshow(255 - pixels, cmap="gray", vmin=0, vmax=255)
        axes.set_axis_off()
        colour = "black" if answer.is_right else "tab:red"
        title = f"{answer.truth or 'none'} as {answer.text or 'none'}"
        axes.set_title(_short(title), fontsize=7, color=colour)
    figure.suptitle("Truth and reading: wrong ones, the surest first, then right ones")
    return figure


def _short(text: str) -> str:
    return text if len(text) <= 16 else f"{text[:15]}…"
