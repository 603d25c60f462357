"""Network addresses: where a request came from, and what counts as one place.

What a client says of itself in `X-Forwarded-For` is believed only from the proxies of
TRUSTED_PROXIES. `webapp.asgi` applies this to each request, so that REMOTE_ADDR is the client's
address for all else.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.http import url_has_allowed_host_and_scheme

if TYPE_CHECKING:
    from django.http import HttpRequest

FORWARDED = b"x-forwarded-for"
OF_PROXIES = b"x-forwarded-"  # how all headers begin that tell what a proxy was asked
IPV6_PREFIX = 64  # bits: a household or a server has at least so much
KEPT = 4096
HERE = ("localhost", "127.0.0.1", "::1")


@lru_cache(KEPT)
def is_proxy(address: str) -> bool:
    """Return whether an address is that of a proxy of TRUSTED_PROXIES.

    A connection without an address comes through a socket file of this machine.
    """
    if not address:
        return bool(settings.TRUSTED_PROXIES)
    found = _parsed(address)
    return found is not None and any(found in network for network in settings.TRUSTED_PROXIES)


def client_of(peer: str, forwarded: str) -> str:
    """Return the address of the client that a request came from.

    Each proxy adds the address that it was asked from at the end, so the last one that is no proxy
    is the client's; what stands before that is the client's own word.

    Args:
        peer: the address that the connection came from.
        forwarded: the values of X-Forwarded-For, separated by commas.
    """
    client = peer
    for one in reversed(forwarded.split(",")):
        if not is_proxy(client):
            break
        found = _parsed(one.strip())
        if found is None:
            break
        client = str(found)
    return client


@lru_cache(KEPT)
def network_of(address: str) -> str:
    """Return what counts as one place: an IPv4 address, or the /64 network of an IPv6 address."""
    found = _parsed(address)
    if not isinstance(found, IPv6Address):
        return str(found or address)
    first = int(found) >> (128 - IPV6_PREFIX) << (128 - IPV6_PREFIX)
    return str(IPv6Address(first))


def network_of_request(request: HttpRequest) -> str:
    """Return the place that a request came from, as network_of."""
    return network_of(request.META.get("REMOTE_ADDR", ""))


def is_confidential(url: str) -> bool:
    """Return whether nobody on the way reads what is sent to a URL: by TLS, or on this machine."""
    try:
        scheme, host = urlsplit(url).scheme, urlsplit(url).hostname
    except ValueError:
        return False
    return bool(host) and (scheme == "https" or (scheme == "http" and host in HERE))


def is_of_this_site(request: HttpRequest, url: str | None) -> bool:
    """Return whether a URL that came with a request leads to this site and no other."""
    return bool(url_has_allowed_host_and_scheme(url, {request.get_host()}, request.is_secure()))


def as_sent(scope: dict[str, Any]) -> dict[str, Any]:
    """Return the ASGI scope of a request with the client's own address.

    X-Forwarded-For is applied and removed. From what is no proxy, all that only proxies may tell
    is removed.
    """
    client = scope.get("client")
    peer = str(client[0]) if client else ""
    headers = scope["headers"]
    if not is_proxy(peer):
        if not any(name.startswith(OF_PROXIES) for name, _ in headers):
            return scope
        return scope | {"headers": [one for one in headers if not one[0].startswith(OF_PROXIES)]}
    forwarded = ",".join(value.decode("latin1") for name, value in headers if name == FORWARDED)
    address = client_of(peer, forwarded) if forwarded else peer
    kept = [one for one in headers if one[0] != FORWARDED]
    return scope | {"headers": kept, "client": (address, client[1] if client else 0)}


def _parsed(text: str) -> Any:
    """Return an address as an object, an IPv4 one as such; None if it is none."""
    try:
        found = ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None)
    return mapped or found
