"""Model versions and their activation."""

import json
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from digits.accounts.owners import SignedInRequest
from digits.accounts.permissions import ACTIVATE, has
from digits.admin.base import ReadOnlyAdmin, link
from digits.formats import exactly
from digits.learning.runs import new_corrections
from digits.models import (
    Activation,
    ModelVersion,
)
from digits.versions import activations


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnlyAdmin):
    """Versions are activated here with one click; a worker tries each one first."""

    list_display = [
        *("number", "is_active", "activation", "on_the_site", "accuracy", "architecture"),
        *("note", "warning", "created_at"),
    ]
    list_filter = ["is_active", "architecture"]
    search_fields = ["=number", "note", "sha256"]
    fields = [
        *(
            "number",
            "is_active",
            "activation",
            "warning",
            "on_the_site",
            "architecture",
            "accuracy",
        ),
        *("sha256", "stored_as", "parent", "note", "measured", "created_at"),
    ]
    readonly_fields = ["activation", "on_the_site", "accuracy", "measured", "stored_as"]

    def get_urls(self) -> list[URLPattern]:
        activate = self.admin_site.admin_view(self.activate)
        name = "digits_modelversion_activate"
        return [path("<int:pk>/activate/", activate, name=name), *super().get_urls()]

    @method_decorator(require_POST)
    def activate(self, request: SignedInRequest, pk: int) -> HttpResponse:
        """Request the activation of a version; a rollback is the same for the version before."""
        request.owner.must(ACTIVATE)
        version = get_object_or_404(ModelVersion, pk=pk)
        activations.request(version, request.user)
        messages.info(
            request,
            format_html(
                'The activation of version {} was requested. <a href="{}">See the outcome</a>',
                version.number,
                reverse("admin:digits_activation_changelist"),
            ),
        )
        return redirect("admin:digits_modelversion_changelist")

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return self._allowed(request, self.list_display)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return self._allowed(request, self.fields)

    def _allowed(self, request: HttpRequest, names: list[Any]) -> list[Any]:
        """Return the names of columns without that of the button, for whom it would refuse."""
        may = has(request.user, ACTIVATE)
        return [name for name in names if may or name != "activation"]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        shown = {
            "rollback_target": activations.rollback_target(),
            "new_corrections": new_corrections(),
        }
        return super().changelist_view(request, shown | (extra_context or {}))

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        shown = {"rollback_target": activations.rollback_target()}
        return super().changeform_view(request, object_id, form_url, shown | (extra_context or {}))

    @admin.display(description="activate")
    def activation(self, version: ModelVersion) -> str:
        """Return a button of the form around the list or around the fields of the page."""
        if version.is_active:
            return "is active"
        url = reverse("admin:digits_modelversion_activate", args=[version.pk])
        return format_html(
            '<button class="button" formaction="{}" formmethod="post" formnovalidate>Activate'
            "</button>",
            url,
        )

    @admin.display(description="on the site")
    def on_the_site(self, version: ModelVersion) -> SafeString:
        return format_html('<a href="{}">report</a>', version.get_absolute_url())

    @admin.display(description="right on MNIST's test set")
    def accuracy(self, version: ModelVersion) -> str:
        return exactly(version.mnist_accuracy) or "-"

    @admin.display(description="stored as")
    def stored_as(self, version: ModelVersion) -> str:
        return version.file.name or ""

    @admin.display(description="metrics")
    def measured(self, version: ModelVersion) -> SafeString:
        """Return all metrics but the report, which the site shows as tables and pictures."""
        shown = {name: value for name, value in version.metrics.items() if name != "report"}
        return format_html("<pre>{}</pre>", json.dumps(shown, indent=2))


@admin.register(Activation)
class ActivationAdmin(ReadOnlyAdmin):
    list_display = [
        "id",
        "version_link",
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

    @admin.display(description="version", ordering="version")
    def version_link(self, activation: Activation) -> SafeString:
        return link(activation.version)
