"""Upload, its digits, and the predictions of model versions."""

import uuid
from datetime import timedelta
from pathlib import PurePath
from typing import TYPE_CHECKING, ClassVar, Self

from django.conf import settings
from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q
from django.urls import reverse
from django.utils import timezone

from digits.models.corrections import LABELS, NOT_A_DIGIT
from digits.models.owned import OwnedQuerySet
from digits.models.usage import Charged
from digits.queue.leases import Leased
from worker.reading.cautions import TURNED_MAYBE, in_words
from worker.reading.text import LONGEST_BETWEEN

if TYPE_CHECKING:
    from digits.accounts.owners import Owner


class Status(models.TextChoices):
    QUEUED = "queued", "queued"
    RUNNING = "running", "running"
    DONE = "done", "done"
    FAILED = "failed", "failed"


PREVIEW_SIDE = 640  # pixels: a larger picture has a preview, which pages show
UNFINISHED = (Status.QUEUED, Status.RUNNING)
FEW = 1000  # uploads


class Source(models.TextChoices):
    FILE = "file", "file"
    API = "api", "API"
    DRAWING = "drawing", "drawing"


class Verdict(models.TextChoices):
    """The verdict of people on a reading; empty if there is none."""

    CONFIRMED = "confirmed", "confirmed"
    CORRECTED = "corrected", "corrected"


LONGEST_READING = 2500  # characters: twice as many as there are digits in the fullest picture
# What the history is filtered by. It stands in the indexes behind the id, so that a page's rows
# are found and counted without a look at the table.
FILTERED = ("status", "source", "confidence", "version", "verdict", "created_at")


def dated_path(folder: str, suffix: str = "") -> str:
    """Return a random name for a stored file, in a folder of the day."""
    return f"{folder}/{timezone.now():%Y/%m/%d}/{uuid.uuid4().hex}{suffix}"


def upload_path(upload: "Upload", filename: str) -> str:
    """Return a name for a stored upload, which keeps a plain suffix of the sender's name."""
    suffix = PurePath(filename).suffix.lower()
    return dated_path("uploads", suffix if suffix[1:].isalnum() and len(suffix) <= 6 else "")


def preview_path(upload: "Upload | None", filename: str) -> str:
    return dated_path("previews", PurePath(filename).suffix)


def cautions_field(help_text: str) -> "models.CharField[str, str]":
    """Return a field for the codes of what a reading leaves out.

    Its default is the database's, too: processes of the release before go on to add rows.
    """
    return models.CharField(
        "warnings", max_length=100, blank=True, default="", db_default="", help_text=help_text
    )


def _written_field(help_text: str) -> "models.CharField[str, str]":
    """Return a field for marks and a space beside a digit. Its default is the database's, too."""
    return models.CharField(
        max_length=LONGEST_BETWEEN, blank=True, default="", db_default="", help_text=help_text
    )


class UploadQuerySet(OwnedQuerySet["Upload"]):
    def unfinished(self) -> Self:
        return self.filter(status__in=UNFINISHED).exclude(status=Status.DONE)

    def in_state(self, status: str) -> Self:
        """Return the uploads with a status; unless that is "done", a small index has them all."""
        found = self.filter(status=status)
        return found if status == Status.DONE else found.exclude(status=Status.DONE)

    def are_few(self) -> bool:
        """Return whether there are so few that what they have is best looked up from them.

        For many, their digits are best looked for among all: each that is found is likely theirs.
        The other way round, either would be slow.
        """
        return self.order_by()[: FEW + 1].count() <= FEW

    def delete_with_files(self) -> int:
        """Delete these uploads with their files; return how many.

        The rows are locked, so that a preview that a worker saves meanwhile is deleted, too.
        """
        with transaction.atomic():
            held = list(self.select_for_update(of=("self",)))
            for upload in held:
                upload.delete()
        return len(held)


class Upload(Charged, Leased):
    """One image that was sent. Its row is the queue: see digits.uploads.queue."""

    when_claimed: ClassVar = {"status": Status.RUNNING}
    when_free: ClassVar = {"status": Status.QUEUED}

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, db_index=False
    )
    visitor = models.CharField("browser session", max_length=32, blank=True)
    source = models.CharField(max_length=10, choices=Source.choices, default=Source.FILE)
    file = models.FileField(upload_to=upload_path, max_length=200)
    name = models.CharField("file name", max_length=200, blank=True)
    preview = models.FileField(upload_to=preview_path, max_length=200, blank=True)
    width = models.PositiveIntegerField(null=True, blank=True)
    height = models.PositiveIntegerField(null=True, blank=True)

    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    reading = models.CharField(max_length=LONGEST_READING, blank=True)
    confidence = models.FloatField(null=True, blank=True)
    version = models.ForeignKey(
        "ModelVersion",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="uploads",
        db_index=False,
        help_text="whose reading it is",
    )
    verdict = models.CharField(
        max_length=10, choices=Verdict.choices, blank=True, help_text="of people on its reading"
    )
    cautions = cautions_field(
        "of its reading: codes of worker.reading.cautions, with spaces between them"
    )
    corrected = models.CharField(
        max_length=LONGEST_READING,
        blank=True,
        help_text="the reading as people corrected it, if they did",
    )
    error = models.CharField(max_length=500, blank=True)
    error_detail = models.TextField(blank=True)

    # Uploads of the same turn are read in the order in which they came; each of a sender that waits
    # has a later turn than the one before, so that nobody's many hold up another's one.
    # What is new since a release has a default of the database's, too: see CONTRIBUTING.md.
    sender = models.CharField(
        max_length=32, blank=True, default="", db_default="", help_text="while it waits"
    )
    turn = models.PositiveBigIntegerField(default=0, db_default=0)
    degrees = models.PositiveSmallIntegerField(
        "turned by",
        null=True,
        blank=True,
        help_text="degrees, clockwise, that a person had it turned by; empty: as it is read best",
    )
    is_large = models.BooleanField(
        default=False,
        db_default=False,
        help_text="it has so many pixels that it is read alone, after small ones",
    )

    trace = models.CharField(  # NULL: so that it is added in a moment, however many rows there are  # noqa: DJ001
        max_length=55,
        null=True,
        editable=False,
        help_text="the context of the trace of its request: see digits.tracing",
    )

    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = UploadQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            # The history of an account, of a browser session, of everybody.
            models.Index(
                fields=["user", "-id", *FILTERED],
                condition=Q(user__isnull=False),
                name="upload_of_user",
            ),
            models.Index(
                fields=["visitor", "-id", *FILTERED],
                condition=~Q(visitor=""),
                name="upload_of_visitor",
            ),
            models.Index(fields=["-id", *FILTERED], name="upload_of_anybody"),
            # The same by state: what is done is nearly all.
            models.Index(
                fields=["user", "status", "-id"],
                condition=~Q(status=Status.DONE) & Q(user__isnull=False),
                name="upload_not_done_of_user",
            ),
            models.Index(
                fields=["visitor", "status", "-id"],
                condition=~Q(status=Status.DONE) & ~Q(visitor=""),
                name="upload_not_done_of_visitor",
            ),
            models.Index(
                fields=["status", "-id"], condition=~Q(status=Status.DONE), name="upload_not_done"
            ),
            # And what people have looked at, which is little.
            models.Index(
                fields=["user", "verdict", "-id"],
                condition=~Q(verdict="") & Q(user__isnull=False),
                name="upload_verdict_of_user",
            ),
            models.Index(
                fields=["visitor", "verdict", "-id"],
                condition=~Q(verdict="") & ~Q(visitor=""),
                name="upload_verdict_of_visitor",
            ),
            models.Index(
                fields=["verdict", "-id"], condition=~Q(verdict=""), name="upload_verdict"
            ),
            # Searching the history by reading, of an account, of a browser session, of everybody.
            models.Index(
                fields=["reading", "user", "-id"],
                condition=~Q(reading="") & Q(user__isnull=False),
                name="upload_reading_of_user",
            ),
            models.Index(
                fields=["reading", "visitor", "-id"],
                condition=~Q(reading="") & ~Q(visitor=""),
                name="upload_reading_of_visitor",
            ),
            models.Index(
                fields=["reading", "-id"],
                condition=~Q(reading=""),
                name="upload_reading",
            ),
            models.Index(
                fields=["corrected", "user", "-id"],
                condition=~Q(corrected="") & Q(user__isnull=False),
                name="upload_corrected_of_user",
            ),
            models.Index(
                fields=["corrected", "visitor", "-id"],
                condition=~Q(corrected="") & ~Q(visitor=""),
                name="upload_corrected_of_visitor",
            ),
            models.Index(
                fields=["corrected", "-id"],
                condition=~Q(corrected=""),
                name="upload_corrected",
            ),
            # The dashboard: what was sent in which hour.
            models.Index(fields=["created_at"], name="upload_by_time"),
            # What to claim next: the small ones, of them those tried before, then by turn; and the
            # last turn of a sender.
            models.Index(
                fields=["is_large", "-attempts", "turn", "id"],
                condition=Q(status=Status.QUEUED),
                name="upload_to_claim",
            ),
            models.Index(
                fields=["sender", "turn"],
                condition=Q(status=Status.QUEUED),
                name="upload_of_sender",
            ),
            # A claim's rows; among these few are those whose lease ran out.
            models.Index(fields=["lease"], condition=Q(lease__isnull=False), name="upload_lease"),
            # When a reading was last finished, for the health page.
            models.Index(
                fields=["-finished_at"],
                condition=Q(finished_at__isnull=False),
                name="upload_finished",
            ),
        ]

    def __str__(self) -> str:
        return f"upload {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("upload", args=[self.pk])

    @property
    def is_finished(self) -> bool:
        return self.status not in UNFINISHED

    @property
    def warnings(self) -> list[str]:
        """What its reading left out or may have misread, in sentences."""
        return in_words(self.cautions)

    @property
    def may_be_turned(self) -> bool:
        """Whether its reading says that it may lie on its head or on its side."""
        return TURNED_MAYBE in self.cautions.split()

    @property
    def has_picture(self) -> bool:
        """Whether pages can show it: it was decoded."""
        return bool(self.preview) or self.width is not None

    @property
    def waited(self) -> timedelta | None:
        """How long the upload was queued before its last attempt; None before that."""
        return self.started_at - self.created_at if self.started_at else None

    @property
    def ran(self) -> timedelta | None:
        """How long the reading took; None before it ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return self.finished_at - self.started_at


def sent_by(owner: "Owner", path: str) -> Exists:
    """Return the condition that the upload to which this path of fields leads is an owner's."""
    return Exists(Upload.objects.sent_by(owner).filter(pk=OuterRef(path)))


class DigitQuerySet(models.QuerySet["Digit"]):
    def visible_to(self, owner: "Owner") -> Self:
        """Return the digits of the uploads that an owner may see."""
        return self if owner.sees_all(Upload) else self.filter(sent_by(owner, "upload"))

    def listed_for(self, owner: "Owner") -> Self:
        """Return the same digits for a list of them."""
        sent = Upload.objects.sent_by(owner)
        is_short = not owner.sees_all(Upload) and sent.are_few()
        return self.filter(upload__in=sent) if is_short else self.visible_to(owner)

    def with_predictions(self) -> Self:
        """Load the predictions too, with one more query; the oldest first."""
        predictions = Prediction.objects.select_related("version").order_by("id")
        return self.prefetch_related(models.Prefetch("predictions", predictions))


class Digit(models.Model):
    """One digit found in an upload."""

    upload = models.ForeignKey(Upload, models.CASCADE, related_name="digits")
    position = models.PositiveSmallIntegerField(help_text="in reading order, from 0")
    line = models.PositiveSmallIntegerField(
        default=0, help_text="of the reading that it is in, from 0"
    )
    x = models.PositiveIntegerField()
    y = models.PositiveIntegerField()
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    before = _written_field("what is written between the digit before it in its line and itself")
    after = _written_field("what is written after it, if it is the last of its line")
    pixels = models.BinaryField(help_text="28x28 bytes, as the model sees them")
    label = models.PositiveSmallIntegerField(
        "true label",
        null=True,
        blank=True,
        choices=LABELS,
        help_text="what the newest correction says that is not withdrawn",
    )
    labelled_at = models.DateTimeField(
        null=True, blank=True, help_text="when it was last corrected, or its correction withdrawn"
    )

    objects = DigitQuerySet.as_manager()

    class Meta:
        ordering = ["upload", "position"]
        constraints = [
            models.UniqueConstraint(fields=["upload", "position"], name="one_digit_a_position"),
            models.CheckConstraint(
                condition=Q(label__isnull=True) | Q(label__lte=NOT_A_DIGIT), name="label_is_a_class"
            ),
        ]

    def __str__(self) -> str:
        return f"digit {self.position + 1} of upload {self.upload_id}"

    @property
    def read_as(self) -> "Prediction | None":
        """The first prediction, of which the upload's reading was made; None if there is none."""
        return min(self.predictions.all(), key=lambda prediction: prediction.pk, default=None)

    @property
    def versions_differ(self) -> bool:
        """Whether the predictions of versions differ."""
        return len({prediction.value for prediction in self.predictions.all()}) > 1

    @property
    def verdict(self) -> str:
        """The verdict of people on the reading, in words; empty without a label."""
        if self.label is None:
            return ""
        if self.read_as is None:
            return f"labelled {self.get_label_display()}"
        if self.read_as.label == self.label:
            return "confirmed"
        return f"corrected to {self.get_label_display()} (was {self.read_as.text})"


class Prediction(models.Model):
    """The prediction of one model version for one digit. It is never edited.

    What its probabilities of 0 to 9 lack to 1 is the probability of "not a digit".
    """

    digit = models.ForeignKey(Digit, models.CASCADE, related_name="predictions", db_index=False)
    version = models.ForeignKey("ModelVersion", models.PROTECT, related_name="predictions")
    value = models.PositiveSmallIntegerField(null=True, help_text='empty means "not a digit"')
    confidence = models.FloatField()
    probabilities = models.JSONField(help_text="of 0 to 9")
    created_at = models.DateTimeField(default=timezone.now)
    to_review = models.BooleanField(
        default=True, help_text="no once its digit is labelled, which keeps the index short"
    )

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["digit", "version"], name="one_prediction_a_version")
        ]
        indexes = [
            # What to review next: the least sure first.
            models.Index(
                fields=["confidence", "id"],
                condition=Q(to_review=True),
                name="prediction_to_review",
            )
        ]

    def __str__(self) -> str:
        return f"{self.text} ({self.confidence:.1%})"

    @property
    def label(self) -> int:
        """The predicted label: 0 to 9, or NOT_A_DIGIT."""
        return NOT_A_DIGIT if self.value is None else self.value

    @property
    def text(self) -> str:
        """The predicted label in words."""
        return "not a digit" if self.value is None else str(self.value)

    @property
    def not_a_digit(self) -> float:
        """The predicted probability of "not a digit"."""
        total: float = sum(self.probabilities)
        return max(0.0, 1 - total)
