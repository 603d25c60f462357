"""The state of the system, for operators."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from digits.accounts.owners import OwnedRequest
from digits.accounts.permissions import MONITOR
from digits.monitoring.figures import state
from digits.views.allowed import needs
from digits.views.fragments import page_or_part


@needs(MONITOR)
@require_safe
def dashboard(request: OwnedRequest) -> HttpResponse:
    """Show all figures; the page updates itself every few seconds."""
    context = {"state": state(), "live": True}
    return page_or_part(request, "digits/dashboard.html", "digits/_state.html", context)
