"""Forms: they check uploads before they are stored, and the settings of a training."""

import contextlib
import threading
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from django import forms
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat

from digits.accounts.owners import Owner
from digits.accounts.permissions import ACTIVATE
from digits.learning import runs
from digits.models import ModelVersion, TrainingRun, Upload
from digits.models.api import Scope
from digits.models.uploads import Source
from digits.uploads.submission import submit
from worker.images.decoding import Header, read_header
from worker.images.errors import ImageError
from worker.training.recipes import ARCHITECTURES, FINE_TUNING, Recipe


class UploadForm(forms.Form):
    """One image, checked by size and header; only workers decode its pixels."""

    file = forms.FileField(
        label="Image",
        error_messages={
            "required": "Choose an image first.",
            "missing": "Choose an image first.",
            "empty": "The file is empty.",
            "invalid": "The form was sent without a file.",
        },
    )

    def clean_file(self) -> "UploadedFile[bytes]":
        return check_image(self.cleaned_data["file"])

    def save(self, owner: Owner, source: str = Source.FILE, degrees: int | None = None) -> Upload:
        """Store the upload, and wake the workers.

        degrees: as digits.uploads.submission.submit takes it.
        """
        return submit(self.cleaned_data["file"], owner, source, degrees)


# Large files that are looked at at once: each is in memory meanwhile.
MUCH = 1024 * 1024
_looks = threading.BoundedSemaphore(4)


def check_image(file: "UploadedFile[bytes]") -> "UploadedFile[bytes]":
    """Return an image file again if it may be stored, by its size and header.

    Raises:
        ValidationError: it may not.
    """
    if file.size and file.size > settings.MAX_UPLOAD_BYTES:
        raise forms.ValidationError(
            f"The file is too large: {filesizeformat(file.size)}; the limit is"
            f" {filesizeformat(settings.MAX_UPLOAD_BYTES)}."
        )
    found = _header_or_reason(file)
    if isinstance(found, str):
        raise forms.ValidationError(found)
    file.header = found  # type: ignore[attr-defined]  # kept with the file, as Django keeps an image
    file.seek(0)
    return file


def _header_or_reason(file: "UploadedFile[bytes]") -> Header | str:
    """Return the header of an image file, or why it has none.

    The error itself ends here: a form that kept it would keep the file's content with its frames.
    """
    try:
        with _looks if (file.size or 0) > MUCH else contextlib.nullcontext():
            return read_header(file.read(), settings.MAX_PIXELS)
    except ImageError as error:
        return str(error)


class TokenForm(forms.Form):
    """The name of a new token, what it allows, and for how long."""

    name = forms.CharField(
        label="What is it for?",
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "my notebook"}),
        error_messages={"required": "Enter what it is for, so that you recognise it later."},
    )
    scopes = forms.MultipleChoiceField(
        label="What may it do?",
        choices=Scope.choices,
        initial=[Scope.READ, Scope.WRITE],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one thing that it may do."},
    )
    days = forms.TypedChoiceField(
        label="When does it expire?",
        choices=[("30", "in 30 days"), ("90", "in 90 days"), ("365", "in a year"), ("0", "never")],
        initial="365",
        coerce=int,
    )

    def __init__(self, data: Mapping[str, Any] | None, user: User) -> None:
        super().__init__(data)
        if not user.is_staff:  # nothing to manage
            field = cast(forms.MultipleChoiceField, self.fields["scopes"])
            field.choices = [one for one in Scope.choices if one[0] != Scope.MANAGE]


NumberField = TypeVar("NumberField", bound=forms.Field)


def _default(name: str) -> str:
    """Return the default of a setting, as the placeholder of its field."""
    new = getattr(Recipe(), name)
    tuned = FINE_TUNING.get(name, new)
    return f"{tuned:g}" if tuned == new else f"{tuned:g}, or {new:g} from scratch"


def _number(
    kind: type[NumberField], label: str, name: str, help_text: str = "", **options: Any
) -> NumberField:
    attributes = {"placeholder": _default(name)}
    widget = forms.NumberInput(attrs=attributes)
    return kind(label=label, required=False, widget=widget, help_text=help_text, **options)


NUMBERS = (
    "epochs",
    "images_per_epoch",
    "learning_rate",
    "batch_size",
    "seed",
    "correction_weight",
)


class RetrainForm(forms.Form):
    """The settings of a training; empty fields have the defaults of its kind.

    owner: who asks; the new version is activated only for those who may activate.
    """

    start = forms.ChoiceField(
        label="Start from",
        choices=[
            ("active", "the active version: fine-tune it on the corrections, within minutes"),
            ("scratch", "nothing: train a new network, about an hour on two cores"),
        ],
        widget=forms.RadioSelect,
        initial="active",
    )
    architecture = forms.ChoiceField(
        choices=[(name, name) for name in ARCHITECTURES],
        help_text="Fine-tuning keeps that of the active version.",
    )
    epochs = _number(forms.IntegerField, "Epochs", "epochs")
    images_per_epoch = _number(
        forms.IntegerField,
        "Images an epoch",
        "images_per_epoch",
        "How many of MNIST's images an epoch shows; 0: all of them.",
    )
    learning_rate = _number(forms.FloatField, "Learning rate", "learning_rate")
    batch_size = _number(forms.IntegerField, "Batch size", "batch_size")
    seed = _number(
        forms.IntegerField,
        "Seed",
        "seed",
        "The same seed gives the same training.",
        min_value=0,
        max_value=2**32 - 1,
    )
    correction_weight = _number(
        forms.IntegerField,
        "Weight of corrections",
        "correction_weight",
        "How many times an epoch shows each correction.",
    )
    activate_if_better = forms.BooleanField(
        label="Activate it if it reads better", required=False, initial=True
    )
    forced = forms.BooleanField(
        label="Train although no correction is new", required=False, initial=False
    )

    def __init__(self, data: Mapping[str, Any] | None, owner: Owner) -> None:
        super().__init__(data)
        if not owner.may(ACTIVATE):
            del self.fields["activate_if_better"]

    def clean(self) -> None:
        given = {
            name: self.cleaned_data[name]
            for name in NUMBERS
            if self.cleaned_data.get(name) is not None
        }
        from_scratch = self.cleaned_data.get("start") == "scratch"
        active = ModelVersion.active()
        if not from_scratch and active is None:
            raise forms.ValidationError("No version is active: train from scratch.")
        chosen = self.cleaned_data.get("architecture")
        given["architecture"] = active.architecture if active and not from_scratch else chosen
        try:
            self.recipe = (Recipe if from_scratch else Recipe.fine_tuning)(**given)
        except ValueError as error:
            raise forms.ValidationError(f"{error}".capitalize()) from error
        self.from_scratch = from_scratch

    def save(self, user: User) -> TrainingRun:
        """Request the training run.

        Raises:
            AlreadyRunning: another run is unfinished.
        """
        return runs.ask(
            self.recipe,
            from_scratch=self.from_scratch,
            activate_if_better=self.cleaned_data.get("activate_if_better", False),
            forced=self.cleaned_data["forced"],
            user=user,
        )
