"""Sign-ins: in which browsers an account is signed in, which end, and which have been idle.

A session keeps when it was last seen, and the key of its row in the list. It ends by Django's own
means: its password's hash is no longer that of the account. So nothing is looked up for a request.
"""

import ipaddress
import time
from collections.abc import MutableMapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from digits.accounts.permissions import Forbidden
from digits.models import SignIn

ROW, SEEN, BEGUN = "sign_in", "seen_at", "signed_in_at"  # of a session
NOTED_SECONDS = 60.0  # how exactly it is noted when a session was seen
PREFIXES = {4: 24, 6: 48}  # bits of an address that are kept
LONGEST = 512  # letters of what a browser says of itself


def is_idle(session: SessionBase) -> bool:
    """Return whether the session of an account was not used for SESSION_IDLE_MINUTES."""
    seen = session.get(SEEN)
    limit = settings.SESSION_IDLE_MINUTES * 60
    return bool(limit and seen is not None and time.time() - seen > limit)


def is_over(session: SessionBase) -> bool:
    """Return whether somebody signed in more than SESSION_DAYS ago."""
    begun = session.get(BEGUN)
    limit = settings.SESSION_DAYS * 86400
    return bool(limit and begun is not None and time.time() - begun > limit)


def must_be_new(session: SessionBase, seconds: float) -> None:
    """Do nothing where somebody signed in to a session less than so many seconds ago.

    Raises:
        Forbidden: it was longer ago.
    """
    if time.time() - session.get(BEGUN, 0) > seconds:
        raise Forbidden("This needs a new sign-in: sign out, and sign in once more.")


def begin(sender: type[User], request: HttpRequest, user: User, **_: Any) -> None:
    """Add the sign-in of somebody who signs in."""
    request.session[BEGUN] = time.time()
    note(request, user)


def note(request: HttpRequest, user: User) -> None:
    """Note that an account's session was used, at most once a minute."""
    session = request.session
    now, seen = time.time(), session.get(SEEN)
    exact = min(NOTED_SECONDS, settings.SESSION_IDLE_MINUTES * 6 or NOTED_SECONDS)
    if seen is not None and ROW in session and now - seen < exact:
        return
    _update(request, user)
    session[SEEN] = now
    session.setdefault(BEGUN, now)  # it is from before this was kept


def _update(request: HttpRequest, user: User) -> None:
    """Store when a session was seen, and where; and its row, if it has none."""
    session = request.session
    fields = {
        "auth_hash": user.get_session_auth_hash(),
        "browser": browser(request.headers.get("User-Agent", "")),
        "address": shortened(request.META.get("REMOTE_ADDR", "")),
        "last_seen_at": timezone.now(),
    }
    row = user.sign_ins.filter(pk=session.get(ROW, 0))
    if not row.update(**fields):
        session[ROW] = user.sign_ins.create(**fields).pk
        _forget_old(user)


def of(user: User) -> QuerySet[SignIn]:
    """Return the sign-ins of an account that have not ended, the last seen first."""
    return user.sign_ins.filter(
        auth_hash=user.get_session_auth_hash(), last_seen_at__gt=timezone.now() - _longest()
    )


def end(sender: type[User], request: HttpRequest, user: User | None, **_: Any) -> None:
    """Forget the sign-in of somebody who signs out."""
    SignIn.objects.filter(pk=request.session.get(ROW, 0)).delete()


def end_others(request: HttpRequest, user: User, password: str) -> None:
    """Sign an account out everywhere but here.

    password: the account's. It is stored anew, with other salt, so that no other session fits it.
    """
    if user.has_usable_password():
        user.set_password(password)
    else:
        user.set_unusable_password()
    user.save(update_fields=["password"])
    update_session_auth_hash(request, user)
    keep_only(request.session, user)


def keep_only(session: MutableMapping[str, Any], user: User) -> None:
    """Forget the sign-ins of an account but for this session's, whose password was changed."""
    user.sign_ins.exclude(pk=session.get(ROW, 0)).delete()
    user.sign_ins.update(auth_hash=user.get_session_auth_hash())


def _forget_old(user: User) -> None:
    user.sign_ins.filter(last_seen_at__lt=timezone.now() - _longest()).delete()


def _longest() -> timedelta:
    """Return how long a session may be unused."""
    idle, age = settings.SESSION_IDLE_MINUTES * 60, settings.SESSION_COOKIE_AGE
    return timedelta(seconds=min(idle or age, age))


def browser(agent: str) -> str:
    """Return the name of a browser and its system, such as "Firefox on Linux"."""
    # Its tables take a fifth of a second, which no start waits for.
    from ua_parser import parse_os, parse_user_agent

    agent = agent[:LONGEST]
    name, system = parse_user_agent(agent), parse_os(agent)
    names = [known.family for known in (name, system) if known and known.family != "Other"]
    return " on ".join(names)[:100]


def shortened(address: str) -> str:
    """Return the network of an address: its first 24 bits, or the first 48 of IPv6."""
    try:
        whole = ipaddress.ip_address(address)
    except ValueError:
        return ""
    network = ipaddress.ip_network(f"{whole.compressed}/{PREFIXES[whole.version]}", strict=False)
    return str(network)
