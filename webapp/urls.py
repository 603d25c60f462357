"""All addresses of the site."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("digits.urls")),
    path("admin/", admin.site.urls),
]
handler400 = "digits.views.errors.bad_request"
handler403 = "digits.views.errors.forbidden"
handler404 = "digits.views.errors.not_found"
handler500 = "digits.views.errors.server_error"
