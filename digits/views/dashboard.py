"""The state of the system, for staff."""

from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpResponse
from django.views.decorators.http import require_safe

from digits.accounts.owners import OwnedRequest
from digits.monitoring.figures import state
from digits.views.fragments import page_or_part


@staff_member_required(login_url="login")
@require_safe
def dashboard(request: OwnedRequest) -> HttpResponse:
    """Show all figures; the page updates itself every few seconds."""
    context = {"state": state(), "live": True}
    return page_or_part(request, "digits/dashboard.html", "digits/_state.html", context)
