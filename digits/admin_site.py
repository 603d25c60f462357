"""The admin's own index: the state of the system above the lists of rows."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse

from digits.accounts.permissions import MONITOR, has
from digits.learning.runs import new_corrections
from digits.monitoring.figures import state
from digits.versions.activations import rollback_target


class Site(admin.AdminSite):
    site_header = "Digits"
    site_title = "Digits admin"
    index_title = "State of the system"
    enable_nav_sidebar = False  # it leaves too little room to the lists, and moves them when loaded

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        shown = {
            "state": state() if has(request.user, MONITOR) else None,
            "new_corrections": new_corrections(),
            "rollback_target": rollback_target(),
        }
        return super().index(request, shown | (extra_context or {}))
