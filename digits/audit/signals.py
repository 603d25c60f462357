"""Acts of which Django itself tells: signing in and out, rights, and rows that come and go."""

import logging
from typing import Any

from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_used
from axes.signals import user_locked_out
from django.conf import settings
from django.contrib.auth import signals as auth
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save
from django.http import HttpRequest
from django.utils import timezone

from digits.audit.actors import Actor, actor, as_actor
from digits.audit.trail import in_one_line, record
from digits.models import AuditEvent, Batch, ModelVersion, Token, Upload
from digits.models.audit import Act

logger = logging.getLogger(__name__)
OF_ACCOUNTS = ("username", "is_active", "is_staff", "is_superuser")
OF_FACTORS = {
    (Authenticator.Type.TOTP, True): Act.SECOND_FACTOR_ON,
    (Authenticator.Type.TOTP, False): Act.SECOND_FACTOR_OFF,
    (Authenticator.Type.RECOVERY_CODES, True): Act.RECOVERY_CODES_MADE,
}
DELETED = {
    Upload: Act.UPLOAD_DELETED,
    Batch: Act.BATCH_DELETED,
    ModelVersion: Act.VERSION_DELETED,
    User: Act.ACCOUNT_DELETED,
    Token: Act.TOKEN_ENDED,
}
MADE = {User: Act.ACCOUNT_MADE, Token: Act.TOKEN_MADE}
IN_WORDS = {"post_add": "added", "post_remove": "removed", "pre_clear": "removed all of"}


class RecordedPasswords:
    """A validator that refuses no password: Django tells validators when one was set."""

    def validate(self, password: str, user: User | None = None) -> None:
        pass

    def get_help_text(self) -> str:
        return "That it was set, and when, is recorded."

    def password_changed(self, password: str, user: User | None = None) -> None:
        if user is not None:
            record(Act.PASSWORD_SET, _named(user))


def connect() -> None:
    """Have the acts recorded. django-axes connects when it is imported, and so counts first."""
    auth.user_logged_in.connect(signed_in)
    auth.user_logged_out.connect(signed_out)
    auth.user_login_failed.connect(failed)
    user_locked_out.connect(locked_out)
    pre_save.connect(account_changes, sender=User)
    for model in MADE:
        post_save.connect(made, sender=model)
    for model in DELETED:
        post_delete.connect(deleted, sender=model)
    post_save.connect(factor_made, sender=Authenticator)
    post_delete.connect(factor_removed, sender=Authenticator)
    authenticator_used.connect(factor_used)
    for through in (User.groups, User.user_permissions, Group.permissions):
        m2m_changed.connect(rights_changed, sender=through.through)


def signed_in(sender: Any, user: User, request: HttpRequest, **_: Any) -> None:
    who = as_actor(user, actor().address)
    record(Act.SIGNED_IN, detail=_how(user, request), by=who)
    logger.info("%r signed in from %s", in_one_line(who.name, 150), who.address)


def _how(user: User, request: HttpRequest) -> str:
    """Return by what somebody signed in, where that is more than a password."""
    used = {one["method"] for one in get_authentication_records(request, user)}
    by_server = [f"by {settings.OIDC_NAME}"] if "socialaccount" in used else []
    return " ".join([*by_server, *(["with a code"] if "mfa" in used else [])])


def signed_out(sender: Any, user: User | None, **_: Any) -> None:
    if user is not None:
        record(Act.SIGNED_OUT, by=as_actor(user, actor().address))


def failed(
    sender: Any,
    credentials: dict[str, Any],
    request: HttpRequest | None = None,
    detail: str = "",
    **_: Any,
) -> None:
    """Record a wrong name, password or code, but not while it is locked out: that is recorded."""
    if not getattr(request, "axes_locked_out", False):
        _record_unknown(Act.SIGN_IN_FAILED, _unknown(credentials.get("username")), detail)


def locked_out(sender: Any, username: str | None, **_: Any) -> None:
    """Record a lock-out, once in the time that it lasts: each further try begins it anew."""
    who = _unknown(username)
    known = AuditEvent.objects.filter(
        created_at__gt=timezone.now() - settings.AXES_COOLOFF_TIME,
        act=Act.LOCKED_OUT,
        name=who.name,
        address=who.address,
    )
    if not known.exists():
        _record_unknown(Act.LOCKED_OUT, who)


def _unknown(name: str | None) -> Actor:
    """Return somebody who gave a name, but not its password."""
    return Actor(None, in_one_line(name or "", 150), actor().address)


def _record_unknown(act: Act, who: Actor, detail: str = "") -> None:
    record(act, detail=detail, by=who)
    logger.warning("%s: %r from %s", act.label, who.name, who.address)


def made(instance: Model, created: bool, raw: bool = False, **_: Any) -> None:
    if created and not raw:
        record(MADE[type(instance)], _named(instance))


def deleted(instance: Model, **_: Any) -> None:
    record(DELETED[type(instance)], _named(instance), _told(instance))


def factor_made(instance: Authenticator, created: bool, raw: bool = False, **_: Any) -> None:
    act = OF_FACTORS.get((instance.type, True))
    if created and act and not raw:
        record(act, _named(instance.user))


def factor_removed(instance: Authenticator, **_: Any) -> None:
    act = OF_FACTORS.get((instance.type, False))
    if act:
        record(act, _named(instance.user))


def factor_used(sender: Any, authenticator: Authenticator, user: User, **_: Any) -> None:
    """Record that a recovery code was used: then there is one less, and perhaps no telephone."""
    if authenticator.type == Authenticator.Type.RECOVERY_CODES:
        record(Act.RECOVERY_CODE_USED, _named(user), by=as_actor(user, actor().address))


def account_changes(instance: User, raw: bool = False, update_fields: Any = None, **_: Any) -> None:
    """Record what changes of an account's name and rights."""
    fields = [name for name in OF_ACCOUNTS if update_fields is None or name in update_fields]
    before = User.objects.filter(pk=instance.pk).values(*fields).first() if fields else None
    if raw or before is None:
        return
    changes = [
        f"{name}: {before[name]} to {getattr(instance, name)}"
        for name in fields
        if before[name] != getattr(instance, name)
    ]
    only_name = all(change.startswith("username") for change in changes)
    if changes:
        act = Act.ACCOUNT_CHANGED if only_name else Act.RIGHTS_CHANGED
        record(act, _named(instance), ", ".join(changes))


def rights_changed(
    instance: Model, action: str, model: type[Model], pk_set: set[int] | None, **_: Any
) -> None:
    """Record groups of an account, or permissions of an account or a group, that change."""
    if action not in IN_WORDS or pk_set == set():
        return
    names = map(str, model._default_manager.filter(pk__in=pk_set or ()))
    what = f"{IN_WORDS[action]} {model._meta.verbose_name_plural}"
    told = f"{what}: {', '.join(sorted(names))}" if pk_set else what
    record(Act.RIGHTS_CHANGED, _named(instance), told)


def _named(row: Model) -> str:
    """Return the name of a row in an event."""
    if isinstance(row, User):
        return f"account {row.pk} {row.get_username()}"
    if isinstance(row, Group):
        return f"group {row}"
    return f"{row} of account {row.user_id}" if isinstance(row, Token) else str(row)


def _told(row: Model) -> str:
    """Return what else is told of a row that is deleted."""
    if isinstance(row, Upload | Batch):
        return f"{row.name}, of account {row.user_id}" if row.user_id else row.name
    return f"SHA-256 {row.sha256}" if isinstance(row, ModelVersion) else ""
