"""Model files of others: what is too large or damaged is refused before it takes memory."""

import pytest

from tests.fuzz.corpus import corpus
from worker.reading.bundle import ModelError, has_student
from worker.reading.keras_models import load_model, load_student

COUNTS = {"plain": 0, "with a student": 1}
TOO_LARGE = {"many units": 2, "more units than any memory": 3, "a description of 200 MB": 6}
DAMAGED = {"deep": 4, "code": 5, "weights": 8, "empty": 9, "words": 10, "cut off": 11, "a ZIP": 12}


@pytest.fixture
def file(tmp_path, request):
    path = tmp_path / "model.keras"
    path.write_bytes(corpus("model")[request.param])
    return path


@pytest.mark.parametrize("file", TOO_LARGE.values(), ids=TOO_LARGE, indirect=True)
def test_a_model_that_is_too_large_is_refused_by_its_description(file):
    with pytest.raises(ModelError, match=r"too many|are more than 16,000,000"):
        load_model(file)


@pytest.mark.parametrize("file", DAMAGED.values(), ids=DAMAGED, indirect=True)
def test_what_is_no_model_is_refused(file):
    with pytest.raises(ModelError, match=r"model\.keras cannot be loaded"):
        load_model(file)


@pytest.mark.parametrize("file", COUNTS.values(), ids=COUNTS, indirect=True)
def test_a_model_and_its_student_are_loaded(file):
    assert load_model(file).output_shape == (None, 11)
    assert load_student(file).output_shape == (None, 11)


@pytest.mark.parametrize("file", [7], ids=["words"], indirect=True)
def test_a_student_that_is_no_model_is_refused(file):
    with pytest.raises(ModelError, match=r"student.keras cannot be loaded"):
        load_student(file)


def test_a_damaged_file_has_no_student(tmp_path):
    path = tmp_path / "model.keras"
    data = corpus("model")[0]
    end = data.rindex(b"PK\x05\x06")
    path.write_bytes(data[:end] + data[end : end + 12] + b"\xff" * 8 + data[end + 20 :])
    assert not has_student(path)
