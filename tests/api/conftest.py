"""Accounts and their programs."""

import pytest
from django.contrib.auth import get_user_model

from digits.models import ModelVersion
from tests.api.clients import program


@pytest.fixture
def ann():
    return get_user_model().objects.create_user("ann", password="a-long-password")


@pytest.fixture
def api(ann):
    return program(ann)


@pytest.fixture
def staff():
    return program(get_user_model().objects.create_superuser("root"))


@pytest.fixture
def version():
    return ModelVersion.active()
