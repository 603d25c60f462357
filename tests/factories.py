"""Rows for tests, stored as the site stores them."""

import json

import numpy as np
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, User
from django.core.files.base import ContentFile

from digits.models import Activation, Digit, ModelVersion, Prediction, Upload
from digits.models.uploads import Status
from digits.versions import activations


def make_user(name: str, *roles: str, **fields):
    """An account with these roles; those who have one may enter the admin."""
    user = get_user_model().objects.create_user(name, is_staff=bool(roles), **fields)
    user.groups.set(Group.objects.filter(name__in=roles))
    assert user.groups.count() == len(roles)
    return user


def make_upload(data: bytes = b"not read here", **fields) -> Upload:
    upload = Upload(name=fields.pop("name", "image.png"), **fields)
    upload.file.save("image.png", ContentFile(data), save=True)
    return upload


def make_reading(version: ModelVersion, value: int | None = 7, digits: int = 1, **fields) -> Upload:
    """An upload that was read, with its digits and their predictions."""
    upload = make_upload(
        status=Status.DONE,
        reading="" if value is None else str(value) * digits,
        confidence=0.91,
        version=version,
        width=28,
        height=28,
        **fields,
    )
    upload.preview.save("preview.webp", ContentFile(b"a picture"), save=True)
    for position in range(digits):
        digit = Digit.objects.create(
            upload=upload,
            position=position,
            x=4,
            y=4,
            width=20,
            height=20,
            pixels=np.eye(28, dtype=np.uint8).tobytes(),
        )
        Prediction.objects.create(
            digit=digit,
            version=version,
            value=value,
            confidence=0.91,
            probabilities=[
                (0.91 if i == value else 0.01) if value is not None else 0.009 for i in range(10)
            ],
        )
    return upload


def staff_member() -> User:
    """An account of staff, whose corrections trainings learn from."""
    return User.objects.get_or_create(username="staff", is_staff=True)[0]


def claimed_activation(version: ModelVersion) -> Activation:
    """An activation that a worker process has claimed."""
    activations.request(version)
    return activations.claim()


def as_json(response) -> dict:
    return json.loads(response.content)
