"""Values of settings, as the environment gives them: read, checked, and refused with a reason."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import parse_qsl, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from digits.addresses import is_confidential

env = environ.Env()
SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


def number(name: str, default: int, low: int, high: int) -> int:
    """Return a whole number between two bounds from the environment.

    Raises:
        ImproperlyConfigured: it is another value.
    """
    text = env.str(name, default=str(default))
    if not text.strip().lstrip("-").isdigit() or not low <= int(text) <= high:
        raise ImproperlyConfigured(
            f'expected {name} to be a number from {low} to {high}, received "{text}"'
        )
    return int(text)


def one_of(name: str, choices: tuple[str, ...], default: str) -> str:
    """Return one of some words from the environment.

    Raises:
        ImproperlyConfigured: it is another word.
    """
    text: str = env.str(name, default=default)
    if text not in choices:
        raise ImproperlyConfigured(
            f'expected {name} to be one of {", ".join(choices)}, received "{text}"'
        )
    return text


def word(name: str, default: str) -> str:
    """Return a word of letters, digits, - and _ from the environment.

    Raises:
        ImproperlyConfigured: it is no such word.
    """
    text: str = env.str(name, default="") or default
    if not re.fullmatch("[A-Za-z0-9_-]{1,60}", text):
        raise ImproperlyConfigured(
            f'expected {name} to be letters, digits, - and _, 60 at most, received "{text}"'
        )
    return text


def prefix(name: str) -> str:
    """Return the path under which a site lies from the environment, with both slashes.

    Raises:
        ImproperlyConfigured: it is no such path.
    """
    text: str = env.str(name, default="") or "/"
    if not re.fullmatch(r"/([A-Za-z0-9._~-]+/)*", text) or "/." in text:
        raise ImproperlyConfigured(
            f'expected {name} to be a path such as /digits/, with both slashes, received "{text}"'
        )
    return text


def issuer(name: str) -> str:
    """Return the address of a server of OpenID Connect from the environment; "" where it has none.

    Raises:
        ImproperlyConfigured: it is no address, or others could read what is sent there.
    """
    text: str = env.str(name, default="")
    if text and not is_confidential(text):
        raise ImproperlyConfigured(
            f"expected {name} to be an address with https:// (http:// on this machine alone), "
            f'received "{text}"'
        )
    return text


def rate(name: str, default: str) -> tuple[int, int]:
    """Return a rate such as "600/minute" as a number of requests and a number of seconds.

    Raises:
        ImproperlyConfigured: it is another value.
    """
    text = env.str(name, default=default)
    count, _, period = text.partition("/")
    if not count.isdigit() or int(count) < 1 or period not in SECONDS:
        expected = "a rate such as 600/minute, a second, minute, hour or day"
        raise ImproperlyConfigured(f'expected {name} to be {expected}, received "{text}"')
    return int(count), SECONDS[period]


def networks(name: str, default: str) -> list[IPv4Network | IPv6Network]:
    """Return networks, which are given as addresses or as "10.0.0.0/8", separated by commas.

    Raises:
        ImproperlyConfigured: one of them is none.
    """
    found = []
    for text in env.list(name, default=default.split(",")):
        try:
            found += [ip_network(text.strip())] if text.strip() else []
        except ValueError as error:
            raise ImproperlyConfigured(
                f"expected {name} to be addresses or networks, separated by commas: {error}"
            ) from error
    return found


def bounds(name: str, default: dict[str, int]) -> dict[str, int]:
    """Return named bounds, given as "waiting=100,day=5000"; those left out have their defaults.

    Raises:
        ImproperlyConfigured: a name is none of the default's, or a value is no number.
    """
    found = dict(default)
    for text in env.list(name, default=[]):
        key, _, value = text.partition("=")
        if key.strip() not in default or not value.strip().isdecimal():
            expected = ",".join(f"{one}={most}" for one, most in default.items())
            raise ImproperlyConfigured(
                f'expected {name} to be made of bounds as in "{expected}", received "{text}"'
            )
        found[key.strip()] = int(value)
    return found


def bucket(name: str) -> dict[str, str | None] | None:
    """Return where files lie in object storage from the environment; None where it names none.

    The value is s3://bucket/prefix, with endpoint=, region= and addressing= (path or virtual) after
    a question mark where the server is not Amazon's.

    Returns:
        The options of `digits.object_storage.ObjectFiles` that say where.

    Raises:
        ImproperlyConfigured: it is another value.
    """
    text: str = env.str(name, default="")
    if not text:
        return None
    parts = urlsplit(text)
    said = dict(parse_qsl(parts.query, keep_blank_values=True))
    known = {"endpoint", "region", "addressing"}
    endpoint, addressing = said.get("endpoint"), said.get("addressing")
    if (
        parts.scheme != "s3"
        or not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", parts.netloc)
        or not said.keys() <= known
        or (endpoint is not None and not re.fullmatch(r"https?://[^\s/?#]+/?", endpoint))
        or addressing not in (None, "path", "virtual")
    ):
        raise ImproperlyConfigured(
            f"expected {name} to be s3://bucket/prefix, with endpoint=https://..., region= and "
            f'addressing=path or virtual after a "?" where they are needed, received "{text}"'
        )
    return {
        "bucket_name": parts.netloc,
        "location": parts.path.strip("/"),
        "endpoint_url": endpoint,
        "region_name": said.get("region"),
        "addressing_style": addressing,
    }
