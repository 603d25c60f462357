"""Settings: what is not understood stops the start with a reason."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from webapp import values
from webapp.local import own_hosts


@pytest.mark.parametrize(
    ("read", "text", "reason"),
    [
        (lambda: values.number("X", 1, 0, 9), "10", 'from 0 to 9, received "10"'),
        (lambda: values.rate("X", "1/hour"), "1/year", "a rate such as 600/minute"),
        (lambda: values.networks("X", ""), "10.0.0.0/8,here", "expected X to be addresses"),
        (lambda: values.networks("X", ""), "10.0.0.1/8", "has host bits set"),
        (lambda: values.bounds("X", {"day": 1}), "week=2", 'as in "day=1", received "week=2"'),
        (lambda: values.bounds("X", {"day": 1}), "day=-1", 'received "day=-1"'),
    ],
)
def test_a_wrong_value_is_refused(monkeypatch, read, text, reason):
    monkeypatch.setenv("X", text)
    with pytest.raises(ImproperlyConfigured, match=reason):
        read()


def test_right_values(monkeypatch):
    monkeypatch.setenv("X", "5/second")
    assert values.rate("X", "1/hour") == (5, 1)
    monkeypatch.setenv("X", "10.0.0.1, fd00::/8")
    assert list(map(str, values.networks("X", ""))) == ["10.0.0.1/32", "fd00::/8"]
    monkeypatch.setenv("X", "day=7")
    assert values.bounds("X", {"day": 1, "files": 2}) == {"day": 7, "files": 2}


def test_a_visible_site_answers_to_this_machines_names_and_not_to_all():
    hosts = own_hosts("0.0.0.0")
    assert {"localhost", "127.0.0.1"} <= set(hosts)
    assert "*" not in hosts
    assert not any(host.startswith(".") for host in hosts)
    assert own_hosts("192.0.2.9")[-1] != "0.0.0.0"
    assert "192.0.2.9" in own_hosts("192.0.2.9")
