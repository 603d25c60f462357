"""Submission: uploads that come together are stored together, and none fails the others.

tests/system/test_postgres.py runs this file on PostgreSQL, too.
"""

import asyncio
import contextlib
import io
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from asgiref.sync import sync_to_async
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, connections, transaction
from django.db.utils import DataError, IntegrityError
from PIL import Image

from digits.accounts.owners import Owner
from digits.models import SmallFile, Upload
from digits.queue import wake_ups
from digits.uploads import queue, submission
from digits.uploads.queue import TASK
from digits.uploads.submission import submit, submit_async
from tests.pictures import encoded, noisy_page
from tests.storage import stored_files

pytestmark = pytest.mark.django_db(transaction=True)
COUNT = 12
NOBODY = Owner(None, None, "10.0.0.1")


@pytest.fixture(autouse=True)
def counted_anew(monkeypatch, redis):
    """What waits is counted at each look."""
    monkeypatch.setattr(queue, "COUNT_SECONDS", 0)
    monkeypatch.setattr(queue, "room", queue._Room())


def small(name: str = "one.png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, f"the content of {name}".encode())


def content(upload: Upload) -> bytes:
    with upload.file.open("rb") as file:
        return file.read()


def in_threads(work: Callable, values: Iterable) -> list:
    """The results of calls at the same time, or the exceptions that they raise."""

    def call(value):
        try:
            return work(value)
        except Exception as error:
            return error
        finally:
            connection.close()

    values = list(values)
    with ThreadPoolExecutor(len(values)) as pool:
        return list(pool.map(call, values))


@contextlib.contextmanager
def piled_up(count: int = COUNT) -> Iterator[None]:
    """Nothing is stored before so many uploads wait for it."""

    def hold() -> None:
        with submission._together:
            held.set()
            deadline = time.monotonic() + 10
            while len(submission._waiting) < count and time.monotonic() < deadline:
                time.sleep(0.005)

    held = threading.Event()
    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    yield
    thread.join()


@pytest.fixture
def wake_ups_heard():
    """A list to which a wake-up is added for each transaction that stored uploads."""
    heard: list[float] = []

    def listen() -> None:
        with wake_ups.redis.client().pubsub() as pubsub:
            pubsub.subscribe(wake_ups._channel(TASK))
            while not is_over.is_set():
                message = pubsub.get_message(timeout=0.05)
                if message and message["type"] == "message":
                    heard.append(time.monotonic())
                elif message:
                    listening.set()

    listening, is_over = threading.Event(), threading.Event()
    thread = threading.Thread(target=listen)
    thread.start()
    listening.wait()
    yield heard
    is_over.set()
    thread.join()


def test_uploads_of_many_threads_are_stored_in_fewer_transactions(wake_ups_heard):
    names = [f"{number}.png" for number in range(COUNT)]
    with piled_up():
        uploads = in_threads(lambda name: submit(small(name), NOBODY), names)
    assert [upload.name for upload in uploads] == names
    assert len({upload.pk for upload in uploads}) == Upload.objects.count() == COUNT
    for upload in Upload.objects.all():
        assert content(upload) == f"the content of {upload.name}".encode()
    time.sleep(0.2)
    assert len(wake_ups_heard) == 1


def test_uploads_of_many_threads_are_stored_without_being_held_up(wake_ups_heard):
    def send_some(number: int) -> None:
        for one in range(5):
            submit(small(f"{number}-{one}.png"), NOBODY)

    assert in_threads(send_some, range(8)) == [None] * 8
    assert Upload.objects.count() == SmallFile.objects.count() == 40
    time.sleep(0.2)
    assert 1 <= len(wake_ups_heard) <= 40


def test_uploads_of_one_group_take_turns():
    with piled_up():
        uploads = in_threads(
            lambda number: submit(small(), Owner(None, None, f"10.0.0.{number % 2}")), range(COUNT)
        )
    assert sorted(upload.turn for upload in uploads) == sorted([*range(COUNT // 2)] * 2)


def test_one_that_cannot_be_stored_fails_alone():
    sources = ["file"] * COUNT
    sources[5] = None  # which the column refuses
    with piled_up():
        results = in_threads(lambda source: submit(small(), NOBODY, source), sources)
    failed = results.pop(5)
    assert isinstance(failed, IntegrityError)
    assert all(isinstance(result, Upload) for result in results)
    assert {upload.pk for upload in results} == set(Upload.objects.values_list("pk", flat=True))
    assert SmallFile.objects.count() == COUNT - 1


def test_one_whose_values_cannot_be_prepared_fails_alone():
    owners = [NOBODY, Owner(None, {"visitor": {}}, ""), NOBODY]
    owners[1].fields = lambda: {"created_at": "yesterday"}
    with piled_up(3):
        results = in_threads(lambda owner: submit(small(), owner), owners)
    assert [isinstance(result, Upload) for result in results] == [True, False, True]
    assert Upload.objects.count() == SmallFile.objects.count() == 2


def test_one_that_finds_the_storage_full_fails_alone(settings, mnist):
    full = {"files": {"BACKEND": "tests.storage.FullStorage"}}
    settings.STORAGES = settings.STORAGES | full
    large = SimpleUploadedFile("page.png", noisy_page(mnist))
    with piled_up(2):
        results = in_threads(lambda file: submit(file, NOBODY), [small(), large, small()])
    assert isinstance(results[1], OSError)
    assert Upload.objects.count() == len(stored_files()) == 2


def test_after_a_failure_everything_goes_on():
    with pytest.raises(IntegrityError):
        submit(small(), NOBODY, None)
    upload = submit(small(), NOBODY)
    assert Upload.objects.get() == upload
    assert submission._waiting == []


def in_loop(work: Awaitable):
    """The result of a coroutine; the connection of the loop's thread is closed then."""

    async def whole():
        try:
            return await work
        finally:
            await sync_to_async(connections.close_all)()

    return asyncio.run(whole())


def submit_all(files: Iterable, sources: Iterable) -> list:
    """Submit files at the same time in one event loop."""

    async def together() -> list:
        tasks = [
            submit_async(file, NOBODY, source) for file, source in zip(files, sources, strict=True)
        ]
        return await asyncio.gather(*tasks, return_exceptions=True)

    return in_loop(together())


def test_an_event_loop_stores_several_at_once(wake_ups_heard):
    uploads = submit_all([small(f"{number}.png") for number in range(COUNT)], ["api"] * COUNT)
    assert [upload.name for upload in uploads] == [f"{number}.png" for number in range(COUNT)]
    assert Upload.objects.filter(source="api").count() == COUNT
    for upload in Upload.objects.all():
        assert content(upload) == f"the content of {upload.name}".encode()
    time.sleep(0.2)
    assert len(wake_ups_heard) < COUNT


def test_in_an_event_loop_one_that_cannot_be_stored_fails_alone(mnist):
    large = SimpleUploadedFile("page.png", noisy_page(mnist))
    results = submit_all([small(), large, small(), small()], ["api", None, None, "api"])
    assert [isinstance(result, IntegrityError) for result in results] == [False, True, True, False]
    assert Upload.objects.count() == len(stored_files()) == 2


def test_a_thread_stores_for_an_event_loop_and_the_other_way_round():
    with piled_up(2 * COUNT), ThreadPoolExecutor(1) as pool:
        others = pool.submit(submit_all, [small() for _ in range(COUNT)], ["api"] * COUNT)
        own = in_threads(lambda _: submit(small(), NOBODY), range(COUNT))
    uploads = {*own, *others.result()}
    assert len({upload.pk for upload in uploads}) == Upload.objects.count() == 2 * COUNT


def test_who_leaves_an_event_loop_takes_nothing_with_it(monkeypatch):
    monkeypatch.setattr(queue, "COUNT_SECONDS", 1)

    async def one_leaves() -> list[Upload]:
        leaving, staying = (
            asyncio.ensure_future(submit_async(small(name), NOBODY, "api"))
            for name in ("leaves.png", "stays.png")
        )
        while len(submission._waiting) < 2:
            await asyncio.sleep(0.01)
        leaving.cancel()
        return [await submit_async(small("comes.png"), NOBODY, "api"), await staying]

    with piled_up(3):
        assert [upload.name for upload in in_loop(one_leaves())] == ["comes.png", "stays.png"]
    assert Upload.objects.filter(name__in=["comes.png", "stays.png"]).count() == 2


def test_a_large_file_lies_in_the_folder_and_a_small_one_in_the_database(mnist, settings):
    data = noisy_page(mnist)
    large = submit(SimpleUploadedFile("page.png", data), NOBODY)
    assert content(large) == data
    assert (settings.MEDIA_ROOT / large.file.name).read_bytes() == data
    assert SmallFile.objects.count() == 0
    assert content(submit(small(), NOBODY)) == b"the content of one.png"
    assert SmallFile.objects.count() == 1


@pytest.mark.parametrize("is_large", [True, False])
def test_no_file_is_left_of_one_that_cannot_be_stored(mnist, is_large):
    file = SimpleUploadedFile("page.png", noisy_page(mnist)) if is_large else small()
    with pytest.raises(IntegrityError):
        submit(file, NOBODY, None)
    assert stored_files() == []


def test_nothing_is_left_of_a_small_file_after_a_rollback():
    with contextlib.suppress(InterruptedError), transaction.atomic():
        upload = submit(small(), NOBODY)
        assert default_storage.exists(upload.file.name)
        raise InterruptedError
    assert not default_storage.exists(upload.file.name)
    assert stored_files() == []
    assert Upload.objects.count() == 0


def test_others_see_nothing_before_the_commit(wake_ups_heard):
    def seen(_) -> tuple[int, int]:
        return Upload.objects.count(), SmallFile.objects.count()

    with transaction.atomic():
        submit(small(), NOBODY)
        assert in_threads(seen, [0]) == [(0, 0)]
        time.sleep(0.1)
        assert wake_ups_heard == []
    assert in_threads(seen, [0]) == [(1, 1)]


def test_a_name_that_is_too_long_keeps_its_end():
    assert submit(small("9" * 300 + ".png"), NOBODY).name == "9" * 196 + ".png"


def test_a_name_that_the_database_refuses_fails_alone():
    """PostgreSQL takes no zero in a text; SQLite takes it as it is."""
    owners = [Owner(None, {"visitor": visitor}) for visitor in ("a", "a\0b", "c")]
    with piled_up(3):
        results = in_threads(lambda owner: submit(small(), owner), owners)
    assert all(isinstance(results[place], Upload) for place in (0, 2))
    assert isinstance(results[1], Upload | ValueError | DataError)


@pytest.mark.parametrize("side", [40, 400])
@pytest.mark.parametrize("keep", [False, True])
def test_what_is_stored_tells_nothing_of_the_person(settings, redis, side, keep):
    """A small file lies in the database, and a large one on the disk."""
    settings.KEEP_ORIGINALS = keep
    exif = Image.Exif()
    exif[271] = "a secret maker"
    pixels = np.random.default_rng(1).integers(0, 256, (side, side), np.uint8)
    data = encoded(Image.fromarray(pixels), "PNG", exif=exif)
    upload = submit(SimpleUploadedFile("photo.png", data), NOBODY)
    stored = Upload.objects.get(pk=upload.pk)
    with stored.file as file:
        content = file.read()
    assert (b"a secret maker" in content) is keep
    assert stored.size == len(content)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(content))), pixels)
