"""The admin's own index: the state of the system above the lists of rows."""

from typing import Any, cast

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from digits.accounts.permissions import MONITOR, has
from digits.learning.runs import new_corrections
from digits.monitoring.figures import state
from digits.versions.activations import rollback_target
from digits.views.sign_in import SignIn


class Site(admin.AdminSite):
    site_header = "Digits"
    site_title = "Digits admin"
    index_title = "State of the system"
    site_url = settings.URL_PREFIX
    login_form = AdminAuthenticationForm
    enable_nav_sidebar = False  # it leaves too little room to the lists, and moves them when loaded

    @method_decorator(never_cache)
    @method_decorator(login_not_required)
    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Sign in as on the site, which asks for a second factor where there is one."""
        if request.method == "GET" and self.has_permission(request):
            return redirect("admin:index")
        shown: dict[str, Any] = {
            **self.each_context(request),
            "title": "Log in",
            "subtitle": None,
            "app_path": request.get_full_path(),
            "username": request.user.get_username(),
            **(extra_context or {}),
        }
        view = SignIn.as_view(
            authentication_form=self.login_form,
            template_name="admin/login.html",
            next_page="admin:index",
            extra_context=shown,
        )
        request.current_app = self.name
        return cast(HttpResponse, view(request))

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        shown = {
            "state": state() if has(request.user, MONITOR) else None,
            "new_corrections": new_corrections(),
            "rollback_target": rollback_target(),
        }
        return super().index(request, shown | (extra_context or {}))
