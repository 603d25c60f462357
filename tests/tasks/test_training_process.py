"""What a training run learns from, and the version and report that it makes."""

import numpy as np
import pytest
from django.conf import settings
from django.core.files import File

from digits.learning import data, runs
from digits.learning.corrections import correct
from digits.learning.withdrawal import withdraw
from digits.models import Activation, Digit, ModelVersion
from digits.models.training import RunStatus
from digits.tasks import training_process
from tests.factories import make_reading, staff_member
from tests.few_images import SHARE
from tests.models import noisy_model
from worker.evaluation.judging import is_better
from worker.files.datasets import load_mnist
from worker.reading.bundle import BUNDLED_MODEL, file_sha256
from worker.training.recipes import Recipe

SHORT = {"epochs": 1, "images_per_epoch": 256, "correction_weight": 2}


def corrected(mnist, count: int, label=None) -> list[Digit]:
    """Digits of MNIST's test set, corrected to what they are, or all to one label."""
    active = ModelVersion.active()
    uploads = [make_reading(active, digits=min(20, count - n)) for n in range(0, count, 20)]
    digits = [digit for upload in uploads for digit in upload.digits.all()]
    for row, digit in enumerate(digits):
        digit.pixels = mnist.images[row].tobytes()
        digit.save()
        truth = int(mnist.labels[row]) if label is None else label
        correct(digit, truth, user=staff_member())
    return digits


def ask(redis, **changes):
    """A claimed run, where the active version's file is in this test's storage."""
    active = ModelVersion.active()
    with BUNDLED_MODEL.open("rb") as file:
        active.file.save("digits.keras", File(file))
    runs.ask(Recipe.fine_tuning(**SHORT | changes))
    return runs.claim()


@pytest.mark.django_db
def test_a_tenth_of_the_corrections_is_held_out_and_always_the_same(mnist):
    digits = corrected(mnist, 200)
    first = data.collect()
    assert len(first.learned) + len(first.held_out) == 200
    assert 8 <= len(first.held_out) <= 35
    correct(digits[0], 3, user=staff_member())
    again = data.collect()
    assert np.array_equal(again.held_out.images, first.held_out.images)
    assert again.sha256 != first.sha256


@pytest.mark.django_db
def test_uncorrected_and_withdrawn_digits_are_not_learned(mnist):
    digits = corrected(mnist, 3)
    correct(digits[0], None)
    make_reading(ModelVersion.active())
    found = data.collect()
    assert len(found.learned) + len(found.held_out) == 2


@pytest.mark.django_db
def test_pixels_that_cannot_be_used_are_skipped_and_named(mnist):
    digits = corrected(mnist, 4)
    Digit.objects.filter(pk=digits[1].pk).update(pixels=b"short")
    Digit.objects.filter(pk=digits[2].pk).update(pixels=bytes(784))
    found = data.collect()
    assert found.skipped == [digits[1].pk, digits[2].pk]
    assert found.as_dict()["skipped_count"] == 2


@pytest.mark.django_db(transaction=True)
def test_a_run_makes_a_version_with_its_report(mnist, redis, few_images, monkeypatch):
    monkeypatch.setenv("MNIST_DIR", str(few_images["MNIST_DIR"]))
    judged = len(load_mnist("test"))
    corrected(mnist, 40)
    active = ModelVersion.active()
    run = ask(redis)
    training_process.train_run(run)
    run.refresh_from_db()
    assert run.status == RunStatus.DONE, run.error_detail
    version = run.version
    assert (version.number, version.parent, version.is_active) == (2, active, False)
    report = version.metrics["report"]
    assert report["sets"]["mnist"]["images"] == judged == 10_000 // SHARE
    assert report["sets"]["mnist"]["accuracy"] > 0.98
    assert report["sets"]["mnist"]["active"]["accuracy"] > 0.99
    assert sum(map(sum, report["confusion"])) == judged
    assert len(report["per_digit"]) == 10
    counts = {"MNIST": 60_000, "corrections": 34, "held_out": 6, "skipped": 0}
    assert version.metrics["data"] == {"counts": counts, "sha256": run.data["sha256"]}
    assert version.metrics["tensorflow"].count(".") == 2
    assert version.metrics["recipe"]["epochs"] == 1
    assert [sorted(one) for one in run.curves] == [
        ["accuracy", "at", "epoch", "loss", "val_accuracy", "val_loss"]
    ]
    assert not training_process.folder_of(run).exists()
    assert any(settings.CONVERTED_DIR.glob(f"{version.sha256[:32]}-*"))  # ready to be activated
    wished = Activation.objects.filter(version=version).exists()
    assert wished == is_better(report)
    assert str(version) in run.outcome


@pytest.mark.django_db(transaction=True)
def test_a_version_is_marked_and_stays_inactive_if_its_corrections_are_withdrawn_meanwhile(
    mnist, redis, few_images, monkeypatch, tmp_path
):
    monkeypatch.setenv("MNIST_DIR", str(few_images["MNIST_DIR"]))
    corrected(mnist, 40)
    run = ask(redis)
    active, worse = ModelVersion.active(), noisy_model(tmp_path / "worse.keras", noise=0.6)
    with worse.open("rb") as file:
        active.file.save("digits.keras", File(file))
    ModelVersion.objects.update(sha256=file_sha256(worse))

    def watch(epoch, step, steps):
        if step == steps:
            withdraw(staff_member())

    training_process.train_run(run, watch)
    run.refresh_from_db()
    assert run.status == RunStatus.DONE, run.error_detail
    assert run.activate_if_better
    assert is_better(run.version.metrics["report"])
    assert run.version.withdrawn_corrections == 40
    assert run.version.warning == "It was trained on 40 corrections that staff withdrew later."
    assert run.outcome.endswith("but 40 of its corrections were withdrawn meanwhile")
    assert not Activation.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_nothing_new_ends_a_run_at_once_unless_it_is_forced(mnist, redis):
    run = ask(redis)
    training_process.train_run(run)
    run.refresh_from_db()
    assert (run.status, run.version) == (RunStatus.DONE, None)
    assert run.outcome == "Nothing is new since the last training."


@pytest.mark.django_db(transaction=True)
def test_a_run_that_fails_says_why_and_the_next_one_works(mnist, redis):
    corrected(mnist, 4)
    run = ask(redis, architecture="mlp")
    training_process.train_run(run)
    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    assert "expected the architecture cnn of version 1" in run.error
    assert "Traceback" in run.error_detail
    assert runs.ask(Recipe.fine_tuning()).status == RunStatus.QUEUED


@pytest.mark.django_db(transaction=True)
def test_a_storage_that_is_full_fails_the_run_and_leaves_no_half_version(
    mnist, redis, settings, few_images, monkeypatch
):
    monkeypatch.setenv("MNIST_DIR", str(few_images["MNIST_DIR"]))
    corrected(mnist, 4)
    run = ask(redis)
    full = {"default": {"BACKEND": "tests.storage.FullStorage"}}
    settings.STORAGES = settings.STORAGES | full
    training_process.train_run(run)
    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    assert "No space left on device" in run.error
    assert ModelVersion.objects.count() == 1
