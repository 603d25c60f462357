"""Is the site alive, and is it ready to read?"""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from digits.accounts.owners import OwnedRequest
from digits.accounts.permissions import MONITOR
from digits.monitoring.health import check
from digits.monitoring.metrics import exposition

TEXT = "text/plain; charset=utf-8"


@login_not_required
@never_cache
@require_safe
def live(request: OwnedRequest) -> HttpResponse:
    return HttpResponse("ok\n", TEXT)


@login_not_required
@never_cache
@require_safe
def ready(request: OwnedRequest) -> HttpResponse:
    """Say whether the site can read; the details are for operators and the machine itself."""
    report = check()
    brief = {"ready": report["ready"], "failing": report["failing"]}
    told = report if _may_know(request) else brief
    return JsonResponse(told, status=200 if report["ready"] else 503)


@login_not_required
@never_cache
@require_safe
def metrics(request: OwnedRequest) -> HttpResponse:
    """Tell Prometheus the figures of the system: for operators, the machine itself, and whoever
    sends METRICS_TOKEN as a bearer token."""
    if not (_may_know(request) or _has_token(request)):
        answer = HttpResponse("Expected the token in METRICS_TOKEN.\n", TEXT, 401)
        answer["WWW-Authenticate"] = "Bearer"
        return answer
    return HttpResponse(exposition(), CONTENT_TYPE_PLAIN_0_0_4)


def _has_token(request: OwnedRequest) -> bool:
    kind, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    own = settings.METRICS_TOKEN
    return bool(own) and kind.lower() == "bearer" and constant_time_compare(token.strip(), own)


def _may_know(request: OwnedRequest) -> bool:
    # Behind a proxy on this machine, everybody comes from it.
    is_here = request.META.get("REMOTE_ADDR") in ("127.0.0.1", "::1") and not settings.HTTPS
    return is_here or request.owner.may(MONITOR)
