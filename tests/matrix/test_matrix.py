"""Every address of the site and every operation of the API, for every kind of sender.

The tables are site.txt, admin.txt and api.txt. An address or operation without a row fails.
"""

import re
from dataclasses import dataclass, replace

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator

from digits.accounts import tokens
from digits.audit.trail import record
from digits.learning.corrections import correct
from digits.models import (
    Batch,
    BatchItem,
    Digit,
    ModelVersion,
    Prediction,
    Rereading,
    TrainingRun,
    Upload,
)
from digits.models.api import Scope
from digits.models.audit import Act
from digits.versions import activations
from tests.factories import make_reading, make_user
from tests.matrix.matrix import (
    HERE,
    METHODS,
    Sender,
    Table,
    differences,
    missing_rows,
    patterns,
    read_table,
    status,
)

pytestmark = pytest.mark.django_db
PASSWORD = "a-long-password"
ROLES = ("reviewer", "trainer", "operator")
PEOPLE = ("anonymous", "owner", "other", *ROLES, "superuser")
SIGNED_IN = PEOPLE[1:]
TABLES = {name: read_table((HERE / f"{name}.txt").read_text()) for name in ("site", "admin", "api")}


@dataclass
class World:
    """An installation in which each address leads to something that the owner sent.

    keys: the keys of rows, by the name of their model.
    """

    senders: dict[str, Sender]
    keys: dict[str, int]
    png: bytes

    def address(self, path: str) -> str:
        """Return an address with the keys of what there is."""
        path = path.replace("{id}", "<id>")
        model = re.search(r"/admin/\w+/(\w+)/", path) or re.search(r"/([a-z-]+)/<", path)
        key = self.keys.get(NAMES.get(model[1], model[1]), 0) if model else 0
        for part, value in FIXED.items():
            path = path.replace(part, value.format(**self.keys))
        return re.sub(r"<[^>]*>", str(key), path)

    def body(self, row: str) -> dict:
        """Return the options of the client for a request."""
        sent = BODIES.get(row, {})
        if "FILE" in sent.values():
            return {"data": {"file": SimpleUploadedFile("7.png", self.png)}}
        if "CSV" in sent.values():
            table = SimpleUploadedFile("1.csv", b",".join([b"0"] * 784) + b"\n")
            return {"data": {"file": table}}
        if row.split()[1].startswith("/api/v1/"):
            is_json = row.split()[0] != "GET"
            return {"data": sent, "content_type": "application/json"} if is_json else {}
        return {"data": {name: value.format(**self.keys) for name, value in sent.items()}}

    def ask(self, row: str, sender: Sender) -> str:
        return status(sender.client(), row, self.address, self.body(row))


# The model that a part of an address is about.
NAMES = {
    "uploads": "upload",
    "digits": "digit",
    "batches": "batch",
    "models": "modelversion",
    "training": "trainingrun",
    "training-runs": "trainingrun",
    "tokens": "token",
    "trust": "user",
}
FIXED = {
    "<slug:name>": "digit",
    "<path:content_type_id>/<path:object_id>": "{type}/{upload}",
    "(?P<app_label>auth|digits)/$": "digits/",
    "(?P<url>.*)$": "nothing-here",
    "<id>/<hash>": "1/x",
}
CHOSEN = {"_selected_action": "{upload}", "action": "delete_selected", "post": "yes"}
# What requests send. Without it they would be refused for something else than who sends them.
BODIES = {
    "POST /": {"file": "FILE"},
    "POST /mnist/classify": {"file": "FILE"},
    "POST /mnist/classify/": {"file": "FILE"},
    "POST /examples/": {"example": "digit"},
    "POST /batches/": {"file": "CSV"},
    "POST /uploads/delete": {"upload": "{upload}", "sure": "yes"},
    "POST /uploads/again": {"upload": "{upload}", "version": "1"},
    "POST /uploads/<int:pk>/again": {"version": "1"},
    "POST /uploads/<int:pk>/turn": {"degrees": "180"},
    "POST /digit/<int:pk>/label": {"label": "4"},
    "POST /review/": {"digit": "{digit}", "label": "4"},
    "POST /training/new": {"start": "scratch", "architecture": "cnn"},
    "POST /accounts/login/": {"username": "owner", "password": PASSWORD},
    "POST /accounts/signup/": {"username": "new", "password1": PASSWORD, "password2": PASSWORD},
    "POST /account/": {"username": "renamed", "password": PASSWORD},
    "POST /account/password/": {
        "old_password": PASSWORD,
        "new_password1": "another-password",
        "new_password2": "another-password",
    },
    "POST /account/confirm/": {"password": PASSWORD},
    "POST /account/second-factor/on/": {"code": "123456"},
    "POST /account/sign-out": {"password": PASSWORD},
    "POST /account/delete/": {"password": PASSWORD},
    "POST /account/tokens/": {"name": "new", "scopes": "read", "days": "30"},
    "POST /api/v1/uploads/": {"file": "FILE"},
    "POST /api/v1/batches/": {"file": "CSV"},
    "PATCH /api/v1/digits/{id}/": {"label": 4},
    "POST /api/v1/training-runs/": {"forced": True},
    "POST /admin/login/": {"username": "superuser", "password": PASSWORD},
    "POST /admin/password_change/": {
        "old_password": PASSWORD,
        "new_password1": "another-password",
        "new_password2": "another-password",
    },
    "POST /admin/auth/user/add/": {
        "username": "new",
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
    },
    "POST /admin/auth/user/<id>/password/": {
        "usable_password": "true",
        "password1": "another-password",
        "password2": "another-password",
    },
    "POST /admin/auth/user/<path:object_id>/change/": {
        "username": "renamed",
        "is_active": "on",
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00",
    },
    "POST /admin/auth/user/<path:object_id>/delete/": {"post": "yes"},
    "POST /admin/auth/group/add/": {"name": "new"},
    "POST /admin/auth/group/<path:object_id>/change/": {"name": "renamed"},
    "POST /admin/auth/group/<path:object_id>/delete/": {"post": "yes"},
    "POST /admin/digits/upload/": CHOSEN,
    "POST /admin/digits/upload/<path:object_id>/delete/": {"post": "yes"},
    "POST /admin/digits/batch/<path:object_id>/delete/": {"post": "yes"},
    "POST /admin/digits/digit/<path:object_id>/change/": {
        "label": "4",
        "predictions-TOTAL_FORMS": "0",
        "predictions-INITIAL_FORMS": "0",
        "corrections-TOTAL_FORMS": "0",
        "corrections-INITIAL_FORMS": "0",
    },
    "POST /admin/digits/trainingrun/retrain/": {"start": "scratch", "architecture": "cnn"},
}


@pytest.fixture
def world(redis, seven, settings, monkeypatch) -> World:
    settings.API_RATE = settings.API_ANONYMOUS_RATE = (1_000_000, 60)
    monkeypatch.setattr("digits.views.program.WAIT_SECONDS", 0)  # no worker reads here
    users = {name: make_user(name, password=PASSWORD) for name in ("owner", "other")}
    users |= {role: make_user(role, role, password=PASSWORD) for role in ROLES}
    users["superuser"] = get_user_model().objects.create_superuser("superuser", password=PASSWORD)
    senders = {name: Sender(user) for name, user in users.items()}
    senders["anonymous"] = Sender(session={"visitor": "somebody else"})
    return World(senders, _rows(users["owner"], seven), seven)


def _rows(owner, png: bytes) -> dict[str, int]:
    """Store one row of each kind, that the owner sent; return their keys."""
    version = ModelVersion.active()
    upload = make_reading(version, user=owner, data=png)
    digit = upload.digits.get()
    second = ModelVersion.objects.create(number=2, architecture="cnn", parent=version)
    batch = Batch(user=owner, kind=Batch.Kind.CSV, total=2, name="a batch")
    batch.file.save("a.csv", ContentFile(b"1,2"))
    rows = {
        "upload": upload,
        "digit": digit,
        "prediction": digit.predictions.get(),
        "correction": correct(digit, 7, user=owner),
        "rereading": Rereading.objects.create(upload=upload, version=second),
        "batch": batch,
        "batchitem": BatchItem.objects.create(batch=batch, number=1, reading="7"),
        "modelversion": second,
        "activation": activations.request(version),
        "trainingrun": TrainingRun.objects.create(),
        "token": tokens.make(owner, "a token")[0],
        "auditevent": record(Act.EXPORTED),
        "user": owner,
        "group": Group.objects.create(name="a group"),
        "type": ContentType.objects.get_for_model(Upload),
    }
    return {name: row.pk for name, row in rows.items()}


def site_rows() -> list[str]:
    """The requests that site.txt and admin.txt must have."""
    found = [path for path in patterns() if not path.startswith("/api/v1/")]
    return [f"{method} {path}" for path in found for method in METHODS]


def api_rows() -> list[str]:
    """The operations in the API's schema."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    return [f"{method.upper()} {path}" for path, by in schema["paths"].items() for method in by]


def expected_rows(name: str) -> list[str]:
    if name == "api":
        return api_rows()
    return [row for row in site_rows() if ("/admin/" in row) == (name == "admin")]


@pytest.mark.parametrize("name", TABLES)
def test_each_address_and_operation_has_a_row(name):
    assert missing_rows(TABLES[name], expected_rows(name)) == ([], [])


def test_each_address_of_the_api_is_an_operation_or_has_a_row():
    addresses = {path for path in patterns() if path.startswith("/api/v1/")}
    operations = {row.split()[1].replace("{id}", "<int:id>") for row in api_rows()}
    assert addresses == operations


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("who", PEOPLE)
def test_each_person_gets_what_the_table_says(world, name, who):
    sender = world.senders[who]
    assert differences(TABLES[name], who, lambda row: world.ask(row, sender)) == []


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("who", SIGNED_IN)
def test_a_form_of_another_site_gets_what_the_table_says(world, name, who):
    """Without the CSRF token, who is signed in does not matter."""
    forged = replace(world.senders[who], has_csrf=False)
    assert differences(TABLES[name], "forged", lambda row: world.ask(row, forged)) == []


@pytest.mark.parametrize("name", TABLES)
def test_who_is_nobody_gets_what_the_table_says(world, name):
    nobody = Sender(has_csrf=False)
    assert differences(TABLES[name], "nobody", lambda row: world.ask(row, nobody)) == []


def bearer(world: World, who: str, *scopes: str) -> Sender:
    return Sender(bearer=tokens.make(world.senders[who].user, "x", scopes)[1])


@pytest.mark.parametrize("who", SIGNED_IN)
def test_a_token_with_all_scopes_gets_what_its_person_gets(world, who):
    sender = bearer(world, who, *Scope)
    assert differences(TABLES["api"], who, lambda row: world.ask(row, sender)) == []


@pytest.mark.parametrize("scope", Scope)
def test_a_superusers_token_with_one_scope_gets_what_the_table_says(world, scope):
    sender = bearer(world, "superuser", scope)
    assert differences(TABLES["api"], scope.value, lambda row: world.ask(row, sender)) == []


@pytest.mark.parametrize("kind", ["expired", "revoked", "closed"])
def test_a_token_that_has_ended_gets_nowhere(world, kind):
    user = world.senders["superuser"].user
    token, secret = tokens.make(user, "x")
    if kind == "expired":
        user.tokens.update(expires_at=timezone.now())
    elif kind == "revoked":
        token.delete()
    else:
        get_user_model().objects.filter(pk=user.pk).update(is_active=False)
    sender = Sender(bearer=secret)
    assert {world.ask(row, sender) for row in TABLES["api"]} == {"401"}


@pytest.mark.parametrize("who", ["other", "superuser"])
def test_what_is_no_operation_is_a_method_that_is_not_allowed(world, who):
    paths = {row.split()[1] for row in TABLES["api"]}
    methods = ("POST", "PUT", "PATCH", "DELETE")
    none = {f"{method} {path}" for path in paths for method in methods} - set(TABLES["api"])
    answers = {row: world.ask(row, world.senders[who]) for row in none}
    allowed = {"405"} if who == "superuser" else {"405", "403"}
    assert {row: found for row, found in answers.items() if found not in allowed} == {}


# The check itself is checked


def altered(table: Table, row: str, column: str) -> Table:
    """A table with one wrong cell."""
    wrong = {"200": "403", "403": "200", "404": "200", "302": "403"}
    cells = table[row] | {column: wrong[table[row][column]]}
    return table | {row: cells}


@pytest.mark.parametrize(
    ("name", "who", "rows"),
    [
        ("site", "reviewer", ["GET /dashboard/", "POST /models/<int:pk>/activate"]),
        ("admin", "operator", ["GET /admin/digits/upload/", "GET /admin/auth/group/"]),
        ("api", "other", ["DELETE /api/v1/uploads/{id}/", "GET /api/v1/models/"]),
    ],
)
def test_two_wrong_rows_are_found(world, name, who, rows):
    table = TABLES[name]
    for row in rows:
        table = altered(table, row, who)
    sender = world.senders[who]
    found = differences(table, who, lambda row: world.ask(row, sender))
    assert [one.partition(",")[0] for one in found] == [row for row in table if row in rows]


@pytest.mark.parametrize("name", TABLES)
def test_a_row_too_few_or_too_many_is_found(name):
    row = next(iter(TABLES[name]))
    few = {one: cells for one, cells in TABLES[name].items() if one != row}
    assert missing_rows(few, expected_rows(name)) == ([row], [])
    many = TABLES[name] | {"GET /nothing/": TABLES[name][row]}
    assert missing_rows(many, expected_rows(name)) == ([], ["GET /nothing/"])


@pytest.mark.parametrize("role", ROLES)
def test_the_admins_list_deletes_for_those_alone_who_may(world, role):
    """Its answer leads to the list either way."""
    sender, row = world.senders[role], "POST /admin/digits/upload/"
    sender.client().post(world.address(row.split()[1]), **world.body(row))
    assert Upload.objects.exists() == (role != "operator")


def test_what_a_request_changes_is_undone(world):
    superuser = world.senders["superuser"]
    for row in ("POST /uploads/<int:pk>/delete", "DELETE /api/v1/uploads/{id}/"):
        assert world.ask(row, superuser) in ("302", "204")
        assert world.ask(row, superuser) in ("302", "204")
    counts = (Upload.objects.count(), Digit.objects.count(), Prediction.objects.count())
    assert counts == (1, 1, 1)
