"""The main job on a running site: images in, readings out."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import requests
from PIL import Image

from tests.pictures import encoded, in_lines, mnist_png, png
from tests.site import eventually
from worker.reading.engine import Engine
from worker.reading.reading import read_images

ROWS = """
import json
import re
from digits.models import Upload
print(json.dumps([
    {"name": u.name, "status": u.status, "reading": u.reading, "attempts": u.attempts,
     "digits": u.digits.count(),
     "versions": [p.version.number for d in u.digits.all() for p in d.predictions.all()]}
    for u in Upload.objects.filter(name__startswith="PREFIX").order_by("id")
]))
"""


def rows(site, prefix: str) -> list[dict]:
    return json.loads(site.query(ROWS.replace("PREFIX", prefix)))


def test_it_reads_100_images_of_mnist_with_digit_prediction_and_version(site, mnist):
    visitor = site.visitor()
    for index in range(100):
        assert visitor.send(mnist_png(mnist, index), f"hundred-{index}.png").status_code == 200
    eventually(lambda: all(row["status"] == "done" for row in rows(site, "hundred-")), every=1)
    found = rows(site, "hundred-")
    right = [
        row["reading"] == str(mnist.labels[int(row["name"].split("-")[1].split(".")[0])])
        for row in found
    ]
    assert len(found) == 100
    assert sum(right) >= 99
    assert all(row["digits"] == 1 and row["versions"] == [1] for row in found)


def test_prometheus_is_told_what_the_workers_read(site, seven):
    def read() -> float:
        text = requests.get(f"{site.url}/metrics", timeout=40).text
        found = re.search(r'^digits_uploads_ended_total{outcome="done"} (.+)$', text, re.M)
        return float(found[1]) if found else 0

    before = read()
    for _ in range(3):
        site.visitor().send(seven)
    eventually(lambda: read() >= before + 3)


def test_it_shows_the_reading_on_the_page_it_leads_to(site, seven):
    visitor = site.visitor()
    page = visitor.send(seven)
    answer = visitor.get(page.url.removeprefix(site.url) + "?wait=20").text
    assert '<p class="answer">7</p>' in answer
    assert answer.count("<meter") == 11
    assert "model version 1" in answer


def test_it_answers_a_program_in_plain_text(site, seven):
    answer = requests.post(f"{site.url}/mnist/classify", files={"file": seven}, timeout=30)
    assert answer.status_code == 200
    assert answer.text == "Predicted number for input image: 7\n"
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


def classify(site, data: bytes, name: str = "image.png"):
    files = {"file": (name, data)}
    answer = requests.post(f"{site.url}/mnist/classify", files=files, timeout=30)
    return answer.status_code, answer.text.strip()


def test_it_gives_each_bad_file_its_own_message_and_no_traceback(site):
    photo = Image.fromarray(np.random.default_rng(1).integers(0, 255, (300, 300, 3), np.uint8))
    bomb = encoded(Image.new("1", (20000, 20000)), "PNG")
    assert len(bomb) < 200_000
    before = memory_of(site)
    answers = [
        classify(site, b""),
        classify(site, b"these are words, not pixels\n" * 20),
        classify(site, encoded(photo, "JPEG")[:5000], "photo.jpg"),
        classify(site, bomb),
        classify(site, png(np.full((200, 200), 255))),
    ]
    assert [status for status, _ in answers] == [400, 400, 422, 400, 422]
    assert "empty" in answers[0][1]
    assert "not an image" in answers[1][1]
    assert "cut off or damaged" in answers[2][1]
    assert "20000 x 20000" in answers[3][1]
    assert "No digit found" in answers[4][1]
    assert "Traceback" not in site.log()
    assert memory_of(site) - before < 100_000_000


def test_the_form_says_the_same_of_bad_files_as_the_program_hears(site):
    visitor = site.visitor()
    assert "The file is empty." in visitor.send(b"", "empty.png").text
    answer = visitor.send(b"words", "text.png")
    assert answer.status_code == 400
    assert "not an image" in answer.text


def test_the_web_process_and_the_parents_have_no_tensorflow(site):
    mapped = {
        pid: "tensorflow" in Path(f"/proc/{pid}/maps").read_text()
        for pid in site.processes("manage.py|celery")
    }
    assert len(mapped) == 6
    assert [pid for pid, has in mapped.items() if has] == [site.reader()]


def test_it_loads_the_model_once_for_500_uploads(site, mnist):
    loads = site.log().count("loaded model version")
    reader = site.reader()
    send_many(site, mnist, 500, "once")
    eventually(lambda: finished(site, "once") == 500, 120, every=1)
    assert site.reader() == reader
    assert site.log().count("loaded model version") == loads == 1


def send_many(site, mnist, count: int, prefix: str):
    """Send images from four visitors at a time."""

    def send(first: int):
        visitor = site.visitor()
        for index in range(first, count, 4):
            sent = visitor.send(mnist_png(mnist, index), f"{prefix}-{index}.png")
            assert sent.status_code == 200

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, range(4)))


def finished(site, prefix: str) -> int:
    return sum(row["status"] == "done" for row in rows(site, f"{prefix}-"))


def memory_of(site) -> int:
    """The bytes of memory that all processes of an installation hold."""
    pages = [Path(f"/proc/{pid}/statm").read_text().split()[1] for pid in site.processes()]
    return sum(map(int, pages)) * 4096


READINGS = """
import json
import re
from digits.models import Upload
upload = Upload.objects.get(name="NAME")
print(json.dumps([
    {"value": p.value, "probabilities": p.probabilities, "box": [d.x, d.y, d.width, d.height],
     "pixels": bytes(d.pixels).hex()}
    for d in upload.digits.all() for p in d.predictions.all()
]))
"""


def test_the_site_the_command_and_python_give_the_same_answer(site, mnist, manage, tmp_path):
    data = png(in_lines(mnist, [[0, 1, 2], [3, 4, 5]]))
    file = tmp_path / "same-answer.png"
    file.write_bytes(data)
    site.visitor().send(data, file.name)
    eventually(lambda: rows(site, "same-answer")[0]["status"] == "done")
    stored = json.loads(site.query(READINGS.replace("NAME", file.name)))
    printed = json.loads(manage("classify", "--json", file, DATA_DIR=tmp_path).stdout)["digits"]
    (reading,) = read_images(Engine(), [data])
    assert len(stored) == len(printed) == len(reading.digits) == 6
    for row, line, digit in zip(stored, printed, reading.digits, strict=True):
        assert row["value"] == line["digit"] == digit.value
        assert row["box"] == line["box"] == list(digit.glyph.box)
        assert row["pixels"] == digit.glyph.pixels.tobytes().hex()
        assert row["probabilities"] == pytest.approx(line["probabilities"], abs=1e-4)
        assert row["probabilities"] == pytest.approx(list(digit.probabilities), abs=1e-4)


def test_scribbles_are_called_not_a_digit(site):
    """Scribbled crosses are ink, but not a digit."""
    cross = np.full((200, 200), 255, np.uint8)
    for start, end in (((40, 100), (160, 100)), ((100, 40), (100, 160)), ((50, 50), (150, 150))):
        cv2.line(cross, start, end, 0, 9)
    status, answer = classify(site, png(cross))
    assert (status, answer) == (422, "Not a digit.")
    visitor = site.visitor()
    page = visitor.send(png(cross), "cross.png")
    shown = visitor.get(page.url.removeprefix(site.url) + "?wait=20").text
    assert "Not a digit" in shown
    assert "Read as" not in shown
