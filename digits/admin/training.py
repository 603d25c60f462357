"""Training runs in the admin: they are requested, watched and cancelled."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_http_methods, require_POST

from digits.accounts.owners import SignedInRequest
from digits.accounts.permissions import RETRAIN
from digits.admin.base import OnTheSite, ReadOnlyAdmin, link
from digits.formats import percent
from digits.forms import RetrainForm
from digits.learning.runs import new_corrections
from digits.models import TrainingRun
from digits.views.training import ask, cancel_run, context_of


@admin.register(TrainingRun)
class TrainingRunAdmin(OnTheSite, ReadOnlyAdmin):
    """Runs are requested with "Retrain"; the page of a run updates itself while it runs."""

    list_display = ["id", "status", "done", "made", "asked", "result", "created_at", "finished_at"]
    list_filter = ["status", "origin", "created_at"]
    list_select_related = ["requested_by", "version"]
    list_per_page = 50
    search_fields = ["=id", "outcome", "error"]
    search_help_text = "a number, or a part of the outcome"
    fields = ["on_the_site"]
    readonly_fields = ["on_the_site"]

    def get_urls(self) -> list[URLPattern]:
        wrap, name = self.admin_site.admin_view, "digits_trainingrun_{}"
        return [
            path("retrain/", wrap(self.retrain), name=name.format("retrain")),
            path("<int:pk>/cancel/", wrap(self.cancel), name=name.format("cancel")),
            *super().get_urls(),
        ]

    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    def retrain(self, request: SignedInRequest) -> HttpResponse:
        """Request a training."""
        request.owner.must(RETRAIN)
        form = RetrainForm(request.POST or None, request.owner)
        if request.method == "POST" and form.is_valid():
            return redirect(*_address(ask(request, form)))
        context = {
            **self.admin_site.each_context(request),
            "title": "Retrain",
            "opts": self.model._meta,
            "form": form,
            "new_corrections": new_corrections(),
        }
        return render(request, "admin/digits/trainingrun/retrain.html", context)

    @method_decorator(require_POST)
    def cancel(self, request: SignedInRequest, pk: int) -> HttpResponse:
        """Cancel a run."""
        request.owner.must(RETRAIN)
        run = get_object_or_404(TrainingRun, pk=pk)
        cancel_run(request, run)
        return redirect(*_address(run))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        shown = {"new_corrections": new_corrections()}
        return super().changelist_view(request, shown | (extra_context or {}))

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        run = TrainingRun.objects.filter(pk=object_id).first() if object_id else None
        shown = context_of(run) if run else {}
        return super().changeform_view(request, object_id, form_url, shown | (extra_context or {}))

    @admin.display(description="done")
    def done(self, run: TrainingRun) -> str:
        return percent(run.share_done)

    @admin.display(description="version")
    def made(self, run: TrainingRun) -> str:
        return link(run.version) if run.version else "-"

    @admin.display(description="requested by")
    def asked(self, run: TrainingRun) -> str:
        return str(run.requested_by or run.get_origin_display())

    @admin.display(description="outcome")
    def result(self, run: TrainingRun) -> str:
        return run.error or run.outcome or "-"


def _address(run: TrainingRun | None) -> tuple[Any, ...]:
    if run is None:
        return ("admin:digits_trainingrun_changelist",)
    return "admin:digits_trainingrun_change", run.pk
