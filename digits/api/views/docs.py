"""The schema, and the page that shows it."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe
from drf_spectacular.renderers import OpenApiJsonRenderer2, OpenApiYamlRenderer2
from drf_spectacular.views import SpectacularAPIView
from rest_framework.authentication import BaseAuthentication
from rest_framework.renderers import JSONRenderer

from digits.api import reference


class Schema(SpectacularAPIView):
    """OpenAPI 3.1, as JSON, or as YAML for whoever accepts only that."""

    renderer_classes = [OpenApiJsonRenderer2, JSONRenderer, OpenApiYamlRenderer2]
    authentication_classes: list[type[BaseAuthentication]] = []


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    base = request.build_absolute_uri(reverse("index"))
    context = {
        "base": base,
        "groups": reference.groups(base),
        "shapes": reference.shapes(),
        "problem": reference.problem(),
    }
    return render(request, "digits/api_docs.html", context)
