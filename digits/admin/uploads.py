"""Uploads, their digits, predictions and corrections."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from digits.accounts.owners import SignedInRequest
from digits.accounts.permissions import CORRECT, DELETE_UPLOADS, READ_AGAIN, has
from digits.admin.base import (
    Cascades,
    Inline,
    LinksToDigit,
    LinksToUpload,
    OnTheSite,
    ReadOnlyAdmin,
    ShowsPixels,
    ShowsVersions,
    SureAdmin,
    YesOrNo,
    link,
    thumbnail,
)
from digits.learning import used
from digits.learning.corrections import correct
from digits.learning.withdrawal import withdraw
from digits.models import (
    Correction,
    Digit,
    ModelVersion,
    Prediction,
    Rereading,
    Upload,
)
from digits.models.corrections import LABELS, NOT_A_DIGIT
from digits.models.uploads import DigitQuerySet, Status, UploadQuerySet
from digits.uploads import rereading

FIXED_OF_DIGITS = (
    *("labelled_at", "pixels_seen", "readings", "upload_link"),
    *("position", "x", "y", "width", "height"),
)


class State(admin.SimpleListFilter):
    """A filter by status, which finds what is not done in its small index."""

    title = "status"
    parameter_name = "status"

    def lookups(
        self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]"
    ) -> list[tuple[str, str]]:
        return [(str(value), str(name)) for value, name in Status.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        uploads = cast(UploadQuerySet, queryset)  # as the manager makes them
        return uploads.in_state(value) if value in Status.values else uploads


class Value(admin.SimpleListFilter):
    """A filter by what was read, which need not look at all predictions for what there is."""

    title = "value"
    parameter_name = "value"

    def lookups(
        self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]"
    ) -> list[tuple[str, str]]:
        return [(str(label), name) for label, name in LABELS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value not in {str(label) for label, _ in LABELS}:
            return queryset
        return queryset.filter(value=None if value == str(NOT_A_DIGIT) else value)


class Corrected(YesOrNo):
    """A filter by whether rows are labelled."""

    title = "true label"
    parameter_name = "corrected"
    answers = (("yes", "corrected or confirmed"), ("no", "not corrected"))


class CorrectedDigit(Corrected):
    condition = Q(label__isnull=False)


class CorrectedUpload(Corrected):
    condition = ~Q(verdict="")


class DigitInline(ShowsPixels, ShowsVersions, Inline):
    model = Digit
    fields = ["position", "pixels_seen", "readings", "label", "x", "y", "width", "height"]
    readonly_fields = ["pixels_seen", "readings"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Digit]:
        rows = cast(DigitQuerySet, super().get_queryset(request))  # as the manager makes them
        return rows.with_predictions()


class CorrectionInline(Inline):
    model = Correction
    fields = ["label", "user", "visitor", "created_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Correction]:
        return super().get_queryset(request).select_related("user")


class RereadingInline(Inline):
    model = Rereading
    fields = ["version", "state", "requested_by", "created_at", "finished_at"]
    readonly_fields = ["state"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rereading]:
        return super().get_queryset(request).select_related("version", "requested_by")


class PredictionInline(Inline):
    model = Prediction
    fields = ["version", "value", "confidence", "created_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Prediction]:
        return super().get_queryset(request).select_related("version")


class VersionActionForm(ActionForm):
    """An action and the model version for it."""

    version = forms.ModelChoiceField(
        ModelVersion.objects.defer("metrics"),
        required=False,
        empty_label=None,
        initial=ModelVersion.active,
    )


@admin.register(Upload)
class UploadAdmin(Cascades, OnTheSite, SureAdmin):
    list_display = [
        "id",
        "image",
        "reading",
        "sure",
        "corrected",
        "status",
        "source",
        "user",
        "created_at",
    ]
    actions = ["read_again"]
    action_form = VersionActionForm
    list_filter = [State, "source", CorrectedUpload, "created_at"]
    list_select_related = ["user"]
    list_per_page = 50
    search_fields = ["=id", "=reading", "=corrected", "name__icontains", "user__username"]
    search_help_text = (
        "a number, a whole reading (as read or corrected), a part of a file name or a user name"
    )
    inlines = [DigitInline, RereadingInline]
    fields = [
        *("on_the_site", "image", "name", "reading", "sure", "version", "verdict", "corrected"),
        *("corrections", "status"),
        *("error", "error_detail", "user", "visitor", "source", "stored_as", "width", "height"),
        *("created_at", "started_at", "finished_at", "waited", "ran"),
        *("attempts", "lease", "lease_expires_at"),
    ]
    readonly_fields = ["image", "sure", "corrections", "on_the_site", "stored_as", "waited", "ran"]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return has(request.user, DELETE_UPLOADS)

    def has_read_again_permission(self, request: HttpRequest) -> bool:
        return has(request.user, READ_AGAIN)

    @admin.action(description="Read again with the version:", permissions=["read_again"])
    def read_again(self, request: SignedInRequest, uploads: UploadQuerySet) -> None:
        chosen = request.POST.get("version")
        version = ModelVersion.objects.filter(pk=chosen).first() if chosen else None
        if version is None:
            self.message_user(request, "Choose a version to read with.", messages.ERROR)
            return
        asked = rereading.ask(uploads, version, request.user)
        self.message_user(request, f"{asked} finished uploads will be read again by {version}.")

    @admin.display(description="image")
    def image(self, upload: Upload) -> str:
        if not upload.has_picture:
            return "-"
        return thumbnail(reverse("preview", args=[upload.pk]), f"{upload}")

    @admin.display(description="corrections")
    def corrections(self, upload: Upload) -> str:
        rows = Correction.objects.filter(digit__upload=upload).select_related("digit", "user")
        lines = [(link(one), one.digit.position + 1, one.user or "a visitor") for one in rows]
        return format_html_join("", "<div>{}: digit {}, by {}</div>", lines) or "-"

    @admin.display(description="stored as")
    def stored_as(self, upload: Upload) -> str:
        return upload.file.name or ""


@admin.register(Digit)
class DigitAdmin(ShowsPixels, ShowsVersions, LinksToUpload, ReadOnlyAdmin):
    list_display = ["id", "pixels_seen", "readings", "label", "position", "upload_link"]
    list_filter = [CorrectedDigit, "label"]
    ordering = ["-id"]  # that of uploads would sort all digits
    list_per_page = 50
    search_fields = ["=upload__id"]
    search_help_text = "the number of an upload"
    fields = ["label", *FIXED_OF_DIGITS]
    readonly_fields = [*FIXED_OF_DIGITS]
    inlines = [PredictionInline, CorrectionInline]

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return has(request.user, CORRECT)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Digit]:
        rows = cast(DigitQuerySet, super().get_queryset(request))  # as the manager makes them
        return rows.select_related("upload").with_predictions()

    def save_model(
        self, request: HttpRequest, obj: Digit, form: "forms.ModelForm[Digit]", change: bool
    ) -> None:
        if "label" in form.changed_data and request.user.is_authenticated:
            correct(obj, obj.label, user=request.user)


@admin.register(Rereading)
class RereadingAdmin(LinksToUpload, ReadOnlyAdmin):
    list_display = ["id", "upload_link", "version", "state", "requested_by", "created_at"]
    list_filter = ["version", "created_at"]
    list_select_related = ["upload", "version", "requested_by"]
    list_per_page = 50
    search_fields = ["=upload__id"]
    search_help_text = "the number of an upload"
    fields = [
        *("upload_link", "version", "state", "requested_by", "created_at", "finished_at"),
        *("attempts", "lease", "lease_expires_at"),
    ]
    readonly_fields = ["upload_link", "state"]


@admin.register(Correction)
class CorrectionAdmin(ShowsPixels, LinksToDigit, ReadOnlyAdmin):
    list_display = [
        *("id", "pixels_seen", "label", "user", "trust", "is_current", "digit_link"),
        *("created_at", "withdrawn_at"),
    ]
    list_filter = ["label", "trust", "is_current", "created_at"]
    list_select_related = ["digit", "user"]
    list_per_page = 50
    search_fields = ["=digit__upload__id", "user__username", "=visitor"]
    search_help_text = "the number of an upload, a user name or a browser session"
    fields = [
        *("digit_link", "pixels_seen", "label", "user", "visitor", "trust", "is_current"),
        *("created_at", "withdrawn_at", "learned_by"),
    ]
    readonly_fields = ["digit_link", "pixels_seen", "learned_by"]
    actions = ["withdraw_all"]

    def has_withdraw_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("digits.change_digit")

    @admin.action(
        description="Withdraw all that the people who made these have said",
        permissions=["withdraw"],
    )
    def withdraw_all(self, request: HttpRequest, corrections: QuerySet[Correction]) -> None:
        people = {(one.user, one.visitor) for one in corrections.select_related("user")}
        for user, visitor in people:
            who = user or (f"browser session {visitor}" if visitor else "a deleted account")
            if user or visitor:
                told = f"Corrections of {who}: {withdraw(user, visitor)}."
                self.message_user(request, told)
            else:
                told = f"It is not known who made corrections of {who}: none is withdrawn."
                self.message_user(request, told, messages.WARNING)

    @admin.display(description="used by")
    def learned_by(self, correction: Correction) -> SafeString | str:
        versions = [(link(version),) for version in used.versions_that_used(correction)]
        return format_html_join(", ", "{}", versions) or "-"


@admin.register(Prediction)
class PredictionAdmin(ShowsPixels, LinksToDigit, SureAdmin):
    list_display = [
        "id",
        "pixels_seen",
        "value",
        "sure",
        "version",
        "digit_link",
        "created_at",
    ]
    list_filter = [Value, "version", "created_at"]
    list_select_related = ["version", "digit"]
    list_per_page = 50
    search_fields = ["=digit__upload__id"]
    search_help_text = "the number of an upload"
    fields = ["digit_link", "pixels_seen", "version", "value", "sure", "ten", "created_at"]
    readonly_fields = ["digit_link", "pixels_seen", "sure", "ten"]

    @admin.display(description="probabilities")
    def ten(self, prediction: Prediction) -> SafeString:
        lines = [f"{value}: {share:.2%}" for value, share in enumerate(prediction.probabilities)]
        lines.append(f"not a digit: {prediction.not_a_digit:.2%}")
        return format_html("<pre>{}</pre>", "\n".join(lines))
