"""Whose request it is: only a proxy that is trusted is believed what it forwards."""

import pytest

from digits import addresses
from digits.accounts.owners import Owner


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.7", "198.51.100.7"),  # the first is the client's word
        ("10.0.0.1", "198.51.100.7, 10.0.0.2", "198.51.100.7"),  # two proxies
        ("198.51.100.7", "10.0.0.1", "198.51.100.7"),  # a stranger
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "x, 10.0.0.3", "10.0.0.3"),
        ("10.0.0.1", "10.0.0.9", "10.0.0.9"),
        ("fd00::1", "2001:db8::5", "2001:db8::5"),
        ("::ffff:10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("", "198.51.100.7", "198.51.100.7"),  # through a socket file
    ],
)
def test_the_client_is_the_last_address_that_is_no_proxy(proxies, peer, forwarded, client):
    assert addresses.client_of(peer, forwarded) == client


def scope(peer: str, **headers: str) -> dict:
    pairs = [
        (name.replace("_", "-").encode(), value.encode())
        for name, value in {"host": "localhost", **headers}.items()
    ]
    return {"headers": pairs, "client": (peer, 1234)}


def test_what_a_proxy_says_is_applied(proxies):
    sent = scope("10.0.0.1", x_forwarded_for="198.51.100.7", x_forwarded_proto="https")
    seen = addresses.as_sent(sent)
    assert seen["client"] == ("198.51.100.7", 1234)
    assert dict(seen["headers"]) == {b"host": b"localhost", b"x-forwarded-proto": b"https"}


def test_what_a_stranger_says_of_itself_is_removed(proxies):
    sent = scope("198.51.100.7", x_forwarded_for="127.0.0.1", x_forwarded_proto="https")
    seen = addresses.as_sent(sent)
    assert seen["client"] == ("198.51.100.7", 1234)
    assert dict(seen["headers"]) == {b"host": b"localhost"}


def test_nobody_is_believed_without_proxies():
    assert addresses.as_sent(scope("127.0.0.1", x_forwarded_for="1.1.1.1"))["client"][0] == (
        "127.0.0.1"
    )


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("fe80::1%eth0", "fe80::"),
        ("", ""),
    ],
)
def test_a_place_is_an_ipv4_address_or_a_64th_of_ipv6(address, network):
    assert addresses.network_of(address) == network


def test_whoever_changes_the_address_within_a_network_stays_one_sender():
    senders = {Owner(None, None, f"2001:db8::{n}").sender for n in range(1, 9)}
    assert len(senders) == 1
    assert Owner(None, None, "2001:db8:0:1::1").sender not in senders


def test_a_new_browser_session_is_no_new_sender():
    senders = {Owner(None, {"visitor": name}, "198.51.100.7").sender for name in ("", "a", "b")}
    assert senders == {Owner(None, None, "198.51.100.7").sender}
