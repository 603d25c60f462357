"""The second factor of an account: a code from an app on a telephone, or a recovery code.

allauth keeps the secrets and checks the codes. This site adds that a code counts once, also in two
processes; that wrong ones count as wrong passwords do; and that staff may have to have one.
"""

from collections.abc import MutableMapping
from typing import Any, cast

from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)
from allauth.mfa.utils import decrypt
from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest

from digits import rates

TOTP = Authenticator.Type.TOTP
PASSED = "second_factor"  # of a session: the key of the row whose code was given in it
USED = "used"  # in a row's data: the time step of the last code that was taken


def of(user: User) -> Authenticator | None:
    """Return the row with the secret of an account's app; None where it has no second factor."""
    return cast("Authenticator | None", Authenticator.objects.filter(user=user, type=TOTP).first())


def is_on(user: User) -> bool:
    """Return whether an account is asked for a code when it signs in."""
    return settings.SECOND_FACTOR != "off" and of(user) is not None


def remove(user: User) -> bool:
    """Remove the second factor of an account; return whether it had one."""
    had_one = of(user) is not None
    Authenticator.objects.filter(user=user).delete()
    return had_one


def note(session: MutableMapping[str, Any], user: User) -> None:
    """Note that an account's code was given in a session."""
    factor = of(user)
    if factor is not None:
        session[PASSED] = factor.pk


def note_use(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    """Receive allauth's signal that a code was right."""
    note(request.session, user)


def is_missing(session: MutableMapping[str, Any], user: User) -> bool:
    """Return whether an account must give a code before it goes on in a session.

    With SECOND_FACTOR=staff all staff must. The row is looked up, since it may have been removed.
    """
    if settings.SECOND_FACTOR != "staff" or not user.is_staff:
        return False
    passed = Authenticator.objects.filter(pk=session.get(PASSED), user=user, type=TOTP)
    return not passed.exists()


def lock(user: User) -> None:
    """Let nobody else check a code of an account until the transaction ends."""
    list(Authenticator.objects.select_for_update().filter(user=user))


def spend(factor: Authenticator, code: str) -> bool:
    """Note that a right code was used; return False where it or a later one was used before.

    allauth notes that in the memory of one process, and strikes out recovery codes in their row.
    """
    if factor.type != TOTP:
        return True
    secret = decrypt(factor.data["secret"])
    fits = [
        step
        for step in yield_hotp_counters_from_time()
        if compare_user_code(actual=code, expected=format_hotp_value(hotp_value(secret, step)))
    ]
    if max(fits, default=0) <= factor.data.get(USED, 0):
        return False
    factor.data[USED] = max(fits)
    factor.save(update_fields=["data"])
    return True


def is_locked_out(request: HttpRequest, user: User) -> bool:
    """Return whether an account may give no code from where a request comes, as no password."""
    return not AxesProxyHandler.is_allowed(request, _credentials(user))


def seconds_to_wait(user: User) -> int:
    """Return after how many seconds an account may give a code; 0: it may now."""
    return rates.WRONG_CODES.look(_who(user))


def count_wrong(user: User) -> None:
    """Count a wrong code of an account, from wherever it came.

    Only who knows the password comes so far, so that no stranger stops anybody with this.
    """
    rates.WRONG_CODES.count(_who(user))


def tell_failed(request: HttpRequest, user: User) -> None:
    """Let all who count wrong passwords, and the audit trail, know of a wrong code."""
    user_login_failed.send(
        sender=__name__, credentials=_credentials(user), request=request, detail="a wrong code"
    )


def _who(user: User) -> str:
    return f"u{user.pk}"


def _credentials(user: User) -> dict[str, str]:
    return {"username": user.get_username()}
