"""Sends uploads at a steady rate, in all ways that the site takes them, and keeps each answer."""

import contextlib
import hashlib
import re
import struct
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import requests

RATE = 10.0  # uploads a second
TIMEOUT = 60
INSISTING_SECONDS = 60  # so long a program repeats an upload under its key
WAYS = ("classify", "api", "key", "form")
KEPT = re.compile(r"No answer yet: upload \d+ is kept, and will be read when a worker is free")
READ = re.compile(r"Predicted number for input image: (\d+)")


@dataclass(frozen=True)
class Picture:
    """An image, and how it must end: with a reading, or with an error that is the file's own.

    error: a pattern of that error; empty where it can be read.
    """

    data: bytes
    reading: str = ""
    error: str = ""

    def numbered(self, text: str) -> bytes:
        """Return the image, a PNG, with a text in it, so that no two uploads have the same file."""
        chunk = b"tEXtComment\0" + text.encode()
        sum_ = struct.pack(">I", zlib.crc32(chunk))
        after_header = 33
        return (
            self.data[:after_header]
            + struct.pack(">I", len(chunk) - 4)
            + chunk
            + sum_
            + self.data[after_header:]
        )


@dataclass
class Sent:
    """An upload that was sent: what it was, and how it was answered.

    name: that of its file, which the row has, too.
    statuses: of the answers, None where none came; several where it was repeated under its key.
    text: what the last answer said: where the upload is, or how it was read.
    deleted: whether the sender asked for its deletion.
    """

    name: str
    way: str
    picture: Picture
    sha256: str
    begun: float
    ended: float = 0.0
    statuses: list[int | None] = field(default_factory=list)
    text: str = ""
    deleted: bool = False

    @property
    def status(self) -> int | None:
        """The status of the last answer; None where none came."""
        return self.statuses[-1] if self.statuses else None

    @property
    def is_accepted(self) -> bool:
        """Whether the site has taken it: it said so, or it said how it was read."""
        if self.status is None:
            return False
        if self.way == "classify":
            is_kept = self.status == 504 and KEPT.search(self.text)
            return self.status in (200, 422) or bool(is_kept)
        return 200 <= self.status < 300 or (self.way == "form" and self.status == 302)

    @property
    def told(self) -> str:
        """The reading that the answer told; empty where it told none."""
        found = READ.search(self.text) if self.way == "classify" else None
        return found[1] if found else ""


class Driver:
    """Sends while it is entered; when it is left, all that was sent is answered.

    url: where the site is; it may be changed meanwhile.
    """

    def __init__(self, url: str, prefix: str, pictures: list[Picture], sender: "Sender") -> None:
        self.url, self.prefix, self.pictures, self.sender = url, prefix, pictures, sender
        self.sent: list[Sent] = []
        self.deletes = False  # whether each upload of the API is deleted as soon as it is accepted
        self._ended = threading.Event()
        self._insists_until = float("inf")
        self._pool = ThreadPoolExecutor(300)
        self._pacer = threading.Thread(target=self._run)

    def __enter__(self) -> "Driver":
        self._pacer.start()
        return self

    def __exit__(self, *_) -> None:
        self._ended.set()
        self._insists_until = time.monotonic() + INSISTING_SECONDS
        self._pacer.join()
        self._pool.shutdown()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._ended.wait(max(0, due - time.monotonic())):
            due += 1 / RATE
            self._pool.submit(self._send, self._next())

    def _next(self) -> Sent:
        number = len(self.sent)
        picture = self.pictures[number % len(self.pictures)]
        way = WAYS[number % len(WAYS)]
        name = f"{self.prefix}{number:05}-{way}.png"
        sha256 = hashlib.sha256(picture.numbered(name)).hexdigest()
        one = Sent(name, way, picture, sha256, time.monotonic())
        self.sent.append(one)
        return one

    def _send(self, one: Sent) -> None:
        while True:
            status, one.text = self._answer(one)
            one.statuses.append(status)
            one.ended = time.monotonic()
            if one.is_accepted or one.way != "key" or one.ended > self._insists_until:
                break
            time.sleep(0.5)
        if self.deletes and one.is_accepted and one.way in ("api", "key"):
            self._delete(one)

    def _answer(self, one: Sent) -> tuple[int | None, str]:
        files = {"file": (one.name, one.picture.numbered(one.name))}
        path, options = self.sender.request(one.way, one.name)
        try:
            answer = requests.post(
                self.url + path, files=files, timeout=TIMEOUT, allow_redirects=False, **options
            )
        except requests.RequestException as error:
            return None, type(error).__name__
        return answer.status_code, answer.headers.get("Location") or answer.text[:200]

    def _delete(self, one: Sent) -> None:
        one.deleted = True
        with contextlib.suppress(requests.RequestException):
            place = self.url + one.text[one.text.index("/api/") :]
            requests.delete(place, headers=self.sender.token, timeout=TIMEOUT)


@dataclass(frozen=True)
class Sender:
    """Who sends: an account with a token, and a browser session without an account."""

    token: dict[str, str]
    cookies: dict[str, str]
    form: dict[str, str]  # the field with which the session's forms are taken

    def request(self, way: str, name: str) -> tuple[str, dict]:
        """Return where an upload goes, and what its request has beside the file."""
        if way == "classify":
            return "/mnist/classify", {}
        if way == "form":
            return "/", {"cookies": self.cookies, "data": self.form}
        key = {"Idempotency-Key": name} if way == "key" else {}
        return "/api/v1/uploads/", {"headers": self.token | key}
