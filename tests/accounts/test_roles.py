"""Roles: what each may do, who gives them, and that nobody gets more by that."""

import json

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command

from digits.accounts.owners import Owner
from digits.accounts.permissions import ACTS, ROLES, Forbidden
from digits.models import Batch, ModelVersion, TrainingRun, Upload
from tests.factories import make_reading, make_user
from tests.test_upgrade import installation, output

pytestmark = pytest.mark.django_db
User = get_user_model()
REVIEWER = {"see_uploads", "see_batches", "see_corrections", "correct", "read_again"}
MAY = {
    "reviewer": REVIEWER,
    "trainer": REVIEWER | {"retrain", "trust", "see_trainings", "see_activations"},
    "operator": {
        *("see_uploads", "see_batches", "see_trainings", "see_activations", "monitor", "activate"),
        *("delete_uploads", "change_batches", "delete_batches"),
    },
}
UPGRADED = """
import json
from django.contrib.auth.models import Group, User
from digits.models import TrainingEvent
print(json.dumps({
    "permissions": {
        group.name: sorted(
            f"{one.content_type.app_label}.{one.codename}" for one in group.permissions.all()
        )
        for group in Group.objects.all()
    },
    "log": list(TrainingEvent.objects.values_list("text", flat=True)),
    "members": {group.name: sorted(group.user_set.values_list("username", flat=True))
                for group in Group.objects.all()},
}))
"""
BEFORE = """
from django.contrib.auth.models import Group, Permission, User
Group.objects.all().delete()
User.objects.create_user("old-staff", is_staff=True)
User.objects.create_user("plain")
User.objects.create_superuser("mighty")
own = Group.objects.create(name="operator")
own.user_set.add(User.objects.create_user("member"))
own.permissions.add(Permission.objects.get(codename="view_group"))
from digits.models import TrainingEvent, TrainingRun
run = TrainingRun.objects.create(status="done")
TrainingEvent.objects.create(run=run, text="requested by root")
"""


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_what_it_is_for(role):
    owner = Owner(make_user("ann", role), {})
    assert {name for name, act in ACTS.items() if owner.may(act)} == MAY[role]


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ({}, 0),
        ({"is_staff": True}, 0),
        ({"is_staff": True, "is_superuser": True}, len(ACTS)),
        ({"is_staff": True, "is_superuser": True, "is_active": False}, 0),
    ],
)
def test_without_a_role_only_a_superuser_may_do_anything(fields, count):
    owner = Owner(User.objects.create_user("ann", **fields), {})
    assert sum(owner.may(act) for act in ACTS.values()) == count


def test_a_role_counts_for_staff_alone_as_in_the_admin():
    user = make_user("ann", *ROLES)
    User.objects.filter(pk=user.pk).update(is_staff=False)
    owner = Owner(User.objects.get(pk=user.pk), {})
    assert not any(owner.may(act) for act in ACTS.values())


def test_no_account_without_rights_costs_a_query(django_assert_num_queries):
    owner = Owner(User.objects.create_user("ann"), {})
    with django_assert_num_queries(0):
        assert not any(owner.may(act) for act in ACTS.values())


def test_who_may_not_is_told_what_it_needs():
    with pytest.raises(Forbidden, match="needs the permission to delete what others sent"):
        Owner(None, {}).must(ACTS["delete_uploads"])


def test_everybody_may_do_anything_with_their_own():
    ann = User.objects.create_user("ann")
    owners = [(Owner(ann, {}), {"user": ann}), (Owner(None, {"visitor": "a"}), {"visitor": "a"})]
    for owner, fields in owners:
        upload = make_reading(ModelVersion.active(), **fields)
        for other, _ in owners:
            assert other.may_with(upload, ACTS["delete_uploads"]) == (other is owner)
    assert not Owner(None, {}).may_with(make_reading(ModelVersion.active()), ACTS["correct"])


def upgraded(manage, tmp_path, before: str) -> dict:
    """What groups a database has that was at the migration before, and then went on."""
    folder = installation(tmp_path / "data")
    for words in (["migrate", "digits", "0018"], ["shell", "--no-imports", "-c", before]):
        done = manage(*words, DATA_DIR=folder)
        assert done.returncode == 0, done.stderr
    done = manage("migrate", DATA_DIR=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(output(manage, folder, UPGRADED)[-1])


def test_an_update_makes_the_roles_and_puts_the_staff_into_all(manage, tmp_path):
    found = upgraded(manage, tmp_path, BEFORE)
    expected = {role: set(names) for role, names in ROLES.items()}
    expected["operator"].add("auth.view_group")
    assert {role: set(names) for role, names in found["permissions"].items()} == expected
    assert found["members"]["reviewer"] == found["members"]["trainer"]
    assert "old-staff" in found["members"]["trainer"]
    assert not {"plain", "mighty", "member"} & set(found["members"]["trainer"])
    assert "requested by a person" in found["log"]
    assert "requested by root" not in found["log"]
    assert {"old-staff", "member"} <= set(found["members"]["operator"])


def test_a_role_stays_as_an_admin_left_it_and_comes_back_when_it_is_gone():
    Group.objects.get(name="reviewer").delete()
    trainer = Group.objects.get(name="trainer")
    trainer.permissions.clear()
    call_command("migrate", verbosity=0)
    reviewer = Group.objects.get(name="reviewer").permissions
    assert reviewer.count() == len(ROLES["reviewer"])
    assert trainer.permissions.count() == 0


# Managing accounts


@pytest.fixture
def operator(client):
    user = make_user("olga", "operator")
    client.force_login(user)
    return user


def form_of(user, **changes) -> dict:
    return {
        "username": user.username,
        "is_active": "on",
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00",
        **changes,
    }


def send(client, user, **changes):
    return client.post(f"/admin/auth/user/{user.pk}/change/", form_of(user, **changes))


def test_an_operator_gives_a_role_and_its_account_is_staff(client, operator):
    ann = User.objects.create_user("ann")
    role = Group.objects.get(name="reviewer")
    assert send(client, ann, groups=[role.pk]).status_code == 302
    ann.refresh_from_db()
    assert (list(ann.groups.all()), ann.is_staff) == ([role], True)
    assert send(client, ann).status_code == 302
    ann.refresh_from_db()
    assert (ann.groups.count(), ann.is_staff) == (0, False)


def test_an_operator_makes_nobody_a_superuser_and_gives_no_permission_alone(client, operator):
    permission = Permission.objects.get(codename="change_group")
    for user in (User.objects.create_user("ann"), operator):
        answer = send(client, user, is_superuser="on", user_permissions=[permission.pk])
        assert answer.status_code == 302
        user.refresh_from_db()
        assert (user.is_superuser, user.user_permissions.count()) == (False, 0)


def test_an_operator_gives_no_group_with_other_rights(client, operator):
    ann, group = User.objects.create_user("ann"), Group.objects.create(name="all of it")
    assert send(client, ann, groups=[group.pk]).status_code == 302
    ann.groups.clear()
    group.permissions.add(Permission.objects.get(codename="change_group"))
    answer = send(client, ann, groups=[group.pk])
    assert "is not one of the available choices" in answer.content.decode()
    assert ann.groups.count() == 0


def too_powerful(kind: str):
    user = User.objects.create_user("eva", is_staff=True, is_superuser=kind == "superuser")
    permission = Permission.objects.get(codename="change_group")
    if kind == "permission":
        user.user_permissions.add(permission)
    if kind == "inactive":
        User.objects.filter(pk=user.pk).update(is_active=False)
    if kind in ("group", "inactive"):
        group = Group.objects.create(name="mighty")
        group.permissions.add(permission)
        user.groups.add(group)
    return user


@pytest.mark.parametrize("kind", ["superuser", "permission", "group", "inactive"])
def test_an_operator_does_not_touch_an_account_with_more_rights(client, operator, kind):
    eva = too_powerful(kind)
    password = {"password1": "a-long-password", "password2": "a-long-password"}
    place = f"/admin/auth/user/{eva.pk}"
    assert send(client, eva, username="mine").status_code == 403
    answer = client.post(f"{place}/password/", password | {"usable_password": "true"})
    assert answer.status_code == 403
    assert client.post(f"{place}/delete/", {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [eva.pk], "post": "yes"}
    assert client.post("/admin/auth/user/", chosen).status_code == 403
    eva.refresh_from_db()
    assert (eva.username, eva.has_usable_password()) == ("eva", False)
    assert client.get(f"{place}/change/").status_code == 200  # to look at


def test_an_operator_sets_a_password_and_deletes_an_account(client, operator):
    ann = make_user("ann", "reviewer", "trainer")
    password = {"password1": "a-long-password", "password2": "a-long-password"}
    place = f"/admin/auth/user/{ann.pk}"
    answer = client.post(f"{place}/password/", password | {"usable_password": "true"})
    assert answer.status_code == 302
    ann.refresh_from_db()
    assert ann.check_password("a-long-password")
    chosen = {"action": "delete_selected", "_selected_action": [ann.pk], "post": "yes"}
    assert client.post("/admin/auth/user/", chosen).status_code == 302
    assert not User.objects.filter(username="ann").exists()


# On the site


def sent_by_a_visitor() -> tuple[Upload, Batch]:
    upload = make_reading(ModelVersion.active(), visitor="somebody")
    return upload, Batch.objects.create(visitor="somebody", kind=Batch.Kind.CSV, total=1)


@pytest.mark.parametrize(
    ("role", "labels", "deletes", "again"),
    [("reviewer", True, False, True), ("operator", False, True, False)],
)
def test_pages_offer_no_more_than_a_role_may_do(client, role, labels, deletes, again):
    upload, batch = sent_by_a_visitor()
    client.force_login(make_user("ann", role))
    page = client.get(upload.get_absolute_url()).content.decode()
    assert ("What digit is it?" in page) == labels
    assert (f"/uploads/{upload.pk}/delete" in page) == deletes
    assert ('id="again"' in page) == again
    job = client.get(batch.get_absolute_url()).content.decode()
    assert (f"/batches/{batch.pk}/delete" in job) == deletes
    assert (f"/batches/{batch.pk}/cancel" in job) == deletes


def test_marked_uploads_of_others_are_not_deleted_among_ones_own(client):
    theirs, _ = sent_by_a_visitor()
    ann = make_user("ann", "reviewer")
    own = make_reading(ModelVersion.active(), user=ann)
    client.force_login(ann)
    marked = {"upload": [own.pk, theirs.pk], "sure": "yes"}
    assert client.post("/uploads/delete", marked).status_code == 403
    assert Upload.objects.count() == 2
    assert client.post("/uploads/delete", marked | {"upload": [own.pk]}).status_code == 302
    assert list(Upload.objects.all()) == [theirs]


def test_a_trainer_does_not_have_a_version_activated_by_a_training(client, redis):
    client.force_login(make_user("tim", "trainer"))
    assert "activate_if_better" not in client.get("/training/new").content.decode()
    asked = {"start": "active", "architecture": "cnn", "activate_if_better": "on", "forced": "on"}
    assert client.post("/training/new", asked).status_code == 302
    assert TrainingRun.objects.get().activate_if_better is False
