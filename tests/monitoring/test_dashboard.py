"""The state of the system, as staff sees it."""

import json
import os
import re
import socket
import time
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from digits.learning.corrections import correct
from digits.models import ModelVersion, Rereading, Upload
from digits.monitoring import figures
from digits.pictures.charts import bars
from digits.queue import heartbeats
from digits.queue import redis as our_redis
from tests.factories import make_reading, make_upload, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client):
    user = get_user_model().objects.create_superuser("eve")
    client.force_login(user)
    return user


@pytest.fixture
def version():
    return ModelVersion.active()


@pytest.fixture
def no_redis(settings, tmp_path):
    """A Redis that nobody started."""
    our_redis._client.cache_clear()
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"
    yield
    our_redis._client.cache_clear()


def words(answer) -> str:
    """A page's text without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def test_it_is_for_operators(client):
    assert client.get("/dashboard/").url == "/accounts/login/?next=/dashboard/"
    client.force_login(get_user_model().objects.create_user("ann"))
    assert client.get("/dashboard/").status_code == 403
    assert "/dashboard/" not in client.get("/").content.decode()
    client.force_login(make_user("joe", "operator"))
    assert client.get("/dashboard/").status_code == 200
    assert "/dashboard/" in client.get("/").content.decode()


def test_a_fresh_site_says_that_nothing_was_read(client, staff, redis):
    page = words(client.get("/dashboard/"))
    assert "Uploads 0 0" in page
    assert page.count("Nothing has been read yet.") == 2
    assert "No worker process has given a sign of life." in page


def test_a_stopped_redis_is_shown_and_the_page_works(client, staff, no_redis):
    answer = client.get("/dashboard/")
    assert answer.status_code == 200
    assert "Redis is down: Error 2 connecting to" in words(answer)
    assert "Workers give their signs of life through Redis, which is down." in words(answer)


def test_workers_are_shown_with_device_version_and_sign_of_life(client, staff, redis):
    host, pid = socket.gethostname(), os.getpid()
    sign = {"host": host, "pid": pid, "seen_at": time.time(), "device": "GPU 0", "version": 3}
    redis.set(f"{heartbeats.PREFIX}{host}:{pid}", json.dumps(sign))
    redis.lpush("classify", "a wake-up")
    page = words(client.get("/dashboard/"))
    assert f"{host}, {pid} GPU 0 3 instead of 1 , which is active" in page
    assert "Redis holds 1 wake-up that" in page


def test_uploads_are_counted_by_the_hour(settings):
    now = timezone.now()
    for minutes in (1, 2, 59, 61, 23 * 60 + 59, 24 * 60 + 1):
        make_upload(created_at=now - timedelta(minutes=minutes))
    counts = figures.uploads_by_hour()
    assert len(counts) == 24
    assert (counts[-1], counts[-2], counts[0], sum(counts)) == (3, 1, 1, 5)


def test_of_a_busy_hour_the_numbers_of_uploads_tell_how_many_came(monkeypatch):
    monkeypatch.setattr(figures, "COUNTED", 2)
    now = timezone.now()
    for minutes in (200, 150, 150, 10, 9, 8, 7):
        make_upload(created_at=now - timedelta(minutes=minutes))
    assert figures.uploads_by_hour()[-4:] == [1, 2, 0, 4]


def test_a_busy_hour_has_no_fewer_uploads_than_were_counted(monkeypatch):
    monkeypatch.setattr(figures, "COUNTED", 2)
    now = timezone.now()
    for minutes in (1, 2, 3, 200):
        make_upload(created_at=now - timedelta(minutes=minutes))
    assert figures.uploads_by_hour()[-1] >= 3


def test_queues_say_how_long_the_oldest_waits(version):
    now = timezone.now()
    make_upload(created_at=now - timedelta(minutes=5))
    make_upload(created_at=now - timedelta(minutes=1))
    make_upload(status="running", created_at=now - timedelta(hours=1))
    Rereading.objects.create(upload=make_reading(version), version=version)
    queues = {queue["name"]: queue for queue in figures.queues()}
    uploads = queues["Uploads"]
    assert (uploads["waiting"], uploads["running"]) == (2, 1)
    assert timedelta(minutes=5) <= uploads["oldest"] < timedelta(minutes=6)
    assert queues["Readings again"]["waiting"] == 1
    assert queues["Batches"]["oldest"] is None


def test_times_are_the_median_and_what_95_percent_stay_below(version):
    start = timezone.now()
    for number in range(1, 21):
        upload = make_reading(version)
        began = start + timedelta(seconds=number)
        Upload.objects.filter(pk=upload.pk).update(
            created_at=start, started_at=began, finished_at=began + timedelta(seconds=2)
        )
    times = figures.times()
    assert times["count"] == 20
    assert times["waited"] == {"median": timedelta(seconds=10), "slow": timedelta(seconds=20)}
    assert times["ran"]["slow"] == timedelta(seconds=2)


def test_versions_say_what_share_was_corrected(client, staff, redis, version):
    second = ModelVersion.objects.create(number=2, architecture="cnn")
    readings = [make_reading(version) for _ in range(3)] + [make_reading(second)]
    correct(readings[0].digits.get(), 1)
    correct(readings[1].digits.get(), 7)
    rows = {row.pop("number"): row for row in figures.corrected_by_version()}
    assert list(rows) == [2, 1]
    assert rows[1] | {"pk": 0, "share": 0} == {
        "pk": 0,
        "share": 0,
        "read": 3,
        "looked_at": 2,
        "corrected": 1,
    }
    assert rows[1]["share"] == pytest.approx(1 / 3)
    page = client.get("/dashboard/").content.decode()
    assert 'href="/uploads/?version=1&amp;verdict=corrected"' in page
    assert "33.33 %" in page


def test_the_database_and_the_disk_have_a_size():
    disk = figures.disk()
    assert disk["database"] > 10_000
    assert 0 < disk["free"] < disk["total"]


def test_it_asks_again_by_itself_for_the_part_that_changes(client, staff, redis):
    part = client.get("/dashboard/", headers={"HX-Request": "true"})
    assert part["Cache-Control"] == "no-store"
    assert 'hx-get="/dashboard/" hx-trigger="every 5s"' in part.content.decode()
    assert "<html" not in part.content.decode()


@pytest.mark.parametrize("count", [1, 30])
def test_it_takes_as_many_queries_for_many_uploads(
    client, staff, redis, version, count, django_assert_max_num_queries
):
    for _ in range(count):
        correct(make_reading(version).digits.get(), 4)
    with django_assert_max_num_queries(14):
        client.get("/dashboard/")


def test_bars_are_as_high_as_what_they_count():
    chart = bars([0, 5, 10])
    assert [bar.height for bar in chart.bars] == [0, 70, 140]
    assert [bar.y for bar in chart.bars] == [140, 70, 0]
    assert [bar.ago for bar in chart.bars] == [3, 2, 1]
    assert (chart.most, chart.total) == (10, 15)
    assert bars([0, 0]).bars[0].height == 0
