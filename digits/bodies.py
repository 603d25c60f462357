"""Bodies of requests in which programs send an image, in whatever way they do.

That is a form, the image itself, or a data: URL (RFC 2397) in JSON or in a form. What cannot be
taken is refused by its name: nothing is guessed, and nothing left out in silence.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import parse_qsl, unquote_to_bytes

import multipart
from django.core.exceptions import BadRequest, ValidationError
from django.core.files.uploadedfile import (
    SimpleUploadedFile,
    TemporaryUploadedFile,
    UploadedFile,
)
from django.utils.http import parse_header_parameters

if TYPE_CHECKING:
    File = UploadedFile[bytes]

FIELD = "file"
FORM, TEXT_FORM = "multipart/form-data", "application/x-www-form-urlencoded"
JSON, BYTES, IMAGE = "application/json", "application/octet-stream", "image/"
MOST_PARTS = 200  # of a form
IN_MEMORY = 2_500_000  # bytes of a part; a larger one lies in a file meanwhile, as with Django
DATA_URL = re.compile(r"data:(?P<type>[\w.+/-]*)(?P<words>(;[^;,]*)*),(?P<data>.*)", re.DOTALL)
LONGEST_SHOWN = 40
HOW = f"Send the image as the field {FIELD} of a form: with curl, --form {FIELD}=@photo.png."


@dataclass
class Sent:
    """What a body has: files, and texts by the names of their fields."""

    files: list[tuple[str, File]] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)

    def image(self) -> File:
        """Return the one file that was sent: that of the field `file`, or of whatever name.

        Raises:
            ValidationError: there is none, or there are several.
        """
        named = [file for name, file in self.files if name == FIELD]
        found = named or [file for _, file in self.files]
        if len(found) > 1:
            names = ", ".join(file.name or "" for file in found)
            raise ValidationError(
                f"Expected one image, received {len(found)} files ({names})."
                " Send each in a request of its own."
            )
        return found[0] if found else self._image_in_text()

    def _image_in_text(self) -> File:
        """Return the image that a data: URL is."""
        given = [self.texts[FIELD]] if FIELD in self.texts else list(self.texts.values())
        urls = [text for text in given if text.lstrip()[:5].lower() == "data:"]
        if len(urls) == 1:
            return from_data_url(urls[0].strip())
        if urls:
            raise ValidationError(f"Expected one image, received {len(urls)} data: URLs.")
        if FIELD in self.texts:
            shown = self.texts[FIELD][:LONGEST_SHOWN]
            raise ValidationError(
                f'Expected {FIELD} to be a file or a data: URL, received the text "{shown}". {HOW}'
            )
        raise ValidationError(f"There is no image in what was sent. {HOW}")


def read(content_type: str, stream: BinaryIO) -> Sent:
    """Read the body of a request.

    content_type: the header, with its parameters.

    Raises:
        BadRequest: it cannot be read as what it says it is.
        ValidationError: it is of a type in which no image is sent.
    """
    kind, words = parse_header_parameters(content_type)
    kind = kind.lower()
    ways: dict[str, Callable[[BinaryIO], Sent]] = {
        FORM: partial(read_form, words.get("boundary", "").encode()),
        TEXT_FORM: read_text_form,
        JSON: lambda body: from_json(parsed_json(body)),
        BYTES: read_image,
        "": read_image,
    }
    if kind in ways:
        return ways[kind](stream)
    if kind.startswith(IMAGE):
        return read_image(stream, kind)
    raise ValidationError(f"Expected an image, received {kind[:LONGEST_SHOWN]}. {HOW}")


def read_form(boundary: bytes, stream: BinaryIO) -> Sent:
    """Read a form (multipart/form-data). Django's own parser takes 30 times as long.

    It also leaves out files whose names are not in UTF-8.

    Raises:
        BadRequest: it is no form.
    """
    parts: list[_Part] = []
    try:
        # Latin-1 takes whatever bytes there are; _as_sent makes UTF-8 of them.
        parser = multipart.PushMultipartParser(
            boundary, max_segment_count=MOST_PARTS, header_charset="latin-1"
        )
        for event in parser.parse_blocking(stream.read):
            if isinstance(event, multipart.MultipartSegment):
                parts.append(_Part(event))
            elif event:
                parts[-1].add(event)
    except multipart.MultipartError as error:
        raise BadRequest(f"The form cannot be read: {error}.") from error
    sent = Sent()
    for part in parts:
        part.add_to(sent)
    return sent


def _as_sent(text: str) -> str:
    """Return a name as UTF-8 has it; as Latin-1 where it is none."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text


class _Part:
    """A part of a form: a file where it has a name, or the type of one; else a text."""

    def __init__(self, head: multipart.MultipartSegment) -> None:
        self.field, self.kind = _as_sent(head.name or ""), head.content_type or ""
        self.name = _file_name(head)
        if not self.name and (self.kind.startswith(IMAGE) or self.kind == BYTES):
            self.name = _named(self.kind)
        self._has_no_name = head.filename is None
        self._in_base64 = (head.header("Content-Transfer-Encoding") or "").lower() == "base64"
        self._content = bytearray()
        self._on_disk: TemporaryUploadedFile | None = None

    def add(self, chunk: bytes) -> None:
        """Add what comes next; much of a file is on the disk until it is asked for."""
        self._content += chunk
        if self.name and not self._in_base64 and len(self._content) > IN_MEMORY:
            if self._on_disk is None:
                self._on_disk = TemporaryUploadedFile(self.name, self.kind, 0, None)
            self._on_disk.write(self._content)
            self._content.clear()

    def add_to(self, sent: Sent) -> None:
        """Add the whole part to what was sent."""
        if self._on_disk is not None:
            self._on_disk.write(self._content)
            self._on_disk.size = self._on_disk.tell()
            self._on_disk.seek(0)
            sent.files.append((self.field, self._on_disk))
            return
        content = _decoded(self._content) if self._in_base64 else bytes(self._content)
        if self.name:
            sent.files.append((self.field, SimpleUploadedFile(self.name, content, self.kind)))
        elif self._has_no_name:
            sent.texts[self.field] = content.decode(errors="replace")


def _file_name(part: multipart.MultipartSegment) -> str:
    """Return the name of a part's file, without what databases refuse; empty where it has none."""
    name, given = _as_sent(part.filename or ""), part.header("Content-Disposition") or ""
    if "filename*" in given:
        name = parse_header_parameters(given)[1].get("filename", name)
    return "".join(filter(str.isprintable, name))


def read_text_form(stream: BinaryIO) -> Sent:
    """Read a form without files, or the image that a program sent under that type.

    `curl --data-binary @photo.png` sends it so, unless it is told otherwise.

    Raises:
        BadRequest: it has too many fields.
    """
    body = stream.read()
    if not body.isascii():
        return _bare(body)
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_PARTS)
    except ValueError as error:
        raise BadRequest(f"The form cannot be read: {error}.") from error
    return Sent(texts=dict(pairs))


def read_image(stream: BinaryIO, kind: str = "") -> Sent:
    """Read a body that is the image itself."""
    return _bare(stream.read(), kind)


def _bare(body: bytes, kind: str = "") -> Sent:
    return Sent([(FIELD, SimpleUploadedFile(_named(kind), body, kind))] if body else [])


def _named(kind: str) -> str:
    """Return a name for an image that came without one. kind: such as image/png."""
    ending = re.match(r"image/(?:x-)?([a-z0-9]{2,5})", kind)
    return f"image.{ending[1]}" if ending else "image"


def parsed_json(stream: BinaryIO) -> object:
    """Return what JSON says.

    Raises:
        BadRequest: it is none.
    """
    try:
        return json.loads(stream.read())
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The JSON cannot be read: {error}.") from error


def from_json(said: object) -> Sent:
    """Return the texts of an object of JSON, one of which may be a data: URL.

    Raises:
        ValidationError: it is no object.
    """
    if not isinstance(said, Mapping):
        raise ValidationError(
            f"Expected an object with {FIELD} as a data: URL, received {type(said).__name__}."
        )
    return Sent(texts={str(name): text for name, text in said.items() if isinstance(text, str)})


def from_data_url(url: str) -> File:
    """Return the file that a data: URL is.

    Raises:
        ValidationError: it is none.
    """
    found = DATA_URL.fullmatch(url)
    if found is None:
        raise ValidationError(
            'Expected a data: URL such as "data:image/png;base64,iVBORw0...", received'
            f' "{url[:LONGEST_SHOWN]}".'
        )
    in_base64 = found["words"].lower().endswith(";base64")
    data = _decoded(found["data"].encode()) if in_base64 else unquote_to_bytes(found["data"])
    kind = found["type"].lower()
    return SimpleUploadedFile(_named(kind), data, kind)


def _decoded(text: bytes | bytearray) -> bytes:
    """Return what base64 says. Lines may be broken, and a form may have made spaces of plus signs.

    Raises:
        ValidationError: it is no base64.
    """
    text = unquote_to_bytes(text).replace(b"\r", b"").replace(b"\n", b"").replace(b" ", b"+")
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise ValidationError(f"The base64 of the image cannot be read: {error}.") from error
