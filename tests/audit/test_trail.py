"""The audit trail: who did what, when and from where. It is written once, and stays as it is."""

import logging
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils import timezone

from digits.accounts import accounts, tokens
from digits.audit import guard, trail
from digits.audit.actors import acting, as_actor
from digits.learning import runs
from digits.models import Activation, AuditEvent, Batch, ModelVersion
from digits.models.audit import Act, AppendOnly
from digits.versions import activations
from tests.factories import claimed_activation, make_reading, make_upload
from worker.training.recipes import Recipe

pytestmark = pytest.mark.django_db
PASSWORD = "a-long-password"
LONG_ADDRESS = "2001:db8:85a3:1234:5678:8a2e:370:7334"


@pytest.fixture
def ada():
    return User.objects.create_user("ada", password=PASSWORD)


@pytest.fixture
def root():
    return User.objects.create_superuser("root", password=PASSWORD)


def sign_in(client, name="ada", password=PASSWORD, address=LONG_ADDRESS):
    fields = {"username": name, "password": password}
    return client.post("/accounts/login/", fields, REMOTE_ADDR=address)


def acts() -> list[str]:
    """What was recorded, but for what migrations did."""
    events = AuditEvent.objects.exclude(act=Act.RIGHTS_CHANGED, account=None)
    return list(events.order_by("pk").values_list("act", flat=True))


def last(act: Act) -> AuditEvent:
    return AuditEvent.objects.filter(act=act).latest("pk")


def of(event: AuditEvent) -> tuple:
    return event.account, event.name, event.address


def test_who_signs_in_and_out_is_kept_with_the_whole_address(client, ada, caplog):
    with caplog.at_level(logging.INFO, "digits.audit"):
        sign_in(client)
    client.post("/accounts/logout/", REMOTE_ADDR="192.0.2.7")
    assert of(last(Act.SIGNED_IN)) == (ada.pk, "ada", LONG_ADDRESS)
    assert of(last(Act.SIGNED_OUT)) == (ada.pk, "ada", "192.0.2.7")
    assert f"'ada' signed in from {LONG_ADDRESS}" in caplog.text


def test_who_fails_to_sign_in_is_kept_and_a_lock_out_once(client, ada, settings, caplog):
    settings.AXES_FAILURE_LIMIT = 3
    for _ in range(5):
        sign_in(client, password="wrong")
    assert acts()[1:] == [Act.SIGN_IN_FAILED] * 2 + [Act.LOCKED_OUT]
    for act in (Act.SIGN_IN_FAILED, Act.LOCKED_OUT):
        assert of(last(act)) == (None, "ada", LONG_ADDRESS)
        assert f"{act.label}: 'ada' from {LONG_ADDRESS}" in caplog.text
    assert sign_in(client).status_code == 429
    assert sign_in(Client(), address="192.0.2.8").status_code == 302


def test_a_name_ends_no_line_of_the_log(client, caplog):
    sign_in(client, name="eve\nCRITICAL all is well\x1b[2J")
    assert last(Act.SIGN_IN_FAILED).name == "eve\ufffdCRITICAL all is well\ufffd[2J"
    assert all("\n" not in line.getMessage() for line in caplog.records)


def test_a_password_is_recorded_when_it_is_set_and_never_itself(client, ada):
    client.force_login(ada)
    new = "another-long-password"
    fields = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert client.post("/account/password/", fields).status_code == 302
    event = last(Act.PASSWORD_SET)
    assert (event.name, event.about) == ("ada", f"account {ada.pk} ada")
    every = " ".join(f"{one.name} {one.about} {one.detail}" for one in AuditEvent.objects.all())
    assert PASSWORD not in every
    assert new not in every


def test_a_password_that_an_admin_sets_is_recorded(client, ada, root):
    client.force_login(root)
    new = "another-long-password"
    fields = {"password1": new, "password2": new, "usable_password": "true"}
    answer = client.post(f"/admin/auth/user/{ada.pk}/password/", fields)
    assert answer.status_code == 302
    event = last(Act.PASSWORD_SET)
    assert (event.name, event.about) == ("root", f"account {ada.pk} ada")


def test_a_stronger_hash_of_the_same_password_is_no_new_password(client, ada, settings):
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
        "django.contrib.auth.hashers.MD5PasswordHasher",
    ]
    before = acts().count(Act.PASSWORD_SET)
    assert sign_in(client).status_code == 302
    ada.refresh_from_db()
    assert ada.password.startswith("pbkdf2")
    assert acts().count(Act.PASSWORD_SET) == before


def test_tokens_are_recorded_when_they_are_made_and_when_they_end(client, ada):
    client.force_login(ada)
    client.post("/account/tokens/", {"name": "notebook", "scopes": ["read"], "days": "30"})
    client.post(f"/account/tokens/{ada.tokens.get().pk}/revoke")
    for act in (Act.TOKEN_MADE, Act.TOKEN_ENDED):
        event = last(act)
        assert (event.name, event.about) == ("ada", f"token notebook of account {ada.pk}")


def test_whoever_deletes_an_upload_is_recorded_on_the_site_and_in_the_api(client, ada):
    first, second = make_upload(user=ada, name="a.png"), make_upload(user=ada, name="b.png")
    client.force_login(ada)
    client.post(f"/uploads/{first.pk}/delete", REMOTE_ADDR="192.0.2.1")
    event = last(Act.UPLOAD_DELETED)
    assert of(event) == (ada.pk, "ada", "192.0.2.1")
    assert (event.about, event.detail) == (f"upload {first.pk}", f"a.png, of account {ada.pk}")
    _, secret = tokens.make(ada, "notebook")
    headers = {"Authorization": f"Bearer {secret}"}
    gone = Client().delete(
        f"/api/v1/uploads/{second.pk}/", headers=headers, REMOTE_ADDR="192.0.2.2"
    )
    assert gone.status_code == 204
    event = last(Act.UPLOAD_DELETED)
    assert of(event) == (ada.pk, "ada", "192.0.2.2")
    assert event.about == f"upload {second.pk}"


def test_a_deletion_that_fails_leaves_no_event(ada):
    upload, before = make_upload(user=ada), acts()
    with transaction.atomic():
        upload.delete()
        assert acts() == [*before, Act.UPLOAD_DELETED]
        transaction.set_rollback(True)
    assert acts() == before


def test_events_outlive_the_account_that_they_name(client, ada):
    client.force_login(ada)
    upload = make_upload(user=ada)
    client.post("/account/delete/", {"password": PASSWORD}, REMOTE_ADDR="192.0.2.3")
    assert not User.objects.exists()
    event = last(Act.ACCOUNT_DELETED)
    assert of(event) == (event.account, "ada", "192.0.2.3")
    assert event.about == f"account {event.account} ada"
    assert last(Act.UPLOAD_DELETED).about == f"upload {upload.pk}"
    assert Act.ACCOUNT_MADE in acts()


def test_an_account_that_another_one_deletes_is_recorded(ada, root):
    with acting(as_actor(root)):
        accounts.delete(ada)
    assert last(Act.ACCOUNT_DELETED).name == "root"


def test_a_training_and_its_end_are_recorded(client, root, redis):
    client.force_login(root)
    form = {"start": "active", "architecture": "cnn"}
    client.post("/training/new", form, REMOTE_ADDR="192.0.2.4")
    run = runs.claim()
    client.post(f"/training/{run.pk}/cancel")
    event = last(Act.TRAINING_REQUESTED)
    assert of(event) == (root.pk, "root", "192.0.2.4")
    assert event.about == f"training run {run.pk}"
    assert last(Act.TRAINING_CANCELLED).about == event.about


def test_a_training_that_begins_by_itself_is_the_systems(redis):
    runs.ask(Recipe.fine_tuning(), origin="automatic")
    event = last(Act.TRAINING_REQUESTED)
    assert (event.account, event.detail) == (None, "new corrections")


def test_an_activation_is_recorded_for_whom_it_was_carried_out(client, root, redis):
    second = ModelVersion.objects.create(number=2, architecture="cnn")
    client.force_login(root)
    client.post(f"/models/{second.pk}/activate", REMOTE_ADDR="192.0.2.5")
    assert of(last(Act.ACTIVATION_REQUESTED)) == (root.pk, "root", "192.0.2.5")
    activations.complete(activations.claim())  # a worker's work
    event = last(Act.VERSION_ACTIVATED)
    assert (*of(event), event.about) == (root.pk, "root", "", "version 2")


def test_a_lost_lease_activates_nothing_and_records_nothing(redis):
    activation = claimed_activation(ModelVersion.active())
    Activation.objects.update(lease=None)
    assert not activations.complete(activation)
    assert Act.VERSION_ACTIVATED not in acts()


def test_exports_are_recorded(client, ada):
    client.force_login(ada)
    batch = Batch.objects.create(user=ada, kind="csv", total=0, status="done", name="rows.csv")
    client.get("/uploads.csv")
    assert last(Act.EXPORTED).about == "the history as CSV"
    client.get(f"/batches/{batch.pk}/results.csv")
    event = last(Act.EXPORTED)
    assert (event.about, event.detail) == (f"the results of batch {batch.pk}", "rows.csv")
    batch.delete()
    assert last(Act.BATCH_DELETED).about == f"batch {event.about.split()[-1]}"


def test_rights_are_recorded_when_they_change_in_the_admin(client, ada, root):
    group = Group.objects.create(name="reviewers")
    permission = Permission.objects.get(codename="view_upload")
    client.force_login(root)
    fields = {
        "username": "ada",
        "is_active": "on",
        "is_staff": "on",
        "groups": [group.pk],
        "user_permissions": [permission.pk],
        "date_joined_0": "2026-11-01",
        "date_joined_1": "10:00",
    }
    answer = client.post(f"/admin/auth/user/{ada.pk}/change/", fields)
    assert answer.status_code == 302
    found = AuditEvent.objects.filter(act=Act.RIGHTS_CHANGED, about=f"account {ada.pk} ada")
    assert {event.name for event in found} == {"root"}
    told = [event.detail for event in found.order_by("pk")]
    assert told == [
        "is_staff: False to True",
        "added groups: reviewers",
        f"added permissions: {permission}",
    ]
    group.permissions.add(permission)
    event = last(Act.RIGHTS_CHANGED)
    assert (event.about, event.detail) == ("group reviewers", f"added permissions: {permission}")
    ada.groups.clear()
    assert last(Act.RIGHTS_CHANGED).detail == "removed all of groups"


def test_what_changes_no_rights_records_none(ada):
    before = acts()
    ada.email = "ada@example.org"
    ada.save()
    ada.save(update_fields=["last_login"])
    assert acts() == before


def test_a_command_is_named_as_who_acts(manage, tmp_path):
    folder = {"DATA_DIR": tmp_path / "data", "ADMIN_PASSWORD": "x"}
    manage("migrate", "--verbosity", "0", **folder)
    assert manage("ensure_admin", **folder).returncode == 0
    code = (
        "from digits.models import AuditEvent\n"
        "print(*AuditEvent.objects.values_list('name', 'act', 'about').order_by('pk'), sep='\\n')"
    )
    shown = manage("shell", "--no-imports", "-c", code, **folder).stdout
    assert "('manage.py ensure_admin', 'account made', 'account 1 admin')" in shown


@pytest.fixture
def event():
    return trail.record(Act.EXPORTED, "the history as CSV")


def test_an_event_is_neither_changed_nor_deleted(event):
    event.name = "nobody"
    for change in (event.save, event.delete, AuditEvent.objects.all().delete):
        with pytest.raises(AppendOnly):
            change()
    with pytest.raises(AppendOnly):
        AuditEvent.objects.update(name="nobody")


@pytest.mark.parametrize("statement", ["UPDATE {} SET name = 'nobody'", "DELETE FROM {}"])
def test_the_database_itself_refuses_to_change_an_event(event, statement):
    table = AuditEvent._meta.db_table
    with (
        pytest.raises(IntegrityError, match=guard.REFUSED),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement.format(table))
    assert AuditEvent.objects.get(pk=event.pk).name == event.name


def test_only_what_is_too_old_is_removed(event, settings):
    settings.AUDIT_DAYS = 30
    at = timezone.now() - timedelta(days=30)
    old = AuditEvent.objects.create(act=Act.EXPORTED, name="ada", created_at=at)
    young = AuditEvent.objects.create(
        act=Act.EXPORTED, name="ada", created_at=at + timedelta(hours=1)
    )
    assert trail.remove_old() == 1
    assert not AuditEvent.objects.filter(pk=old.pk).exists()
    assert AuditEvent.objects.filter(pk__in=[event.pk, young.pk]).count() == 2
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {AuditEvent._meta.db_table} WHERE id = {young.pk}")


def test_by_default_everything_is_kept(event):
    at = timezone.now() - timedelta(days=9999)
    AuditEvent.objects.create(act=Act.EXPORTED, name="ada", created_at=at)
    assert trail.remove_old() == 0
    assert AuditEvent.objects.filter(act=Act.EXPORTED).count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_database_can_be_emptied_and_guards_its_events_again(event):
    call_command("flush", interactive=False, verbosity=0)
    assert not AuditEvent.objects.filter(act=Act.EXPORTED).exists()
    test_the_database_itself_refuses_to_change_an_event(
        trail.record(Act.EXPORTED), "DELETE FROM {}"
    )


@pytest.mark.django_db(transaction=True)
def test_a_migration_that_makes_the_table_anew_keeps_the_events_and_the_guard(event):
    field = AuditEvent._meta.get_field("detail")
    longer = field.clone()
    longer.max_length = 600
    longer.set_attributes_from_name("detail")
    longer.model = AuditEvent
    with connection.schema_editor() as editor:
        editor.alter_field(AuditEvent, field, longer)
    call_command("migrate", verbosity=0)
    assert AuditEvent.objects.get(pk=event.pk).name == event.name
    test_the_database_itself_refuses_to_change_an_event(event, "UPDATE {} SET name = 'nobody'")


def test_the_admin_shows_and_filters_events_and_changes_none(client, root, ada):
    client.force_login(root)
    with acting(as_actor(ada, LONG_ADDRESS)):
        event = trail.record(Act.EXPORTED, "the history as CSV")
    trail.record(Act.UPLOAD_DELETED, "upload 12")
    for query, shown in (
        ("", 1),
        ("?act=exported", 1),
        ("?act=signed+in", 0),
        ("?q=ada", 1),
        (f"?q={LONG_ADDRESS}", 1),
        ("?q=upload 12", 0),
    ):
        page = client.get(f"/admin/digits/auditevent/{query}")
        assert page.status_code == 200
        assert page.content.decode().count("the history as CSV") == shown
    address = f"/admin/digits/auditevent/{event.pk}"
    assert client.get(f"{address}/change/").status_code == 200
    assert client.post(f"{address}/change/", {"name": "x"}).status_code == 403
    assert client.post(f"{address}/delete/", {"post": "yes"}).status_code == 403
    assert client.get("/admin/digits/auditevent/add/").status_code == 403
    codes = Permission.objects.filter(content_type__model="auditevent")
    assert [one.codename for one in codes] == ["view_auditevent"]


def test_staff_without_the_permission_see_no_events(client):
    client.force_login(User.objects.create_user("eve", is_staff=True))
    assert client.get("/admin/digits/auditevent/").status_code == 403


def test_reading_an_upload_records_nothing(ada):
    before = acts()
    make_reading(ModelVersion.active(), user=ada)
    assert acts() == before
