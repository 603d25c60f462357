"""Is the site alive, and is it ready to read?"""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from digits.accounts.owners import OwnedRequest
from digits.accounts.permissions import MONITOR
from digits.monitoring.health import check


@login_not_required
@never_cache
@require_safe
def live(request: OwnedRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8")


@login_not_required
@never_cache
@require_safe
def ready(request: OwnedRequest) -> HttpResponse:
    """Say whether the site can read; the details are for operators and the machine itself."""
    report = check()
    brief = {"ready": report["ready"], "failing": report["failing"]}
    told = report if _may_know(request) else brief
    return JsonResponse(told, status=200 if report["ready"] else 503)


def _may_know(request: OwnedRequest) -> bool:
    # Behind a proxy on this machine, everybody comes from it.
    is_here = request.META.get("REMOTE_ADDR") in ("127.0.0.1", "::1") and not settings.HTTPS
    return is_here or request.owner.may(MONITOR)
