"""Whose word trainings learn from, and the withdrawal of what one person said."""

import re
from importlib import import_module

import numpy as np
import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

from digits.learning import data, runs, trust, used
from digits.learning.corrections import correct
from digits.learning.withdrawal import AT_ONCE, withdraw
from digits.models import (
    AuditEvent,
    Correction,
    ModelVersion,
    TrainingRun,
    Upload,
    UsedCorrections,
)
from digits.models.audit import Act
from digits.models.corrections import Trust
from digits.models.training import RunStatus
from digits.versions import warnings
from tests.factories import make_reading, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff():
    return make_user("staff", "trainer")


@pytest.fixture
def eve():
    return User.objects.create_user("eve")


def digits_of(user=None, count: int = 1, **fields) -> list:
    """Digits that somebody sent, which the active version read as 7; no two look the same."""
    digits = list(
        make_reading(ModelVersion.active(), digits=count, user=user, **fields).digits.all()
    )
    for digit in digits:
        digit.pixels = np.random.default_rng(digit.pk).bytes(784)
        digit.save(update_fields=["pixels"])
    return digits


def learned() -> list[int]:
    found = data.collect()
    return sorted([*found.learned.labels.tolist(), *found.held_out.labels.tolist()])


def label_of(digit) -> int | None:
    digit.refresh_from_db()
    return digit.label


def version_of(number: int, parent=None, from_scratch: bool = False) -> ModelVersion:
    """A version that a training has made of the corrections of now."""
    version = ModelVersion.objects.create(number=number, architecture="cnn", parent=parent)
    run = TrainingRun.objects.create(
        status=RunStatus.DONE,
        version=version,
        from_scratch=from_scratch,
        data_until=timezone.now(),
    )
    found = data.collect()
    used.store(run, found.keys, found.people)
    return version


def test_by_default_staff_and_trusted_accounts_are_learned_from(staff, eve):
    ada = User.objects.create_user("ada")
    trust.give(ada)
    for label, who in ((1, {"user": staff}), (2, {"user": ada}), (3, {"user": eve})):
        correct(digits_of()[0], label, **who)
    correct(digits_of()[0], 4, visitor="b" * 32)
    correct(digits_of()[0], 5)
    words = Correction.objects.order_by("label").values_list("trust", flat=True)
    assert list(words) == ["staff", "trusted", "account", "visitor", "visitor"]
    assert learned() == [1, 2]
    assert (data.collect().left_out, runs.new_corrections()) == (3, 2)


@pytest.mark.parametrize(
    ("setting", "labels"),
    [(["staff"], [1]), (["account", "visitor"], [3, 4]), (["staff", "account"], [1, 3])],
)
def test_a_setting_says_who_is_learned_from(staff, eve, settings, setting, labels):
    settings.TRAIN_ON = setting
    for label, who in ((1, {"user": staff}), (3, {"user": eve}), (4, {"visitor": "b" * 32})):
        digit = digits_of()[0]
        digit.pixels = bytes([label] * 784)  # none of them is held out
        digit.save()
        correct(digit, label, **who)
    assert learned() == labels
    assert runs.new_corrections() == len(labels)


def test_no_version_is_judged_by_whom_staff_does_not_trust(staff, eve, settings):
    settings.TRAIN_ON = ["staff", "account", "visitor"]
    theirs, mine = digits_of(count=60), digits_of(count=60)
    for digit in theirs:
        correct(digit, 3, user=eve)
    found = data.collect()
    assert len(found.held_out) == 0
    assert 40 <= len(found.learned) < 60
    for digit in mine:
        correct(digit, 4, user=staff)
    found = data.collect()
    assert set(found.held_out.labels.tolist()) == {4}
    assert len(found.keys) == len(found.learned) + len(found.held_out) == found.people.total()


@pytest.mark.django_db(transaction=True)
def test_the_word_of_anybody_starts_no_training(redis, settings, staff, eve):
    settings.RETRAIN_AFTER = 3
    for digit in digits_of(eve, 5):
        correct(digit, 5, user=eve)
    for digit in digits_of(None, 5, visitor="b" * 32):
        correct(digit, 5, visitor="b" * 32)
    assert not TrainingRun.objects.exists()
    trust.give(eve)
    assert TrainingRun.objects.get().origin == "automatic"


def test_an_account_that_is_trusted_is_trusted_in_what_it_said_before(eve):
    digit = digits_of(eve)[0]
    correct(digit, 3, user=eve)
    TrainingRun.objects.create(status=RunStatus.DONE, data_until=timezone.now())
    assert (learned(), runs.new_corrections()) == ([], 0)
    trust.give(eve)
    assert (learned(), runs.new_corrections()) == ([3], 1)
    trust.take(eve)
    assert learned() == []
    told = AuditEvent.objects.filter(about=f"account {eve.pk} eve").order_by("pk")
    assert list(told.values_list("act", flat=True))[1:] == [Act.TRUST_GIVEN, Act.TRUST_TAKEN]


def test_the_word_of_a_deleted_account_counts_as_it_did(staff):
    digit = digits_of()[0]
    correct(digit, 3, user=staff)
    staff.delete()
    assert learned() == [3]


def test_a_digit_has_one_label(staff, eve):
    digit = digits_of()[0]
    correct(digit, 3, user=eve)
    first = correct(digit, 4, user=staff)
    assert Correction.objects.get(is_current=True) == first
    with pytest.raises(IntegrityError), transaction.atomic():
        Correction.objects.create(digit=digit, label=5, is_current=True)
    correct(digit, None, user=staff)
    assert not Correction.objects.filter(is_current=True).exists()


def test_what_one_person_said_is_withdrawn_and_digits_go_back(staff, eve):
    read, corrected, withdrawn, accepted = digits_of(eve, 4)
    correct(read, 1, user=eve)
    correct(corrected, 4, user=staff)
    correct(corrected, 1, user=eve)
    correct(corrected, 2, user=eve)
    correct(withdrawn, 4, user=staff)
    correct(withdrawn, None, user=eve)
    correct(accepted, 5, user=eve)
    correct(accepted, 5, user=staff)
    done = withdraw(eve)
    assert (done.corrections, done.digits, done.versions) == (5, 3, [])
    assert [label_of(digit) for digit in (read, corrected, withdrawn, accepted)] == [None, 4, 4, 5]
    assert learned() == [4, 4, 5]
    assert [p.to_review for p in (read.predictions.get(), corrected.predictions.get())] == [
        True,
        False,
    ]
    upload = Upload.objects.get()
    assert (upload.reading, upload.corrected) == ("7777", "7445")
    assert eve.correction_set.filter(withdrawn_at=None).count() == 0
    event = AuditEvent.objects.latest("pk")
    assert (event.act, event.about) == (Act.CORRECTIONS_WITHDRAWN, f"account {eve.pk} eve")
    assert event.detail == "5 corrections; marked: no version"


def test_the_verdict_on_a_reading_goes_with_what_is_withdrawn(eve):
    digit = digits_of(eve)[0]
    correct(digit, 1, user=eve)
    withdraw(eve)
    upload = Upload.objects.get()
    assert (upload.verdict, upload.corrected) == ("", "")


def test_what_a_browser_session_said_is_withdrawn_and_nobody_elses(staff):
    mine, theirs = digits_of(None, 2, visitor="b" * 32)
    correct(mine, 1, visitor="b" * 32)
    correct(theirs, 2, visitor="c" * 32)
    assert withdraw(visitor="b" * 32).corrections == 1
    assert (label_of(mine), label_of(theirs)) == (None, 2)
    with pytest.raises(ValueError, match="received neither"):
        withdraw()


def test_a_withdrawal_that_was_cut_off_is_finished_by_the_next(eve, monkeypatch):
    digits = digits_of(eve, 3)
    for digit in digits:
        correct(digit, 1, user=eve)
    trust.give(eve)

    def killed(keys):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("digits.learning.withdrawal._put_back", killed)
        with pytest.raises(KeyboardInterrupt):
            withdraw(eve)
    assert learned() == []  # what is withdrawn counts no more from the first moment on
    done = withdraw(eve)
    assert (done.corrections, done.digits) == (0, 3)
    assert [label_of(digit) for digit in digits] == [None] * 3


def test_many_are_withdrawn_group_by_group(eve, django_assert_max_num_queries):
    many = [digit for _ in range(3) for digit in digits_of(eve, AT_ONCE // 2)]
    for digit in many:
        correct(digit, 1, user=eve)
    with django_assert_max_num_queries(120):
        assert withdraw(eve).digits == len(many) > AT_ONCE
    assert not Upload.objects.exclude(verdict="").exists()


def test_a_withdrawn_account_is_trusted_no_more_until_it_is_again(eve):
    trust.give(eve)
    first, second = digits_of(eve, 2)
    correct(first, 1, user=eve)
    withdraw(eve)
    correct(second, 2, user=eve)
    assert learned() == []
    trust.give(eve)
    assert learned() == [2]


def test_versions_that_were_trained_on_it_are_marked_and_those_tuned_from_them(client, staff, eve):
    clean, poisoned, kept = *digits_of(eve, 2), digits_of()[0]
    correct(kept, 4, user=staff)
    before = version_of(2)
    trust.give(eve)
    correct(clean, 1, user=eve)
    correct(poisoned, 1, user=eve)
    third = version_of(3, parent=before)
    version_of(4, parent=third)
    version_of(5, parent=third, from_scratch=True)
    eve.correction_set.all().delete()  # its uploads are gone: the mark comes all the same
    done = withdraw(eve)
    assert [version.number for version in done.versions] == [3, 4, 5]
    counts = ModelVersion.objects.order_by("number").values_list("withdrawn_corrections", flat=True)
    assert list(counts) == [0, 0, 2, 2, 2]
    sixth = version_of(6, parent=third)
    seventh = version_of(7, parent=third, from_scratch=True)
    warnings.refresh()  # as a training does when it registers its version
    assert sixth.withdrawn_corrections == seventh.withdrawn_corrections == 0
    told = "trained on 2 corrections that staff withdrew later"
    assert told in client.get(third.get_absolute_url()).content.decode()
    page = client.get(sixth.get_absolute_url()).content.decode()
    assert "It was tuned from version 3, which was trained on corrections that staff" in page
    for version in (before, seventh):
        assert "withdrew" not in client.get(version.get_absolute_url()).content.decode()
    assert client.get("/models/").content.decode().count(told) == 3


def test_a_second_withdrawal_counts_nothing_twice(eve):
    trust.give(eve)
    first, second = digits_of(eve, 2)
    correct(first, 1, user=eve)
    version_of(2)
    withdraw(eve)
    correct(second, 1, user=eve)
    trust.give(eve)
    version_of(3)
    withdraw(eve)
    counts = ModelVersion.objects.filter(number__gt=1).values_list(
        "withdrawn_corrections", flat=True
    )
    assert list(counts) == [1, 1]


def test_a_run_that_goes_on_has_used_what_it_began_with(eve):
    trust.give(eve)
    first, second = digits_of(eve, 2)
    one = correct(first, 1, user=eve)
    run = TrainingRun.objects.create(status=RunStatus.RUNNING)
    found = data.collect()
    used.store(run, found.keys, found.people)
    withdraw(eve)
    two = correct(second, 2, visitor="b" * 32)
    used.store(run, [two.pk], {used.person(None, "b" * 32): 1})
    row = UsedCorrections.objects.get(run=run)
    assert used.unpacked(row.keys) == [one.pk, two.pk]
    assert row.people == {f"u{eve.pk}": 1, f"v{'b' * 32}": 1}
    with transaction.atomic():
        assert used.withdrawn_of(run) == 1


def test_what_is_withdrawn_before_a_run_has_stored_what_it_uses_is_found(eve):
    trust.give(eve)
    correct(digits_of(eve)[0], 1, user=eve)
    found = data.collect()
    run = TrainingRun.objects.create(status=RunStatus.RUNNING, data_until=found.until)
    assert withdraw(eve).versions == []
    used.store(run, found.keys, found.people)
    for _ in range(2):
        with transaction.atomic():
            assert used.withdrawn_of(run) == 1
    assert UsedCorrections.objects.get(run=run).withdrawn == [f"u{eve.pk}"]


@pytest.mark.parametrize("keys", [[], [5], [1, 2, 3, 2**40], list(range(7, 200_000, 2))])
def test_keys_are_stored_in_a_few_bytes_and_come_back(keys):
    stored = used.packed(reversed(keys))
    assert used.unpacked(stored) == keys
    assert len(stored) < 60 + len(keys) / 50


def test_staff_accepts_another_label_or_the_reading_on_the_site(client, staff, eve):
    client.force_login(staff)
    rows = digits_of(eve, 3)
    for digit in rows:
        correct(digit, 3, user=eve)
    page = client.get("/review/corrections/").content.decode()
    assert page.count("Accept 3") == 3
    assert page.count("eve says, read as 7") == 3
    assert '<p class="lead">3 labels' in page
    for digit, label in zip(rows, ("3", "4", ""), strict=True):
        form = {"digit": digit.pk, "label": label}
        assert client.post("/review/corrections/", form).status_code == 302
    assert [label_of(digit) for digit in rows] == [3, 4, None]
    assert learned() == [3, 4]
    assert "Nothing waits for your word." in client.get("/review/corrections/").content.decode()


def test_what_no_longer_waits_or_is_no_label_is_refused(client, staff, eve):
    client.force_login(staff)
    digit = digits_of(eve)[0]
    correct(digit, 3, user=eve)
    for fields, status in (
        ({"digit": digit.pk, "label": "12"}, 400),
        ({"digit": "x", "label": "3"}, 404),
        ({"digit": "9" * 30, "label": "3"}, 404),
        ({"digit": digit.pk, "label": "3"}, 302),
        ({"digit": digit.pk, "label": "4"}, 404),
    ):
        assert client.post("/review/corrections/", fields).status_code == status
    assert label_of(digit) == 3


def test_staff_trusts_an_account_where_its_corrections_are_reviewed(client, staff, eve):
    client.force_login(staff)
    correct(digits_of(eve)[0], 3, user=eve)
    page = client.get("/review/corrections/").content.decode()
    address = re.search(r'action="(/review/corrections/trust/\d+)"', page)[1]
    page = client.post(address, {"trusted": "1"}, follow=True).content.decode()
    assert "eve is trusted" in page
    assert learned() == [3]
    page = client.post(address, {"trusted": "0"}, follow=True).content.decode()
    assert "eve is not trusted any more" in page
    assert learned() == []


@pytest.mark.parametrize("path", ["", "trust/{}"])
def test_only_staff_accepts_and_trusts(client, eve, path):
    digit = digits_of(eve)[0]
    correct(digit, 3, user=eve)
    address = f"/review/corrections/{path.format(eve.pk)}"
    fields = {"digit": digit.pk, "label": "3", "trusted": "1"}
    for sender in (None, eve, make_user("operator", "operator")):
        if sender:
            client.force_login(sender)
        assert client.post(address, fields).status_code == 403
    assert (learned(), trust.is_trusted(eve)) == ([], False)


def test_many_that_wait_take_as_many_queries(client, staff, eve, django_assert_max_num_queries):
    client.force_login(staff)
    for digit in digits_of(eve, 30):
        correct(digit, 3, user=eve)
    with django_assert_max_num_queries(8):
        page = client.get("/review/corrections/").content.decode()
    assert page.count("Accept 3") == 20


@pytest.fixture
def admin(client):
    client.force_login(User.objects.create_superuser("root", password="x"))
    return client


def act(admin, model: str, action: str, *rows) -> str:
    form = {"action": action, "_selected_action": [row.pk for row in rows]}
    return admin.post(f"/admin/{model}/", form, follow=True).content.decode()


def test_the_admin_trusts_and_withdraws(admin, eve):
    correct(digits_of(eve)[0], 3, user=eve)
    act(admin, "auth/user", "trust_them", eve)
    assert learned() == [3]
    version = version_of(2)
    for query, count in (("yes", 1), ("no", 1), ("x", 2)):
        page = admin.get(f"/admin/auth/user/?trusted={query}").content.decode()
        assert page.count('class="field-username"') == count
    page = act(admin, "auth/user", "withdraw_corrections", eve)
    assert "Corrections of eve: 1 withdrawn, 1 digits are as they were before" in page
    assert "version 2 marked" in page
    page = admin.get("/admin/digits/modelversion/").content.decode()
    assert page.count("trained on 1 correction that staff withdrew later") == 1
    page = admin.get(f"/admin/digits/modelversion/{version.pk}/change/").content.decode()
    assert "trained on 1 correction that staff withdrew later" in page
    act(admin, "auth/user", "trust_them", eve)
    act(admin, "auth/user", "trust_them_no_more", eve)
    assert not trust.is_trusted(eve)


def test_the_admin_withdraws_all_of_who_made_a_correction(admin, staff):
    first, second = digits_of(None, 2, visitor="b" * 32)
    one = correct(first, 3, visitor="b" * 32)
    correct(second, 4, visitor="b" * 32)
    page = act(admin, "digits/correction", "withdraw_all", one)
    assert f"Corrections of browser session {'b' * 32}: 2 withdrawn" in page
    nobody = correct(first, 3)
    page = act(admin, "digits/correction", "withdraw_all", nobody)
    assert "It is not known who made" in page
    assert label_of(first) == 3


def test_a_corrections_page_names_the_versions_that_used_it(admin, staff):
    correction = correct(digits_of()[0], 3, user=staff)
    version_of(2)
    later = correct(digits_of()[0], 3, user=staff)
    page = admin.get(f"/admin/digits/correction/{correction.pk}/change/").content.decode()
    assert "version 2</a>" in page
    page = admin.get(f"/admin/digits/correction/{later.pk}/change/").content.decode()
    assert "version 2</a>" not in page


def test_staff_without_the_permission_withdraws_nothing(client, eve):
    client.force_login(User.objects.create_user("bob", is_staff=True))
    one = correct(digits_of(eve)[0], 3, user=eve)
    form = {"action": "withdraw_all", "_selected_action": [one.pk]}
    assert client.post("/admin/digits/correction/", form).status_code == 403
    assert label_of(one.digit) == 3


def test_a_command_withdraws(eve, capsys):
    one, two = digits_of(eve, 2)
    correct(one, 3, user=eve)
    correct(two, 3, visitor="b" * 32)
    call_command("withdraw_corrections", "eve")
    assert "1 withdrawn, 1 digits are as they were before" in capsys.readouterr().out
    call_command("withdraw_corrections", "b" * 32, visitor=True)
    assert [label_of(one), label_of(two)] == [None, None]
    for words in (["nobody"], ["nobody", "--visitor"]):
        with pytest.raises(CommandError, match="expected"):
            call_command("withdraw_corrections", *words)


def test_what_was_said_before_trust_was_kept_is_learned_from_as_before(staff, eve, settings):
    labels = (3, 4, 5, 6)
    digits = digits_of(eve, 5)
    people = ({"user": staff}, {"user": eve}, {"visitor": "b" * 32})
    for digit, label, who in zip(digits, labels, people, strict=False):
        correct(digit, label, **who)
    correct(digits[3], 6, user=eve)
    correct(digits[3], None, user=eve)
    type(digits[4]).objects.filter(pk=digits[4].pk).update(label=8)  # a label without a correction
    Correction.objects.update(trust="visitor", is_current=False, counts_since=timezone.now())
    import_module("digits.migrations.0022_trust_of_before").fill(apps, None)
    assert learned() == [3, 4, 5, 8]
    words = Correction.objects.filter(is_current=True).order_by("label")
    assert list(words.values_list("trust", flat=True)) == ["staff", *["earlier"] * 3]
    assert all(one.counts_since == one.created_at for one in words)
    settings.TRAIN_ON = ["staff", "trusted"]
    assert learned() == [3]
    assert {one.trust for one in trust.waiting()} == {Trust.EARLIER}


def test_a_training_on_nobody_is_refused_at_the_start(manage):
    for value in ("everybody", "staff,friends"):
        done = manage("check", TRAIN_ON=value)
        assert done.returncode != 0
        assert "expected TRAIN_ON to be some of staff, trusted, account" in done.stderr
