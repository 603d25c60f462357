"""Training runs: everybody watches them, trainers request and cancel them."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from digits.accounts.owners import OwnedRequest, SignedInRequest
from digits.accounts.permissions import RETRAIN
from digits.forms import RetrainForm
from digits.learning import runs
from digits.learning.runs import new_corrections
from digits.models import TrainingRun
from digits.models.training import RUN_UNFINISHED
from digits.pictures.charts import curve
from digits.views.allowed import needs
from digits.views.fragments import page_or_part

LOG_LINES = 200
RUNS_SHOWN = 10


def context_of(run: TrainingRun) -> dict[str, Any]:
    """Return the template variables for a run."""
    figures = ("loss", "accuracy")
    return {
        "run": run,
        "events": run.events.all()[:LOG_LINES],
        "charts": [(name, curve(run.curves, name, f"val_{name}")) for name in figures],
    }


def runs_context() -> dict[str, Any]:
    """Return the template variables for the list of runs."""
    shown = TrainingRun.objects.select_related("requested_by")
    return {
        "unfinished": shown.unfinished().first(),
        "finished_runs": shown.exclude(status__in=RUN_UNFINISHED)[:RUNS_SHOWN],
        "new_corrections": new_corrections(),
    }


@require_safe
def training_runs(request: OwnedRequest) -> HttpResponse:
    """Show the list of runs, which updates itself while one runs."""
    if not request.htmx:
        return redirect("models")
    return page_or_part(request, "", "digits/_runs.html", runs_context())


@require_safe
def training_run(request: OwnedRequest, pk: int) -> HttpResponse:
    """Show a run; the page updates itself while it runs."""
    run = get_object_or_404(TrainingRun.objects.select_related("version", "base"), pk=pk)
    context = context_of(run)
    return page_or_part(request, "digits/run.html", "digits/_run.html", context)


def ask(request: SignedInRequest, form: RetrainForm) -> TrainingRun | None:
    """Request the training of a valid form; return its run, or the unfinished one."""
    try:
        run = form.save(request.user)
    except runs.AlreadyRunning as error:
        text = f"{error}."
        messages.warning(request, text[:1].upper() + text[1:])
        return error.run
    messages.success(request, "The training was requested.")
    return run


def cancel_run(request: HttpRequest, run: TrainingRun) -> None:
    """Cancel a run, and add a message; its worker stops within seconds."""
    if runs.cancel(run):
        messages.success(request, "The training is being cancelled.")
    else:
        messages.warning(request, "The training had ended already.")


@needs(RETRAIN)
@require_http_methods(["GET", "HEAD", "POST"])
def retrain(request: SignedInRequest) -> HttpResponse:
    """Request a training."""
    form = RetrainForm(request.POST or None, request.owner)
    if request.method == "POST" and form.is_valid():
        return redirect(ask(request, form) or "training-run-new")
    context = {"form": form, "new": new_corrections()}
    return render(request, "digits/retrain.html", context, status=400 if form.errors else 200)


@needs(RETRAIN)
@require_POST
def cancel(request: OwnedRequest, pk: int) -> HttpResponse:
    """Cancel a run."""
    run = get_object_or_404(TrainingRun, pk=pk)
    cancel_run(request, run)
    return redirect(run)
