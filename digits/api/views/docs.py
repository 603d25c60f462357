"""The schema, and the page that shows it with Swagger UI."""

import mimetypes
from importlib.metadata import version as version_of
from importlib.util import find_spec
from pathlib import Path

from django.http import FileResponse, Http404
from django.shortcuts import render
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe
from drf_spectacular.renderers import OpenApiJsonRenderer2, OpenApiYamlRenderer2
from drf_spectacular.views import SpectacularAPIView
from rest_framework.renderers import JSONRenderer

SIDECAR = "drf_spectacular_sidecar"
FILES = ("swagger-ui-bundle.js", "swagger-ui.css")
SIDECAR_VERSION = version_of("drf-spectacular-sidecar")


class Schema(SpectacularAPIView):
    """OpenAPI 3.1, as JSON, or as YAML for whoever accepts only that."""

    renderer_classes = [OpenApiJsonRenderer2, JSONRenderer, OpenApiYamlRenderer2]
    authentication_classes = []


@require_safe
def docs(request):
    return render(request, "digits/api_docs.html", {"swagger_version": SIDECAR_VERSION})


@require_safe
@gzip_page
def swagger_file(request, version: str, name: str):
    """A file of Swagger UI, from its package.

    Not by way of collectstatic: compressing these would make each start of the site take longer
    than everything else that is done then.
    """
    if name not in FILES or version != SIDECAR_VERSION:
        raise Http404
    folder = Path(find_spec(SIDECAR).origin).parent / "static" / SIDECAR / "swagger-ui-dist"
    response = FileResponse((folder / name).open("rb"), content_type=mimetypes.guess_type(name)[0])
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response
