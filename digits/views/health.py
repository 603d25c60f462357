"""Is the site alive, and is it ready to read?"""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from digits.accounts.owners import OwnedRequest
from digits.monitoring.health import check


@login_not_required
@never_cache
@require_safe
def live(request: OwnedRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
@never_cache
@require_safe
def ready(request: OwnedRequest) -> HttpResponse:
    report = check()
    return JsonResponse(report, status=200 if report["ready"] else 503)
