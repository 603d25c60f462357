"""OpenVINO and Keras compute the same; a converted model is kept."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tests.models import noisy_model
from tests.site import ROOT
from worker.reading import openvino_models
from worker.reading.bundle import BUNDLED_MODEL, VERIFIER, ModelError
from worker.reading.devices import DeviceError, pin, runtime
from worker.reading.engine import Engine
from worker.reading.keras_models import KerasNetwork, load_model, load_student, load_verifier
from worker.reading.networks import IMAGE, PART
from worker.reading.openvino_models import OpenVINONetwork

CLOSE = 1e-4  # the greatest difference of a probability; 9e-7 was measured


def test_both_read_all_of_mnists_test_images_the_same(mnist):
    images = mnist.images[..., None]
    own, other = OpenVINONetwork(BUNDLED_MODEL, IMAGE), KerasNetwork(load_model(BUNDLED_MODEL))
    rows, others = own(images), other(images)
    assert (rows.argmax(axis=1) == others.argmax(axis=1)).all()
    assert np.abs(rows - others).max() < CLOSE
    by_students = own.student(images), KerasNetwork(load_student(BUNDLED_MODEL))(images)
    assert np.abs(by_students[0] - by_students[1]).max() < CLOSE


def test_both_verify_the_same():
    parts = np.random.default_rng(1).integers(0, 256, (99, *PART), np.uint8)
    own, other = OpenVINONetwork(VERIFIER, PART), KerasNetwork(load_verifier(VERIFIER))
    assert np.abs(own(parts) - other(parts)).max() < CLOSE


FREED = """
import os, signal
from worker.reading.engine import Engine
came = []
signal.signal(signal.SIGURG, lambda *_: came.append(1))
stays = Engine()
for _ in range(3):
    other = Engine()
    del other
    os.kill(os.getpid(), signal.SIGURG)
print(len(came))
"""


def test_a_process_takes_signals_after_an_engine_was_freed():
    done = subprocess.run(
        [sys.executable, "-c", FREED], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "3\n", "")


def test_the_engine_says_what_computes_it(monkeypatch):
    assert Engine().runtime == "openvino"
    monkeypatch.setenv("ENGINE", "tensorflow")
    assert Engine().runtime == "tensorflow"
    monkeypatch.setenv("ENGINE", "abacus")
    with pytest.raises(DeviceError, match='received "abacus"'):
        Engine()


def test_a_gpu_is_for_tensorflow(monkeypatch):
    monkeypatch.setattr("worker.reading.devices._pinned_to", "0")
    assert runtime() == "tensorflow"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    pin(0, [])
    assert runtime() == "openvino"


def test_a_model_is_converted_once(tmp_path, monkeypatch):
    OpenVINONetwork(BUNDLED_MODEL, IMAGE, folder=tmp_path)
    (kept,) = tmp_path.iterdir()
    assert {f"{size}.xml" for size in openvino_models.BATCH_SIZES} < set(os.listdir(kept))
    monkeypatch.setattr(openvino_models, "_convert", None)  # a call would fail
    OpenVINONetwork(BUNDLED_MODEL, IMAGE, folder=tmp_path)


def test_only_the_latest_converted_models_are_kept(tmp_path):
    for number in range(9):
        (tmp_path / f"{number}-old").mkdir()
        (tmp_path / f"{number}-old" / "1.xml").touch()
        os.utime(tmp_path / f"{number}-old", (number, number))
    OpenVINONetwork(BUNDLED_MODEL, IMAGE, folder=tmp_path)
    left = {one.name for one in tmp_path.iterdir()}
    assert len(left) == openvino_models.KEPT
    assert {"0-old", "1-old"}.isdisjoint(left)


def test_a_folder_that_cannot_be_written_keeps_nothing(tmp_path, mnist):
    (tmp_path / "file").touch()
    network = OpenVINONetwork(BUNDLED_MODEL, IMAGE, folder=tmp_path / "file" / "converted")
    assert network(mnist.images[:1, ..., None]).argmax() == mnist.labels[0]


def test_another_model_has_other_files(tmp_path, mnist):
    folder, images = tmp_path / "converted", mnist.images[:9, ..., None]
    other = noisy_model(tmp_path / "other.keras")
    rows = [OpenVINONetwork(path, IMAGE, folder=folder)(images) for path in (BUNDLED_MODEL, other)]
    assert np.abs(rows[0] - rows[1]).max() > CLOSE


@pytest.mark.parametrize("content", [b"", b"no model at all"])
def test_a_damaged_file_is_refused(tmp_path, content):
    (tmp_path / "digits.keras").write_bytes(content)
    with pytest.raises(ModelError, match=r"digits\.keras cannot be loaded"):
        OpenVINONetwork(tmp_path / "digits.keras", IMAGE, folder=tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["digits.keras"]


def test_a_damaged_converted_model_is_made_again(tmp_path, mnist):
    OpenVINONetwork(BUNDLED_MODEL, IMAGE, folder=tmp_path)
    (kept,) = tmp_path.iterdir()
    (kept / "16.xml").write_text("<net")
    network = OpenVINONetwork(BUNDLED_MODEL, IMAGE, folder=tmp_path)
    assert network(mnist.images[:20, ..., None])[7].argmax() == mnist.labels[7]
