"""Inspection in Django's admin. What models said, and what people sent, is never edited.

The true label of a digit is: it is set as on the site, and who and when is kept.
"""

import json

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Q
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.views.decorators.http import require_POST

from digits import activations, rereading
from digits.corrections import correct
from digits.models import (
    Activation,
    Correction,
    Digit,
    ModelVersion,
    Prediction,
    Rereading,
    Upload,
)
from digits.runs import new_corrections
from digits.templatetags.digits import exactly, percent

admin.site.site_header = "Digits"
admin.site.site_title = "Digits admin"
admin.site.index_title = "Uploads, predictions and models"


class ReadOnlyAdmin(admin.ModelAdmin):
    """Rows are made by the system: they can be looked at, not added or changed."""

    show_full_result_count = False

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


class SureAdmin(ReadOnlyAdmin):
    """Shows `confidence` as people read it."""

    @admin.display(description="confidence", ordering="confidence")
    def sure(self, row):
        return percent(row.confidence)


class Cascades:
    """An upload's digits and predictions go with it and its owner, although none goes alone."""

    def get_deleted_objects(self, objs, request):
        tree, counts, _, protected = super().get_deleted_objects(objs, request)
        return tree, counts, set(), protected


def _thumbnail(url: str, text: str):
    return format_html('<img src="{}" alt="{}" width="56" height="56" loading="lazy">', url, text)


def _pixels(digit: Digit):
    return _thumbnail(reverse("digit-pixels", args=[digit.pk]), f"pixels of {digit}")


def _link(row):
    meta = row._meta
    url = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])
    return format_html('<a href="{}">{}</a>', url, row)


def _versions_said(digit: Digit):
    lines = [(one.version, one) for one in digit.predictions.all()]
    said = format_html_join("", "<div>{}: {}</div>", lines)
    return format_html("{}<strong>They differ.</strong>", said) if digit.versions_differ else said


class Corrected(admin.SimpleListFilter):
    """Did somebody say what it truly is?"""

    title = "true label"
    parameter_name = "corrected"

    def lookups(self, request, model_admin):
        return [("yes", "corrected or confirmed"), ("no", "not corrected")]

    def queryset(self, request, rows):
        if self.value() not in ("yes", "no"):
            return rows
        return rows.filter(self.has_label() if self.value() == "yes" else ~self.has_label())


class CorrectedDigit(Corrected):
    def has_label(self):
        return Q(label__isnull=False)


class CorrectedUpload(Corrected):
    def has_label(self):
        return Exists(Digit.objects.filter(upload=OuterRef("pk"), label__isnull=False))


class Inline(admin.TabularInline):
    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False


class DigitInline(Inline):
    model = Digit
    fields = ["position", "pixels_seen", "versions_said", "label", "x", "y", "width", "height"]
    readonly_fields = ["pixels_seen", "versions_said"]

    def get_queryset(self, request):
        return super().get_queryset(request).with_predictions()

    @admin.display(description="as the model sees it")
    def pixels_seen(self, digit):
        return _pixels(digit)

    @admin.display(description="what versions said")
    def versions_said(self, digit):
        return _versions_said(digit)


class CorrectionInline(Inline):
    model = Correction
    fields = ["label", "user", "visitor", "created_at"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("user")


class RereadingInline(Inline):
    model = Rereading
    fields = ["version", "state", "requested_by", "created_at", "finished_at"]
    readonly_fields = ["state"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("version", "requested_by")


class PredictionInline(Inline):
    model = Prediction
    fields = ["version", "value", "confidence", "created_at"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("version")


admin.site.unregister(User)


@admin.register(User)
class AccountAdmin(Cascades, UserAdmin):
    """Django's own, but accounts can be deleted with what they sent."""


class VersionActionForm(ActionForm):
    """An action, and the model version that it is done with."""

    version = forms.ModelChoiceField(
        ModelVersion.objects.defer("metrics"),
        required=False,
        empty_label=None,
        initial=ModelVersion.active,
    )


@admin.register(Upload)
class UploadAdmin(Cascades, SureAdmin):
    list_display = [
        "id",
        "image",
        "reading",
        "sure",
        "status",
        "source",
        "user",
        "created_at",
    ]
    actions = ["read_again"]
    action_form = VersionActionForm
    list_filter = ["status", "source", CorrectedUpload, "created_at"]
    list_select_related = ["user"]
    list_per_page = 50
    search_fields = ["=id", "=reading", "name__icontains", "user__username"]
    search_help_text = "a number, a whole reading, a part of a file name or a user name"
    inlines = [DigitInline, RereadingInline]
    fields = [
        *("on_the_site", "image", "name", "reading", "sure", "corrections", "status"),
        *("error", "error_detail", "user", "visitor", "source", "stored_as", "width", "height"),
        *("created_at", "started_at", "finished_at", "waited", "ran"),
        *("attempts", "lease", "lease_expires_at"),
    ]
    readonly_fields = ["image", "sure", "corrections", "on_the_site", "stored_as", "waited", "ran"]

    def has_delete_permission(self, request, obj=None):
        return request.user.has_perm("digits.delete_upload")

    @admin.action(description="Read again with the version:", permissions=["view"])
    def read_again(self, request, uploads):
        version = ModelVersion.objects.filter(pk=request.POST.get("version") or None).first()
        if version is None:
            self.message_user(request, "Choose a version to read with.", messages.ERROR)
            return
        asked = rereading.ask(uploads, version, request.user)
        self.message_user(request, f"{asked} finished uploads will be read again by {version}.")

    @admin.display(description="image")
    def image(self, upload):
        if not upload.preview:
            return "-"
        return _thumbnail(reverse("preview", args=[upload.pk]), f"{upload}")

    @admin.display(description="corrections")
    def corrections(self, upload):
        said = Correction.objects.filter(digit__upload=upload).select_related("digit", "user")
        lines = [(_link(one), one.digit.position + 1, one.user or "a visitor") for one in said]
        return format_html_join("", "<div>{}: digit {}, by {}</div>", lines) or "-"

    @admin.display(description="stored as")
    def stored_as(self, upload):
        return upload.file.name

    @admin.display(description="on the site")
    def on_the_site(self, upload):
        return format_html('<a href="{}">{}</a>', upload.get_absolute_url(), upload)


@admin.register(Digit)
class DigitAdmin(ReadOnlyAdmin):
    list_display = ["id", "pixels_seen", "versions_said", "label", "position", "upload_link"]
    list_filter = [CorrectedDigit, "label"]
    list_per_page = 50
    search_fields = ["=upload__id"]
    search_help_text = "the number of an upload"
    fields = [
        *("label", "labelled_at", "pixels_seen", "versions_said", "upload_link"),
        *("position", "x", "y", "width", "height"),
    ]
    readonly_fields = [name for name in fields if name != "label"]
    inlines = [PredictionInline, CorrectionInline]

    def has_change_permission(self, request, obj=None):
        return request.user.has_perm("digits.change_digit")

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("upload").with_predictions()

    def save_model(self, request, digit, form, change):
        if "label" in form.changed_data:
            correct(digit, digit.label, user=request.user)

    @admin.display(description="as the model sees it")
    def pixels_seen(self, digit):
        return _pixels(digit)

    @admin.display(description="what versions said")
    def versions_said(self, digit):
        return _versions_said(digit)

    @admin.display(description="upload")
    def upload_link(self, digit):
        return _link(digit.upload)


@admin.register(Rereading)
class RereadingAdmin(ReadOnlyAdmin):
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

    @admin.display(description="upload")
    def upload_link(self, row):
        return _link(row.upload)


@admin.register(Correction)
class CorrectionAdmin(ReadOnlyAdmin):
    list_display = ["id", "pixels_seen", "label", "user", "digit_link", "created_at"]
    list_filter = ["label", "created_at"]
    list_select_related = ["digit", "user"]
    list_per_page = 50
    search_fields = ["=digit__upload__id", "user__username"]
    search_help_text = "the number of an upload or a user name"
    fields = ["digit_link", "pixels_seen", "label", "user", "visitor", "created_at"]
    readonly_fields = ["digit_link", "pixels_seen"]

    @admin.display(description="as the model sees it")
    def pixels_seen(self, correction):
        return _pixels(correction.digit)

    @admin.display(description="digit")
    def digit_link(self, correction):
        return _link(correction.digit)


@admin.register(Prediction)
class PredictionAdmin(SureAdmin):
    list_display = [
        "id",
        "pixels_seen",
        "value",
        "sure",
        "version",
        "digit_link",
        "created_at",
    ]
    list_filter = ["value", "version", "created_at"]
    list_select_related = ["version", "digit"]
    list_per_page = 50
    search_fields = ["=digit__upload__id"]
    search_help_text = "the number of an upload"
    fields = ["digit_link", "pixels_seen", "version", "value", "sure", "ten", "created_at"]
    readonly_fields = ["digit_link", "pixels_seen", "sure", "ten"]

    @admin.display(description="as the model sees it")
    def pixels_seen(self, prediction):
        return _pixels(prediction.digit)

    @admin.display(description="digit")
    def digit_link(self, prediction):
        return _link(prediction.digit)

    @admin.display(description="probabilities")
    def ten(self, prediction):
        lines = [f"{value}: {share:.2%}" for value, share in enumerate(prediction.probabilities)]
        lines.append(f"not a digit: {prediction.not_a_digit:.2%}")
        return format_html("<pre>{}</pre>", "\n".join(lines))


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnlyAdmin):
    """Versions are activated here with one click; a worker tries each one first."""

    list_display = [
        *("number", "is_active", "activation", "on_the_site", "accuracy", "architecture"),
        *("note", "created_at"),
    ]
    list_filter = ["is_active", "architecture"]
    search_fields = ["=number", "note", "sha256"]
    fields = [
        *("number", "is_active", "activation", "on_the_site", "architecture", "accuracy"),
        *("sha256", "stored_as", "parent", "note", "measured", "created_at"),
    ]
    readonly_fields = ["activation", "on_the_site", "accuracy", "measured", "stored_as"]

    def get_urls(self):
        activate = self.admin_site.admin_view(self.activate)
        name = "digits_modelversion_activate"
        return [path("<int:pk>/activate/", activate, name=name), *super().get_urls()]

    @method_decorator(require_POST)
    def activate(self, request, pk: int):
        """Ask for a version to become active; rolling back is this for the version before."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        version = get_object_or_404(ModelVersion, pk=pk)
        activations.request(version, request.user)
        messages.info(
            request,
            format_html(
                'Version {} was asked to become active. <a href="{}">How it went</a>',
                version.number,
                reverse("admin:digits_activation_changelist"),
            ),
        )
        return redirect("admin:digits_modelversion_changelist")

    def changelist_view(self, request, extra_context=None):
        shown = {
            "rollback_target": activations.rollback_target(),
            "new_corrections": new_corrections(),
        }
        return super().changelist_view(request, shown | (extra_context or {}))

    def changeform_view(self, request, object_id=None, form_url="", extra_context=None):
        shown = {"rollback_target": activations.rollback_target()}
        return super().changeform_view(request, object_id, form_url, shown | (extra_context or {}))

    @admin.display(description="activate")
    def activation(self, version):
        """A button of the form that is around the list, and around the fields of the page."""
        if version.is_active:
            return "is active"
        url = reverse("admin:digits_modelversion_activate", args=[version.pk])
        return format_html(
            '<button class="button" formaction="{}" formmethod="post" formnovalidate>Activate'
            "</button>",
            url,
        )

    @admin.display(description="on the site")
    def on_the_site(self, version):
        return format_html('<a href="{}">report</a>', version.get_absolute_url())

    @admin.display(description="right on MNIST's test set")
    def accuracy(self, version):
        return exactly(version.mnist_accuracy) or "-"

    @admin.display(description="stored as")
    def stored_as(self, version):
        return version.file.name

    @admin.display(description="metrics")
    def measured(self, version):
        """All but the report, whose tables and pictures the site shows."""
        shown = {name: value for name, value in version.metrics.items() if name != "report"}
        return format_html("<pre>{}</pre>", json.dumps(shown, indent=2))


@admin.register(Activation)
class ActivationAdmin(ReadOnlyAdmin):
    list_display = [
        "id",
        "version",
        "status",
        "requested_by",
        "created_at",
        "finished_at",
        "reason",
    ]
    list_filter = ["status", "created_at"]
    list_select_related = ["version", "requested_by"]
    list_per_page = 50
    search_fields = ["=version__number"]
    search_help_text = "the number of a version"


from digits import training_admin  # noqa: E402, F401
