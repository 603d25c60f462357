"""What happens when parts of a running site die: nothing is lost."""

import json
import os
import re
import signal
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from benchmarks.batches import Program, kaggle_table, kill_while_it_reads
from digits.queue import wake_ups
from digits.uploads import queue
from tests.pictures import mnist_png, noisy_page
from tests.site import Site, environment, eventually, load, run_manage
from tests.system.test_reading import classify, finished, rows, send_many


@pytest.fixture(name="own_site")
def sound_site(own_site):
    """One installation for all tests here: each does it harm, and the next one finds it well."""
    if own_site.process.poll() is not None:
        own_site.start()
    eventually(own_site.is_ready)
    return own_site


def test_a_killed_worker_process_costs_no_upload(own_site, mnist):
    site = own_site
    worker = next(iter(site.processes("queues=classify")))
    os.kill(worker, signal.SIGSTOP)  # so that 500 are queued before the first is read
    reader = site.reader()
    os.kill(reader, signal.SIGSTOP)
    send_many(site, mnist, 500, "kill")
    os.kill(worker, signal.SIGCONT)
    os.kill(reader, signal.SIGCONT)
    eventually(lambda: finished(site, "kill") > 0, every=0.01)
    os.kill(reader, signal.SIGKILL)
    eventually(lambda: finished(site, "kill") == 500, 120, every=1)
    found = rows(site, "kill-")
    assert len(found) == 500
    assert all(row["digits"] == 1 and row["versions"] == [1] for row in found)
    eventually(lambda: site.is_read_by_another(reader))


def test_a_killed_worker_costs_no_row_of_a_batch_and_doubles_none(own_site):
    table, truth = kaggle_table(9000)
    program = Program(own_site)
    job = program.send(table)
    assert kill_while_it_reads(own_site, program, job, kills=1) == 1
    found = program.results(job)
    assert [int(row["ImageId"]) for row in found] == list(range(1, 9001))
    assert Counter(row["ImageId"] for row in found).most_common(1)[0][1] == 1
    right = sum(int(row["Label"]) == label for row, label in zip(found, truth, strict=True))
    assert right >= 8955


def test_a_large_job_has_a_helper_which_may_be_killed(own_site):
    table, truth = kaggle_table(28_000)
    program = Program(own_site)
    job = program.send(table)
    helper = next(iter(eventually(lambda: own_site.processes("read_parts"), every=0.01)))
    before = program.look(job)["done"]
    eventually(lambda: program.look(job)["done"] > before, every=0.01)
    os.kill(helper, signal.SIGKILL)
    found = program.results(job)
    assert [int(row["ImageId"]) for row in found] == list(range(1, 28_001))
    right = sum(int(row["Label"]) == label for row, label in zip(found, truth, strict=True))
    assert right >= 27_860
    eventually(lambda: not own_site.processes("read_parts"))


def test_a_web_server_that_starts_again_refuses_nobody(own_site, seven):
    site, ends = own_site, time.monotonic() + 15

    def send(number: int) -> list[int]:
        statuses = []
        while time.monotonic() < ends:
            statuses.append(classify(site, seven, f"again-{number}.png")[0])
            time.sleep(0.2)
        return statuses

    with ThreadPoolExecutor(4) as pool:
        sent = [pool.submit(send, number) for number in range(4)]
        time.sleep(2)
        (web,) = site.processes("manage.py serve")
        os.kill(web, signal.SIGTERM)
        statuses = [status for one in sent for status in one.result()]
    assert Counter(statuses).keys() == {200}
    assert len(statuses) > 60
    assert web not in site.processes("manage.py serve")


def test_redis_may_stop_and_come_back(own_site, mnist, seven):
    site = own_site
    visitor = site.visitor()
    visitor.get("/")
    eventually(lambda: not is_listened_to(site), every=0.02)  # who listens looks once more
    (redis,) = site.processes("valkey-server")
    supervisor = site.process.pid
    os.kill(supervisor, signal.SIGSTOP)  # else it starts Redis again at once
    try:
        os.kill(redis, signal.SIGKILL)
        page = visitor.send(seven, "down-0.png")
        assert page.status_code == 200
        assert "Waiting for a worker" in page.text, page.text[page.text.find('id="result"') :]
        ready = requests.get(f"{site.url}/health/ready", timeout=10)
        assert ready.status_code == 503
        assert "redis" in ready.json()["failing"]
        assert classify_later(site, seven) == 504
    finally:
        os.kill(supervisor, signal.SIGCONT)
    eventually(lambda: finished(site, "down") == 1, 30)
    restart_redis_while_idle(site)
    assert classify(site, mnist_png(mnist, 1)) == (200, "Predicted number for input image: 2")


def test_a_redis_that_hangs_holds_up_nobody_for_long(own_site, seven):
    site = own_site
    visitor = site.visitor()
    visitor.get("/")
    (redis,) = site.processes("valkey-server")
    os.kill(redis, signal.SIGSTOP)
    try:
        seconds = [seconds_of(visitor.send, seven, f"hung-{n}.png") for n in range(4)]
        with ThreadPoolExecutor(16) as pool:
            live = list(pool.map(lambda _: seconds_for(site, "/health/live"), range(16)))
        assert classify_later(site, seven) in (200, 504)
    finally:
        os.kill(redis, signal.SIGCONT)
    assert max(seconds) < 5 * load()  # one time-out, and what the page itself waits
    assert sorted(seconds)[1] < 1 * load()
    assert max(live) < 1 * load()
    eventually(lambda: finished(site, "hung") == 4, 60)
    eventually(site.is_ready, 30)


def is_listened_to(site) -> bool:
    """Return whether a reader that has ended its work waits a moment for more."""
    ((_, listeners),) = site.redis().pubsub_numsub(f"{wake_ups.LISTENING}:{queue.TASK}")
    return listeners > 0


def seconds_of(do, *arguments) -> float:
    started = time.monotonic()
    assert do(*arguments).status_code == 200
    return time.monotonic() - started


def classify_later(site, data: bytes) -> int:
    return requests.post(f"{site.url}/mnist/classify", files={"file": data}, timeout=40).status_code


def restart_redis_while_idle(site):
    (redis,) = site.processes("valkey-server")
    os.kill(redis, signal.SIGTERM)
    eventually(lambda: redis not in site.processes("valkey-server"))
    eventually(site.is_ready, 30)


def test_40_requests_that_wait_for_a_stopped_worker_hold_up_nothing_else(own_site, seven):
    site = own_site
    stopped = [next(iter(site.processes("queues=classify"))), site.reader()]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor(40) as pool:
        waiting = [pool.submit(classify, site, seven, f"crowd-{n}.png") for n in range(40)]
        eventually(lambda: len(rows(site, "crowd-")) == 40)
        slowest = max(seconds_for(site, path) for path in ["/health/live", "/"] * 10)
        still_waiting = sum(not one.done() for one in waiting)
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        answers = Counter(one.result()[0] for one in waiting)
    assert slowest < 1
    assert still_waiting == 40
    assert answers == {200: 40}
    eventually(lambda: finished(site, "crowd") == 40)


def seconds_for(site, path: str) -> float:
    started = time.monotonic()
    assert requests.get(site.url + path, timeout=30).status_code == 200
    return time.monotonic() - started


def test_the_history_outlives_a_restart_of_everything(own_site, seven):
    site = own_site
    visitor = site.visitor()
    visitor.send(seven, "kept.png")
    eventually(lambda: finished_one(visitor))
    assert site.stop() < 15
    assert site.processes() == {}
    site.start(within=30)
    assert finished_one(visitor)
    assert site.stop(signal.SIGINT) < 15
    assert site.processes() == {}


def finished_one(visitor) -> bool:
    return '<strong class="reading">7</strong>' in visitor.get("/uploads/").text


def test_a_dead_process_is_started_again(own_site, seven):
    site, before = own_site, len(own_site.log())
    for pattern in ("manage.py serve", "queues=train", "webapp beat"):
        first = next(iter(site.processes(pattern)))
        os.kill(first, signal.SIGKILL)
        eventually(lambda p=pattern, f=first: set(site.processes(p)) - {f})
    eventually(site.is_ready)
    assert classify(site, seven)[0] == 200
    assert site.log()[before:].count("killed by SIGKILL") == 3


def test_everything_ends_when_the_supervisor_is_killed(own_site):
    own_site.process.kill()
    own_site.process.wait()
    eventually(lambda: own_site.processes() == {}, 15)


def test_a_taken_port_is_reported_in_one_line(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run_manage(["up"], {"DATA_DIR": tmp_path, "PORT": port})
    assert done.returncode == 1
    assert done.stderr.strip().count("\n") == 0
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr


def test_it_refuses_to_run_without_the_gpu_it_requires(tmp_path):
    site = Site(tmp_path / "data", REQUIRE_GPU=1, GPUS="7")
    done = run_manage(["up"], site.settings)
    assert done.returncode == 1
    assert "of the GPUs 7 only 0 can be used" in done.stderr
    assert site.processes() == {}


def test_two_installations_never_share_a_folder(own_site):
    second = run_manage(["up"], own_site.settings | {"PORT": Site(own_site.data_dir).port})
    assert second.returncode == 1
    assert "already runs" in second.stderr


def test_the_environment_of_tests_is_not_that_of_sites():
    assert "DATA_DIR" not in environment()
    assert json.dumps(environment(PORT=1)).count('"PORT": "1"') == 1


def test_a_failing_storage_costs_no_upload(own_site, seven, mnist):
    """A folder in the file's place stands for a disk that gives no data now."""
    site = own_site
    visitor = site.visitor()
    reader = site.reader()
    os.kill(reader, signal.SIGSTOP)
    large = noisy_page(mnist)  # a small file lies in the database
    visitor.send(large, "disk-0.png")
    number, path = site.query(
        "from digits.models import Upload; upload = Upload.objects.get(name='disk-0.png');"
        "print(upload.pk, upload.file.path)"
    ).split(maxsplit=1)
    path = Path(path)
    path.unlink()
    path.mkdir()
    os.kill(reader, signal.SIGCONT)
    eventually(lambda: site.log().count(f"the storage fails for upload {number},") == 2, 40)
    assert classify(site, seven)[0] == 200  # others are read meanwhile
    path.rmdir()
    path.write_bytes(large)
    eventually(lambda: finished(site, "disk") == 1, 30)


def test_a_changed_model_file_is_refused_and_the_loaded_version_goes_on(own_site, seven):
    site = own_site
    site.query(
        "from digits.models import ModelVersion; from digits.versions.registry import register;"
        "from worker.reading.bundle import BUNDLED_MODEL;"
        "v = register(BUNDLED_MODEL, {'architecture': 'cnn'});"
        "path = v.file.path; data = bytearray(open(path, 'rb').read()); data[999] ^= 1;"
        "open(path, 'wb').write(data);"
        "ModelVersion.objects.update(is_active=False);"
        "ModelVersion.objects.filter(pk=v.pk).update(is_active=True)"
    )
    assert classify(site, seven) == (200, "Predicted number for input image: 7")
    assert "refused version 2, version 1 goes on" in site.log()
    assert "was changed: expected SHA-256" in site.log()
    site.query(
        "from digits.models import ModelVersion;"
        "ModelVersion.objects.update(is_active=False);"
        "ModelVersion.objects.filter(number=1).update(is_active=True)"
    )


def test_each_process_of_a_worker_is_pinned_to_its_own_gpu(tmp_path):
    with Site(tmp_path / "data", GPUS="7,8") as site:
        eventually(lambda: site.log().count("loaded model version 1 on") == 2)
        assert "on CPU (GPU 7 cannot be used)" in site.log()
        assert "on CPU (GPU 8 cannot be used)" in site.log()


def test_a_damaged_file_of_redis_from_an_earlier_version_stops_no_start(tmp_path, seven):
    folder = tmp_path / "data" / "redis"
    kept = folder / "appendonlydir"
    kept.mkdir(parents=True)
    (kept / "appendonly.aof.manifest").write_text("file appendonly.aof.1.incr.aof seq 1 type i\n")
    (kept / "appendonly.aof.1.incr.aof").write_bytes(b"*1\r\n$7\r\nFLUSHDB\r\n" + bytes(4096))
    (folder / "dump.rdb").write_bytes(b"REDIS0011" + bytes(100))
    with Site(tmp_path / "data") as site:
        assert classify(site, seven)[0] == 200
        (said,) = [line for line in site.log().splitlines() if "Redis starts empty" in line]
        assert all(name in said for name in ("appendonlydir", "dump.rdb"))
        (redis,) = site.processes("valkey-server")
        os.kill(redis, signal.SIGKILL)
        eventually(lambda: site.processes("valkey-server").keys() - {redis})
        eventually(lambda: classify(site, seven)[0] == 200)
        assert [path.name for path in folder.iterdir()] == ["redis.log"]


def test_a_redis_that_cannot_start_has_its_reason_named_and_is_tried_again(tmp_path, seven):
    """The reason is in a log of its own, where nobody looks."""
    site = Site(tmp_path / "data")
    in_the_way = site.data_dir / "redis.sock"
    in_the_way.mkdir()
    try:
        with pytest.raises(AssertionError, match="not within"):
            site.start(within=15)
        why = r"digits: redis has ended \d times; its log says why: .*Failed opening Unix socket"
        eventually(lambda: re.search(why, site.log()))
        in_the_way.rmdir()
        eventually(site.is_ready, 90)
        assert classify(site, seven)[0] == 200
    finally:
        site.stop()
