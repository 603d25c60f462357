"""Activations: a version is tried before it reads, and one that is broken is refused."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from digits.models import Activation, ModelVersion
from digits.models.versions import model_path
from digits.queue import wake_ups
from digits.tasks import serving
from digits.tasks.activation import work_on_activations
from digits.versions import activations, registry
from tests.factories import claimed_activation
from tests.models import changed_model, flip_a_byte, linear_model, mistaken_model
from worker.reading.bundle import BUNDLED_MODEL, ModelError

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch):
    """A worker process that has loaded nothing yet."""
    monkeypatch.setattr(serving, "process", serving.Serving())


@pytest.fixture
def first(media):
    """The version that ships, with its file in this test's folder."""
    version = ModelVersion.active()
    path = Path(version.file.path)
    path.parent.mkdir(parents=True)
    path.write_bytes(BUNDLED_MODEL.read_bytes())
    return version


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    return changed_model(tmp_path_factory.mktemp("models") / "changed.keras")


@pytest.fixture
def second(first, changed):
    return registry.register(changed, {"architecture": "cnn"})


def outcome(activation) -> tuple[str, str]:
    activation.refresh_from_db()
    return activation.status, activation.reason


def refused(activation) -> str:
    """The reason of a refusal, after which the version before goes on."""
    before = ModelVersion.active()
    work_on_activations()
    status, reason = outcome(activation)
    assert status == "refused"
    assert activation.finished_at is not None
    assert ModelVersion.active() == before
    return reason


def messages(redis) -> list[str]:
    return [json.loads(message)["headers"]["task"] for message in redis.lrange("classify", 0, -1)]


def test_a_version_becomes_active_and_reads_with_the_engine_that_was_tried(second, mnist, caplog):
    activation = activations.request(second)
    with caplog.at_level("INFO"):
        work_on_activations()
        engine, version = serving.process.engine_and_version()
    assert outcome(activation) == ("done", "")
    assert ModelVersion.objects.get(is_active=True) == version == second
    assert engine.predict(mnist.images[:1]).argmax() == 7
    assert caplog.text.count("loaded model version") == 1


def test_another_process_swaps_at_its_next_batch(first, second):
    old, _ = serving.process.engine_and_version()
    activations.complete(claimed_activation(second))
    new, version = serving.process.engine_and_version()
    assert version == second
    assert new is not old


def test_a_changed_byte_is_refused_with_both_checksums(second):
    flip_a_byte(second.file.path)
    reason = refused(activations.request(second))
    assert f"was changed: expected SHA-256 {second.sha256}, received " in reason


def test_a_missing_file_is_refused(second):
    Path(second.file.path).unlink()
    assert refused(activations.request(second)).endswith(".keras is missing")


def test_a_folder_in_the_files_place_is_refused(second):
    Path(second.file.path).unlink()
    Path(second.file.path).mkdir()
    assert "is missing" in refused(activations.request(second))


def test_a_file_that_is_no_model_is_refused(first, tmp_path):
    (tmp_path / "words.keras").write_text("words")
    version = registry.register(tmp_path / "words.keras", {"architecture": "cnn"})
    assert "cannot be loaded" in refused(activations.request(version))


def test_a_model_that_gives_no_probabilities_is_refused(first, tmp_path):
    version = registry.register(linear_model(tmp_path / "linear.keras"), {"architecture": "mlp"})
    assert "expected probabilities" in refused(activations.request(version))


def test_a_model_that_gives_no_numbers_is_refused(first, tmp_path):
    broken = changed_model(tmp_path / "nan.keras", shift=float("nan"))
    version = registry.register(broken, {"architecture": "cnn"})
    assert "some that are no numbers" in refused(activations.request(version))


def test_a_model_that_reads_nothing_right_is_refused_with_the_figure(first, tmp_path):
    wrong = registry.register(mistaken_model(tmp_path / "w.keras"), {"architecture": "cnn"})
    reason = refused(activations.request(wrong))
    assert reason.startswith("expected at least 50% of 256 sample digits to be read right, rec")
    assert float(reason.split("received ")[1].rstrip("%")) < 2


def test_the_loaded_engine_goes_on_while_the_active_file_is_broken(first, second):
    before = serving.process.engine_and_version()
    flip_a_byte(first.file.path)
    assert serving.process.engine_and_version() == before


def test_a_refused_version_is_tried_again_after_a_while(first, second, monkeypatch):
    serving.process.engine_and_version()
    whole = Path(second.file.path).read_bytes()
    flip_a_byte(second.file.path)
    activations.complete(claimed_activation(second))
    assert serving.process.engine_and_version()[1] == first
    Path(second.file.path).write_bytes(whole)
    assert serving.process.engine_and_version()[1] == first
    serving.process.refuse(second, seconds=0)
    assert serving.process.engine_and_version()[1] == second


def test_the_version_that_ships_is_loaded_from_there_if_its_file_is_damaged(first, caplog):
    flip_a_byte(first.file.path)
    assert serving.process.engine_and_version()[1] == first
    assert "loaded from where it ships" in caplog.text


def test_a_process_that_cannot_load_the_active_version_uses_the_one_before(
    first, second, tmp_path, monkeypatch
):
    third = registry.register(changed_model(tmp_path / "third.keras"), {"architecture": "cnn"})
    for version in (second, third):
        activations.complete(claimed_activation(version))
    flip_a_byte(third.file.path)
    assert serving.process.engine_and_version()[1] == second
    flip_a_byte(second.file.path)
    monkeypatch.setattr(serving, "process", serving.Serving())
    assert serving.process.engine_and_version()[1] == first


def test_a_process_without_any_engine_says_that_none_can_be_loaded(first):
    ModelVersion.objects.update(sha256="0" * 64)
    with pytest.raises(ModelError, match="was changed"):
        serving.process.engine_and_version()


def test_they_are_carried_out_in_the_order_asked_for(first, second):
    asked = [activations.request(version) for version in (second, first, second)]
    work_on_activations()
    assert [outcome(activation)[0] for activation in asked] == ["done"] * 3
    assert asked[0].finished_at < asked[1].finished_at < asked[2].finished_at
    assert ModelVersion.active() == second


def test_a_refused_one_does_not_hold_up_the_next(first, second):
    Path(second.file.path).unlink()
    bad, good = activations.request(second), activations.request(first)
    work_on_activations()
    assert (outcome(bad)[0], outcome(good)[0]) == ("refused", "done")


def test_asking_twice_for_the_same_is_one_activation(first, second):
    assert activations.request(second) == activations.request(second)
    assert activations.request(first) != activations.request(second)
    assert Activation.objects.count() == 3


def test_one_that_another_process_ended_is_not_ended_again(first, second):
    activation = claimed_activation(second)
    assert activations.complete(activation)
    activations.complete(claimed_activation(first))
    assert not activations.complete(activation)
    assert not activations.refuse(activation, "late")
    assert outcome(activation) == ("done", "")
    assert ModelVersion.active() == first


def test_one_in_a_processes_hands_holds_up_those_after_it(first, second):
    held, later = activations.request(second), activations.request(first)
    claimed = activations.claim()
    assert claimed == held
    assert activations.claim() is None
    activations.complete(claimed)
    assert activations.claim() == later


def expire(activation):
    past = timezone.now() - timedelta(seconds=1)
    Activation.objects.filter(pk=activation.pk).update(lease_expires_at=past)


def test_one_whose_process_was_killed_is_claimed_again(redis, second):
    activation = activations.request(second)
    activations.claim()
    activations.sweep()
    assert messages(redis) == []
    expire(activation)
    activations.sweep()
    assert messages(redis) == ["digits.activate"]
    assert activations.claim() == activation


def test_one_that_stops_its_process_three_times_is_refused(redis, second):
    activation = activations.request(second)
    for _ in range(3):
        assert activations.claim() == activation
        expire(activation)
        activations.sweep()
    assert activations.claim() is None
    assert outcome(activation) == ("refused", "the worker stopped 3 times while trying it")


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_carry_out_each_one_once(redis, monkeypatch):
    """Four threads stand for worker processes; the model itself is not what is tried here."""
    first = registry.register_bundled()
    second = ModelVersion.objects.create(number=2, file=model_path(first, ""), sha256=first.sha256)
    asked = [activations.request(version) for version in (second, first) * 5]
    done = []

    def carry_out_all(_):
        try:
            while Activation.objects.filter(status="queued").exists():
                if activation := activations.claim():
                    assert activations.complete(activation)
                    done.append(activation.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(carry_out_all, range(4)))
    assert done == [activation.pk for activation in asked]
    assert ModelVersion.active() == first


@pytest.mark.django_db(transaction=True)
def test_asking_wakes_a_classify_worker_after_the_commit(redis):
    activations.request(registry.register_bundled())
    assert messages(redis) == ["digits.activate"]


def test_an_activation_is_kept_while_redis_is_down(redis_down, second):
    activation = activations.request(second)
    assert not wake_ups.send(activations.TASK, force=True)
    assert outcome(activation)[0] == "queued"


def test_a_fresh_installation_has_nothing_to_roll_back_to(first):
    assert activations.rollback_target() is None


def test_it_rolls_back_to_the_version_that_was_active_before(first, second, changed):
    third = registry.register(changed, {"architecture": "cnn"})
    for version, before in ((second, first), (third, second), (second, third), (first, second)):
        activations.complete(claimed_activation(version))
        assert activations.rollback_target() == before


def test_a_refused_version_is_nothing_to_roll_back_to(first, second):
    activations.refuse(claimed_activation(second), "broken")
    assert activations.rollback_target() is None


def test_what_waits_and_what_ended_come_from_one_look(first, second, django_assert_num_queries):
    assert activations.progress().state == "0-0"
    waiting = [activations.request(second), activations.request(first)]
    with django_assert_num_queries(1):
        progress = activations.progress()
    assert (progress.waiting, progress.latest) == (waiting, waiting[1])
    assert progress.state == f"{waiting[1].pk}-2"


def test_the_command_says_that_no_worker_took_it(second):
    with pytest.raises(CommandError, match=r"no worker has tried version 2 within 0\.1 s"):
        call_command("activate", 2, wait=0.1)
    assert Activation.objects.get().status == "queued"


def test_the_command_names_the_versions_there_are(second):
    with pytest.raises(CommandError, match=r"number of a version \(1, 2\), received 3"):
        call_command("activate", 3)
