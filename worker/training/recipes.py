"""The settings of a training. This module does not import Keras."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

ARCHITECTURES = ("cnn", "mlp")
WITHOUT_STUDENT = ("mlp",)  # those that are as fast as a student would be
PRECISIONS = ("auto", "float32", "mixed_bfloat16")
# The last epochs show digits with fewer distortions, at a low learning rate: closer to real digits.
FINISHING_RATE = 0.15
SHARES, FINISHING_SHARES = (0.2, 0.3), (0.35, 0.4)  # of hardly and lightly distorted digits
_BOUNDS = (
    ("epochs", 1, 1000),
    ("finishing_epochs", 0, 1000),
    ("batch_size", 1, 4096),
    ("not_digits", 0, 0.9),
    ("cuttings", 0, 0.5),
    ("learning_rate", 1e-8, 1),
    ("images_per_epoch", 0, 10_000_000),
    ("student_epochs", 0, 100),
    ("correction_weight", 1, 1000),
)
_VERIFIER_BOUNDS = (("parts", 1, 10_000_000), ("epochs", 1, 1000), ("learning_rate", 1e-8, 1))


@dataclass(frozen=True)
class Stage:
    """A part of a training: epochs with one rise and fall of the learning rate.

    hardly, lightly: the shares of digits that are distorted hardly and lightly.
    """

    first_epoch: int
    epochs: int
    learning_rate: float
    hardly: float
    lightly: float


@dataclass(frozen=True)
class Recipe:
    """The settings of one training; the defaults make the model that ships.

    epochs, finishing_epochs: with many strongly distorted digits, and then with fewer.
    not_digits: the share of each batch that are not digits.
    cuttings: the share of each batch that was cut from strings of digits that touch.
    images_per_epoch: how many of the images an epoch shows; 0 means all of them.
    correction_weight: how many times an epoch shows each correction.
    student_epochs: how many epochs of images its student learns from; 0 for none.
    precision: "float32", "mixed_bfloat16" (faster where the processor has it), or "auto".
    """

    architecture: str = "cnn"
    epochs: int = 32
    finishing_epochs: int = 8
    batch_size: int = 128
    not_digits: float = 0.2
    cuttings: float = 0.14
    learning_rate: float = 4e-3
    weight_decay: float = 1e-2
    label_smoothing: float = 0.02
    images_per_epoch: int = 0
    correction_weight: int = 10
    student_epochs: int = 6
    precision: str = "auto"
    seed: int = 1

    def __post_init__(self) -> None:
        check_architecture(self.architecture)
        _check_bounds(self, _BOUNDS)
        if self.precision not in PRECISIONS:
            known = ", ".join(PRECISIONS)
            raise ValueError(f'expected a precision of {known}, received "{self.precision}"')

    @classmethod
    def fine_tuning(cls, **changes: Any) -> "Recipe":
        """The settings for learning corrections from a trained model, within minutes."""
        return cls(**FINE_TUNING | changes)

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> "Recipe":
        """Return the recipe with the settings of `as_dict`; ValueError if a setting is unknown."""
        unknown = set(settings) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(
                f"expected settings of a recipe, received {', '.join(sorted(unknown))}"
            )
        return cls(**settings)

    @property
    def all_epochs(self) -> int:
        return self.epochs + self.finishing_epochs

    @property
    def has_student(self) -> bool:
        """Whether a student is distilled from the model."""
        return self.student_epochs > 0 and self.architecture not in WITHOUT_STUDENT

    @property
    def stages(self) -> list[Stage]:
        """The parts of the training, in order."""
        is_short = self.images_per_epoch > 0
        shares = FINISHING_SHARES if is_short else SHARES
        stages = [Stage(0, self.epochs, self.learning_rate, *shares)]
        if self.finishing_epochs:
            rate = self.learning_rate * FINISHING_RATE
            stages.append(Stage(self.epochs, self.finishing_epochs, rate, *FINISHING_SHARES))
        return stages

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class VerifierRecipe:
    """The settings of a training of the verifier; the defaults make the one that ships.

    parts: how many parts of strings are made to learn from.
    """

    parts: int = 360_000
    epochs: int = 8
    learning_rate: float = 3e-3
    seed: int = 1

    def __post_init__(self) -> None:
        _check_bounds(self, _VERIFIER_BOUNDS)


# Images that are not corrections are to be read as before: so their targets are not smoothed, and
# weights do not decay.
FINE_TUNING = {
    "epochs": 4,
    "finishing_epochs": 0,
    "learning_rate": 2e-4,
    "weight_decay": 0.0,
    "label_smoothing": 0.0,
    "images_per_epoch": 16_000,
    "correction_weight": 3,
    "student_epochs": 2,
}


def check_architecture(name: str) -> None:
    """Check that there is an architecture of this name.

    Raises:
        ValueError: there is none.
    """
    if name not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise ValueError(f'expected an architecture of {known}, received "{name}"')


def _check_bounds(
    recipe: "Recipe | VerifierRecipe", bounds: tuple[tuple[str, float, float], ...]
) -> None:
    for name, low, high in bounds:
        value = getattr(recipe, name)
        if not low <= value <= high:
            raise ValueError(f"expected {name} from {low} to {high}, received {value}")
