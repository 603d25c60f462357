"""What Prometheus reads: its own parser takes it, and the figures are those of the system."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from prometheus_client.parser import text_string_to_metric_families

from digits import tasks
from digits.accounts.owners import Owner
from digits.batches import parts, submission
from digits.models import ModelVersion, Upload
from digits.models.uploads import Status, Verdict
from digits.monitoring import measures
from digits.tasks import serving
from digits.tasks import uploads as work
from digits.tasks.batches import work_on_part
from digits.uploads import queue
from tests.bulks import kaggle_csv
from tests.factories import make_reading, make_user
from worker.reading.bundle import BUNDLED_MODEL

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_collected(redis, monkeypatch):
    """Neither this process nor Redis has counted anything; the process reads as one that starts."""
    measures._collected.clear()
    monkeypatch.setattr(serving, "process", serving.Serving())


def values(text: str) -> dict[str, float]:
    """The samples of an exposition: "name{label=value}" and the value."""
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation, family.name
        assert family.type in ("counter", "gauge", "histogram"), family.name
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sample.labels.items())
            name = f"{sample.name}{{{labels}}}" if labels else sample.name
            assert name not in found
            found[name] = sample.value
    return found


def ask(client) -> dict[str, float]:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    return values(answer.content.decode())


def test_an_empty_site_has_all_its_metrics(client):
    found = ask(client)
    assert found["digits_active_version"] == ModelVersion.active().number
    assert found["digits_queue_waiting{kind=uploads}"] == 0
    assert found["digits_queue_oldest_seconds{kind=readings_again}"] == 0
    assert found["digits_redis_up"] == 1
    assert found["digits_disk_bytes"] > found["digits_disk_free_bytes"] > 0
    assert found["digits_training_runs{status=failed}"] == 0
    assert found["digits_upload_wait_seconds_count"] == 0


def test_uploads_are_counted_with_their_times(client, seven):
    for name in ("a.png", "b.png"):
        client.post("/", {"file": SimpleUploadedFile(name, seven)})
    assert ask(client)["digits_queue_waiting{kind=uploads}"] == 2
    tasks.classify()
    measures.flush()
    found = ask(client)
    assert found["digits_uploads_ended_total{outcome=done}"] == 2
    assert found["digits_upload_wait_seconds_count"] == 2
    assert found["digits_upload_wait_seconds_sum"] > 0
    assert found["digits_upload_wait_seconds_bucket{le=+Inf}"] == 2
    batches = found["digits_upload_batch_size_count"]
    assert 1 <= batches <= 2
    assert found["digits_upload_batch_size_sum"] == 2
    assert found["digits_upload_read_seconds_count"] == batches
    stages = [found[f"digits_stage_seconds_total{{stage={one}}}"] for one in ("read", "save")]
    assert sum(stages) == pytest.approx(found["digits_upload_read_seconds_sum"], rel=0.01)
    assert found["digits_version_uploads{version=1}"] == 2


def test_what_fails_is_counted_by_its_part(client, seven):
    client.post("/", {"file": SimpleUploadedFile("a.png", seven)})
    upload = Upload.objects.get()
    upload.file.delete(save=False)
    Upload.objects.update(file="uploads/gone.png")
    tasks.classify()
    client.post("/", {"file": SimpleUploadedFile("b.png", seven)})
    (claimed,) = queue.claim()
    work._storage_fails(claimed, OSError("no disk"))
    measures.flush()
    found = ask(client)
    assert found["digits_uploads_ended_total{outcome=failed}"] == 1
    assert found["digits_errors_total{part=storage}"] == 1


def test_entries_of_bulk_jobs_are_counted(client, settings, mnist):
    model = settings.MEDIA_ROOT / ModelVersion.active().file.name
    model.parent.mkdir(parents=True)
    model.symlink_to(BUNDLED_MODEL)
    table = kaggle_csv(mnist, 30) + b"31,not a pixel\n"
    submission.submit([SimpleUploadedFile("rows.csv", table)], Owner(None, {}))
    while part := parts.claim():
        work_on_part(part)
    measures.flush()
    found = ask(client)
    assert found["digits_entries_ended_total{outcome=read}"] == 30
    assert found["digits_entries_ended_total{outcome=bad}"] == 1


def test_corrections_are_counted_by_version(client):
    for verdict in (Verdict.CORRECTED, Verdict.CONFIRMED, ""):
        upload = make_reading(ModelVersion.objects.get(number=1))
        Upload.objects.filter(pk=upload.pk).update(status=Status.DONE, verdict=verdict)
    found = ask(client)
    assert found["digits_version_uploads{version=1}"] == 3
    assert found["digits_version_verdicts{version=1}"] == 2
    assert found["digits_version_corrected{version=1}"] == 1


def test_the_classes_of_a_histogram_add_up(client):
    for seconds in (0.005, 0.01, 0.02, 5000):
        measures.observe("upload_wait_seconds", seconds)
    measures.flush()
    found = ask(client)
    name = "digits_upload_wait_seconds_bucket{le=%s}"
    assert [found[name % bound] for bound in ("0.01", "0.03", "1000", "+Inf")] == [2, 3, 3, 4]


def test_what_cannot_be_sent_is_kept(client, redis_down, settings):
    measures.count("errors", "storage")
    measures.flush()
    assert measures._collected == {"errors;storage": 1}
    assert ask(client)["digits_redis_up"] == 0


def test_from_elsewhere_it_wants_the_token(client, settings):
    far = {"REMOTE_ADDR": "192.0.2.1"}
    assert client.get("/metrics", **far).status_code == 401
    bearer = {"HTTP_AUTHORIZATION": "Bearer secret", **far}
    assert client.get("/metrics", **bearer).status_code == 401
    settings.METRICS_TOKEN = "secret"
    assert client.get("/metrics", **bearer).status_code == 200
    assert client.get("/metrics", HTTP_AUTHORIZATION="Bearer secrets", **far).status_code == 401
    assert client.get("/metrics", HTTP_AUTHORIZATION="Basic secret", **far).status_code == 401
    assert client.get("/metrics", **far)["WWW-Authenticate"] == "Bearer"
    client.force_login(make_user("olga", "operator"))
    assert client.get("/metrics", **far).status_code == 200
