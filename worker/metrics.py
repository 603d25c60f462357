"""What metrics.json, verifier.json and the reports of judging hold, as JSON."""

from typing import Any, NotRequired, TypedDict

Recipe = dict[str, Any]  # worker.training.recipes.Recipe as a dict
Epoch = dict[str, float]  # figures by name, such as "loss", "accuracy" and "val_loss"


class Figures(TypedDict):
    """How well one set of images is read; worker.evaluation.scoring.figures explains each."""

    images: int
    accuracy: float | None
    probable_right: float | None
    accepted: float | None
    digits: int
    digits_right: float | None
    digits_false: int
    calibration_error: float | None


class Scores(TypedDict):
    """Accuracy and mean cross-entropy; None where there are no images."""

    accuracy: float | None
    loss: float | None


class SetScores(Scores):
    """A model's scores on a set of images, beside those of the active model where there is one."""

    images: int
    active: NotRequired[Scores]


class Disagreement(TypedDict):
    """An image whose label differs from the reading; pixels are 28x28 bytes in Base64."""

    set: str
    truth: int
    read: int
    confidence: float
    active_read: int | None
    pixels: str


class Report(TypedDict):
    """A judging of a model beside the active one, on the sets "mnist" and "corrections".

    confusion: on MNIST; rows are the truth, columns the reading; 10 is "not a digit".
    per_digit: the accuracy for each digit of MNIST.
    active_version: the number of the active version; None where there was none.
    """

    sets: dict[str, SetScores]
    confusion: list[list[int]]
    per_digit: list[float]
    disagreements: list[Disagreement]
    active_version: NotRequired[int | None]


class BackendVersion(TypedDict, total=False):
    """The version of Keras's backend, under its name."""

    tensorflow: str
    jax: str
    torch: str


class FileFacts(TypedDict):
    """A file's SHA-256 in hexadecimal, and its size."""

    sha256: str
    bytes: int


class TrainingFacts(TypedDict, total=False):
    """How a model file was trained, as far as it is known.

    sha256: that of the file.
    start: how the model was trained that this one went on from.
    """

    sha256: str
    recipe: Recipe
    epochs: list[Epoch]
    training_seconds: int
    start: "TrainingFacts"


class TrainingData(TypedDict):
    """The data of a training by the site.

    counts: the number of images, by name of the set.
    sha256: that of the corrections.
    """

    counts: dict[str, int]
    sha256: str


class StudentFacts(TypedDict):
    """A model's student.

    alone: the share of MNIST's test images that do not go on to the model.
    recipe, training_seconds: of a student that was made after its model.
    """

    parameters: int
    alone: float
    recipe: NotRequired[Recipe]
    training_seconds: NotRequired[int]


class Measurement(BackendVersion):
    """What is measured of a trained model.

    evaluation: the figures for each set of images.
    student: of a model that has one.
    """

    architecture: str
    parameters: int
    keras: str
    backend: str
    evaluation: dict[str, Figures]
    student: NotRequired[StudentFacts]


class Metrics(Measurement):
    """What metrics.json holds.

    data: the data of a version that was trained by the site.
    report: the judging of a version; of the model that ships, beside no other.
    """

    sha256: NotRequired[str]
    bytes: NotRequired[int]
    recipe: NotRequired[Recipe]
    epochs: NotRequired[list[Epoch]]
    training_seconds: NotRequired[int]
    start: NotRequired[TrainingFacts]
    data: NotRequired[TrainingData]
    report: NotRequired[Report]


class VerifierTraining(BackendVersion):
    """How a verifier was trained."""

    parameters: int
    keras: str
    backend: str
    recipe: Recipe
    epochs: list[Epoch]
    training_seconds: int


class VerifierFacts(FileFacts, VerifierTraining):
    """What verifier.json holds."""
