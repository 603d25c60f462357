"""The ways in which programs send an image to a running site: each is read, or refused by name."""

import base64
import http.client
import json
import re
import zlib
from urllib.parse import quote

import pytest
import requests

from tests.pictures import on_paper, png

MAKE_TOKEN = """
from django.contrib.auth.models import User
from digits.accounts import tokens
print(tokens.make(User.objects.get_or_create(username="sender")[0], "a test", ["read", "write"])[1])
"""
UPLOADS, CLASSIFY = "/api/v1/uploads", "/mnist/classify"
FORM = "multipart/form-data; boundary=line"


@pytest.fixture(scope="module")
def token(site):
    return site.query(MAKE_TOKEN)


@pytest.fixture(scope="module")
def large(mnist):
    """A 7 on a page whose file is larger than what the short way and Django's memory take."""
    data = png(on_paper(mnist.images[0]))
    filler = b"tEXt" + b"x" * 3_000_000  # a chunk that says nothing
    chunk = (len(filler) - 4).to_bytes(4) + filler + zlib.crc32(filler).to_bytes(4)
    return data[:33] + chunk + data[33:]


def part(data: bytes, disposition: bytes, *more: bytes) -> bytes:
    lines = [b"--line", b"Content-Disposition: form-data; " + disposition, *more, b"", data, b""]
    return b"\r\n".join(lines)


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--line--\r\n"


def url(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


WAYS = {
    "a form": lambda data: (form(part(data, b'name="file"; filename="a.png"')), FORM),
    "a field of another name": lambda data: (
        form(part(data, b'name="image"; filename="a.png"')),
        FORM,
    ),
    "a file among other fields": lambda data: (
        form(part(b"hello", b'name="note"'), part(data, b'name="file"; filename="a.png"')),
        FORM,
    ),
    "a part without a file name": lambda data: (
        form(part(data, b'name="file"', b"Content-Type: image/png")),
        FORM,
    ),
    "a part in base64": lambda data: (
        form(
            part(
                base64.encodebytes(data),
                b'name="file"; filename="a.png"',
                b"Content-Transfer-Encoding: base64",
            )
        ),
        FORM,
    ),
    "the image itself": lambda data: (data, "image/png"),
    "the image itself, of another type": lambda data: (data, "image/x-whatever"),
    "bytes": lambda data: (data, "application/octet-stream"),
    "curl --data-binary": lambda data: (data, "application/x-www-form-urlencoded"),
    "JSON": lambda data: (json.dumps({"file": url(data)}).encode(), "application/json"),
    "JSON with another name": lambda data: (
        json.dumps({"image": url(data), "note": "hello"}).encode(),
        "application/json; charset=utf-8",
    ),
    "a data URL in a form": lambda data: (form(part(url(data).encode(), b'name="file"')), FORM),
    "a data URL in a form of text": lambda data: (
        f"file={quote(url(data))}".encode(),
        "application/x-www-form-urlencoded",
    ),
}


def post(site, path: str, body: bytes, kind: str, token: str = "", **headers: str):
    """Send a body as it is; return the status and the text of the answer."""
    headers |= {"Content-Type": kind} | ({"Authorization": f"Bearer {token}"} if token else {})
    answer = requests.post(
        site.url + path, data=body, headers=headers, timeout=60, allow_redirects=False
    )
    return answer.status_code, answer.text


def to_classify(site, body: bytes, kind: str) -> tuple[int, str]:
    return post(site, CLASSIFY, body, kind)


@pytest.mark.parametrize("way", WAYS)
def test_an_image_is_read_however_it_is_sent(site, token, seven, way):
    body, kind = WAYS[way](seven)
    for path in (CLASSIFY, f"{CLASSIFY}/"):
        assert post(site, path, body, kind) == (200, "Predicted number for input image: 7\n")
    for path in (UPLOADS, f"{UPLOADS}/"):
        status, text = post(site, f"{path}?wait=30", body, kind, token)
        assert (status, json.loads(text)["reading"]) == (201, "7")


@pytest.mark.parametrize("way", ["a form", "the image itself", "JSON", "curl --data-binary"])
def test_a_large_image_is_read_however_it_is_sent(site, token, large, way):
    body, kind = WAYS[way](large)
    assert to_classify(site, body, kind)[0] == 200
    status, text = post(site, f"{UPLOADS}?wait=30", body, kind, token)
    assert (status, json.loads(text)["reading"]) == (201, "7")


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('name="file"; filename="größe 7.png"'.encode("latin-1"), "größe 7.png"),
        ('name="file"; filename="größe 7.png"'.encode(), "größe 7.png"),
        ('name="file"; filename="七.png"'.encode(), "七.png"),
        (b"name=file; filename=x.png; filename*=UTF-8''gr%C3%B6%C3%9Fe.png", "größe.png"),
        (b'name="file"; filename="C:\\\\scans\\\\7.png"', "7.png"),
    ],
)
def test_a_name_is_kept_in_whatever_letters_it_comes(site, token, seven, disposition, name):
    body = form(part(seven, disposition))
    assert to_classify(site, body, FORM)[0] == 200
    status, text = post(site, f"{UPLOADS}/?wait=30", body, FORM, token)
    assert (status, json.loads(text)["name"]) == (201, name)


def two(data: bytes) -> bytes:
    names = (b'name="file"; filename="a.png"', b'name="file"; filename="b.png"')
    return form(*(part(data, name) for name in names))


@pytest.mark.parametrize(
    ("make", "kind", "said"),
    [
        (two, FORM, "received 2 files (a.png, b.png)"),
        (lambda data: form(part(b"a.png", b'name="file"')), FORM, 'received the text "a.png"'),
        (lambda data: form(part(b"x", b'name="note"')), FORM, "no image in what was sent"),
        (lambda data: form(), FORM, "no image in what was sent"),
        (lambda data: b"file=@a.png", "application/x-www-form-urlencoded", "curl, --form file=@"),
        (lambda data: b"", "image/png", "no image in what was sent"),
        (lambda data: b"words", "image/png", "not an image"),
        (lambda data: b'{"file": "7"}', "application/json", 'received the text "7"'),
        (lambda data: b'{"file": "data:7"}', "application/json", "Expected a data: URL such as"),
        (lambda data: b'{"file": "data:;base64,%%"}', "application/json", "base64"),
        (lambda data: b"[1]", "application/json", "Expected an object"),
        (lambda data: b"{", "application/json", "JSON cannot be read"),
        (lambda data: data, "multipart/form-data; boundary=line", "form cannot be read"),
    ],
)
def test_what_cannot_be_taken_is_refused_by_its_name(site, token, seven, make, kind, said):
    body = make(seven)
    status, text = to_classify(site, body, kind)
    assert (status, said in re.sub("&quot;", '"', text)) == (400, True), text
    status, text = post(site, UPLOADS, body, kind, token)
    assert (status, said in json.loads(text)["detail"]) == (400, True), text


def test_a_type_that_no_image_has_is_named(site, token, seven):
    status, text = to_classify(site, seven, "text/plain")
    assert (status, "received text/plain" in text) == (400, True)
    status, text = post(site, UPLOADS, seven, "text/plain", token)
    assert (status, "text/plain" in json.loads(text)["detail"]) == (415, True)


def test_a_page_that_is_asked_for_without_its_slash_is_elsewhere(site):
    for path in ("/uploads", UPLOADS):
        connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=40)
        connection.request("GET", path)
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("Location")) == (301, f"{path}/")
        connection.close()


def test_a_bulk_job_is_stored_also_without_the_slash(site, token, mnist):
    image = ",".join(map(str, mnist.images[0].ravel()))
    files = {"file": ("rows.csv", image.encode())}
    headers = {"Authorization": f"Bearer {token}"}
    answer = requests.post(f"{site.url}/api/v1/batches", files=files, headers=headers, timeout=40)
    assert (answer.status_code, answer.json()["name"]) == (201, "rows.csv")
