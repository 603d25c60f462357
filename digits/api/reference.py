"""The contents of the API's documentation page, taken from the schema alone."""

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator

from digits.api.samples import SCHEMAS, Schema, referred, resolved, sample

CHOICES = re.compile(r"\s*^\* `.*$", re.MULTILINE)  # the type has them already
WORDS = {"date-time": "time", "uri": "address", "binary": "file"}
WAIT = 30  # seconds, in the examples


@dataclass(frozen=True)
class Kind:
    """A type in words: "string or null", or "list of" and the schema that it refers to."""

    text: str
    refers_to: str = ""
    limits: str = ""
    is_nullable: bool = False


@dataclass(frozen=True)
class Field:
    """A parameter, a header, or a property of a body. `place`: path, query, header or none."""

    name: str
    kind: Kind
    text: str
    is_required: bool = False
    place: str = ""


@dataclass(frozen=True)
class Answer:
    """A response: its status and meaning, its type, its headers, and an example as JSON."""

    status: str
    text: str
    kind: Kind | None
    headers: list[Field]
    example: str


@dataclass(frozen=True)
class Operation:
    """One operation: its request and its responses."""

    name: str
    method: str
    path: str
    summary: str
    text: str
    is_open: bool
    parameters: list[Field]
    media: str
    body: list[Field]
    answers: list[Answer]
    problems: list[Answer]
    curl: str


@dataclass(frozen=True)
class Group:
    """The operations of one tag."""

    name: str
    title: str
    text: str
    operations: list[Operation]


@dataclass(frozen=True)
class Shape:
    """A schema that responses refer to."""

    name: str
    text: str
    fields: list[Field]


@cache
def schema() -> Schema:
    """Return the public schema; it does not change while the process lives."""
    whole: Schema = SchemaGenerator().get_schema(request=None, public=True)
    return whole


def groups(base: str) -> list[Group]:
    """Return the operations by their tag. base: the site's address, for the examples."""
    found = [
        (one["tags"][0], _operation(method, path, one, base))
        for path, by_method in schema()["paths"].items()
        for method, one in by_method.items()
    ]
    return [
        Group(
            tag["name"],
            tag["name"].replace("-", " ").capitalize(),
            tag["description"],
            [own for name, own in found if name == tag["name"]],
        )
        for tag in schema()["tags"]
    ]


def shapes() -> list[Shape]:
    """Return the schemas of objects in responses, except paginated lists, which are all alike."""
    return [
        Shape(name, own.get("description", ""), _fields(own))
        for name, own in schema()["components"]["schemas"].items()
        if own.get("type") == "object" and not name.endswith("Request") and not _listed(name)
    ]


def problem() -> str:
    """Return an example of a response with a status of 400 or more."""
    return _json(sample({"$ref": f"{SCHEMAS}Problem"}, schema()))


def _operation(method: str, path: str, one: Schema, base: str) -> Operation:
    media, content = _first_body(one)
    answers = [_answer(status, own) for status, own in one["responses"].items()]
    parameters = [_parameter(own) for own in one.get("parameters", [])]
    return Operation(
        name=one["operationId"],
        method=method.upper(),
        path=path,
        summary=one["summary"],
        text=one["description"],
        is_open={} in one["security"],
        parameters=sorted(parameters, key=lambda own: (own.place != "path", own.name)),
        media=media,
        body=_fields(_resolved(content["schema"])) if content else [],
        answers=[own for own in answers if own.status < "400"],
        problems=[own for own in answers if own.status >= "400"],
        curl=_curl(method.upper(), path, one, base),
    )


def _first_body(one: Schema) -> tuple[str, Schema]:
    """Return the media type that is shown of those in which a request may come; "": it has none."""
    bodies: Schema = one.get("requestBody", {}).get("content", {"": {}})
    return next(iter(bodies.items()))


def _parameter(one: Schema) -> Field:
    text = _text(one.get("description", ""))
    return Field(one["name"], _kind(one["schema"]), text, one.get("required", False), one["in"])


def _answer(status: str, one: Schema) -> Answer:
    ((media, content),) = one.get("content", {"": {}}).items()
    headers = [
        Field(name, _kind(own["schema"]), _text(own.get("description", "")))
        for name, own in one.get("headers", {}).items()
    ]
    if not content:
        return Answer(status, _text(one["description"]) or "No content.", None, headers, "")
    kind, example = _kind(content["schema"]), ""
    if media == "application/json":
        example = _json(sample(content["schema"], schema()))
    elif not media.endswith("json"):
        kind = Kind(media)
    return Answer(status, _text(one["description"]), kind, headers, example)


def _fields(own: Schema) -> list[Field]:
    required = own.get("required", [])
    return [
        Field(name, _kind(one), _text(one.get("description", "")), name in required)
        for name, one in own.get("properties", {}).items()
    ]


def _kind(own: Schema) -> Kind:
    """Return the type of a schema in words."""
    if variants := own.get("oneOf") or own.get("allOf"):
        known = [one for one in variants if _resolved(one).get("type") != "null"]
        kind = _kind(known[0])
        return Kind(kind.text, kind.refers_to, kind.limits, len(known) < len(variants))
    if "$ref" in own:
        name, found = referred(own), _resolved(own)
        if "enum" in found:
            return _kind(found)
        return Kind("page of", _listed(name)) if _listed(name) else Kind("", name)
    named: str | list[str] = own.get("type", "any")
    types = [named] if isinstance(named, str) else named
    if types[0] == "array":
        inner = _kind(own["items"])
        return Kind(f"list of {inner.text}", inner.refers_to, inner.limits)
    word = WORDS.get(own.get("format", ""), types[0])
    return Kind(word, limits=_limits(own), is_nullable="null" in types)


def _limits(own: Schema) -> str:
    limits = []
    if "enum" in own:
        limits.append(" | ".join(str(one) for one in own["enum"]))
    if "minimum" in own and "maximum" in own:
        limits.append(f"{own['minimum']} to {own['maximum']}")
    if "maxLength" in own:
        limits.append(f"at most {own['maxLength']} characters")
    if "default" in own:
        default = own["default"]
        limits.append(f"default {default if isinstance(default, str) else json.dumps(default)}")
    return ", ".join(limits)


def _listed(name: str) -> str:
    """Return the name of the schema in a paginated list; empty for other schemas."""
    found = re.fullmatch(r"Paginated(\w+)List", name)
    return found[1] if found else ""


def _resolved(own: Schema) -> Schema:
    return resolved(own, schema())


def _curl(method: str, path: str, one: Schema, base: str) -> str:
    """Return a command for the operation, with the required fields, or else the first, as body."""
    words = ['--header "Authorization: Bearer $TOKEN"']
    media, content = _first_body(one)
    if content:
        words += _curl_body(media, content["schema"])
    if method not in ("GET", "POST") or (method == "POST" and len(words) == 1):
        words.insert(0, f"--request {method}")
    address = f"{base.rstrip('/')}{path}".replace("{id}", str(sample({}, schema(), "id")))
    waits = any(own["name"] == "wait" for own in one.get("parameters", []))
    return "curl " + " \\\n  ".join([*words, f'"{address}?wait={WAIT}"' if waits else address])


def _curl_body(media: str, own: Schema) -> list[str]:
    parent, body = referred(own), _resolved(own)
    names = body.get("required") or list(body["properties"])[:1]
    values = {name: sample(body["properties"][name], schema(), name, parent) for name in names}
    if media == "multipart/form-data":
        return [f"--form {name}=@{value}" for name, value in values.items()]
    return ['--header "Content-Type: application/json"', f"--data '{json.dumps(values)}'"]


def _text(text: str) -> str:
    return CHOICES.sub("", text).strip()


def _json(value: Any) -> str:
    return json.dumps(value, indent=2)
