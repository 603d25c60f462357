"""Programs that use the API, and what they check of its answers."""

from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from digits.accounts import tokens
from digits.models.api import Scope

UPLOADS, DIGITS = "/api/v1/uploads/", "/api/v1/digits/"


def program(user, *scopes: str) -> APIClient:
    """A client with a token of a user's, which has these scopes, or all."""
    client = APIClient()
    secret = tokens.make(user, "a test", scopes or tuple(Scope))[1]
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def send(api, data: bytes, query: str = "", name: str = "digit.png", **options):
    """Send an image, as an upload of its own."""
    file = SimpleUploadedFile(name, data)
    return api.post(UPLOADS + query, {"file": file}, format="multipart", **options)


def problem(answer, status: int) -> dict:
    """The problem details of an answer, which must be that."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["type"] == "about:blank"
    assert body["title"]
    return body
