"""Accounts: deleted with their uploads, given roles and trust, and their corrections withdrawn."""

from collections.abc import Sequence
from typing import Any, cast

from allauth.mfa.models import Authenticator
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.db.models import Exists, ManyToManyField, Model, OuterRef, Q, QuerySet
from django.http import HttpRequest

from digits.accounts import second_factor
from digits.accounts.permissions import ROLES, TRUST, has
from digits.admin.base import Cascades, YesOrNo
from digits.learning import trust
from digits.learning.withdrawal import withdraw

admin.site.unregister(User)
SUPERUSERS_ALONE = ("is_superuser", "user_permissions")  # fields that only they may change


class Trusted(YesOrNo):
    title = "trusted"
    parameter_name = "trusted"
    condition = Q(trusted__isnull=False)


@admin.register(User)
class AccountAdmin(Cascades, UserAdmin):  # type: ignore[type-arg]  # it takes none at run time
    """As Django's own; but an account can be deleted with its uploads, and nobody gets more rights.

    Who manages accounts gives roles, and groups with no other permissions than roles and they have.
    An account with more, as a superuser's, is not theirs to change: they could set its password.
    """

    list_display = [
        *("username", "email", "is_staff", "is_superuser", "is_trusted", "has_second_factor"),
        "last_login",
    ]
    list_filter = ["is_staff", "is_superuser", "is_active", "groups", Trusted]
    list_select_related = ["trusted"]
    actions = [
        *("trust_them", "trust_them_no_more", "withdraw_corrections", "remove_second_factors"),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        secrets = Authenticator.objects.filter(user=OuterRef("pk"), type=second_factor.TOTP)
        users: QuerySet[User] = super().get_queryset(request)
        return users.annotate(with_code=Exists(secrets))

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        allowed = super().has_change_permission(request, obj)
        return allowed and _is_manageable(request, cast(User | None, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        allowed = super().has_delete_permission(request, obj)
        return allowed and _is_manageable(request, cast(User | None, obj))

    def get_deleted_objects(
        self, objs: Sequence[Model] | QuerySet[Model], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        tree, counts, lacks, protected = super().get_deleted_objects(objs, request)
        if not all(self.has_delete_permission(request, one) for one in objs):
            lacks.add("user with more rights")
        return tree, counts, lacks, protected

    def get_readonly_fields(
        self, request: HttpRequest, obj: Model | None = None
    ) -> tuple[str, ...]:
        fixed = tuple(super().get_readonly_fields(request, obj))
        return fixed if _is_superuser(request) else (*fixed, *SUPERUSERS_ALONE)

    def formfield_for_manytomany(
        self, db_field: "ManyToManyField[Any, Any]", request: HttpRequest, **options: Any
    ) -> "forms.ModelMultipleChoiceField[Any] | None":
        if db_field.name == "groups" and not _is_superuser(request):
            more = Permission.objects.exclude(_in(_manageable(request)))
            options["queryset"] = Group.objects.exclude(permissions__in=more)
        return super().formfield_for_manytomany(db_field, request, **options)

    def save_related(self, request: HttpRequest, form: Any, *rest: Any) -> None:
        super().save_related(request, form, *rest)
        user: User = form.instance
        if not user.is_staff and user.groups.filter(name__in=ROLES).exists():
            user.is_staff = True
            user.save(update_fields=["is_staff"])
            messages.info(request, f"{user} has a role, and so is staff now.")

    def has_trust_permission(self, request: HttpRequest) -> bool:
        return has(cast(User, request.user), TRUST)

    @admin.display(description="trusted", boolean=True)
    def is_trusted(self, user: User) -> bool:
        return hasattr(user, "trusted")

    @admin.display(description="second factor", boolean=True)
    def has_second_factor(self, user: User) -> bool:
        return bool(user.with_code)  # type: ignore[attr-defined]  # it is annotated

    @admin.action(description="Remove their second factors", permissions=["change"])
    def remove_second_factors(self, request: HttpRequest, users: QuerySet[User]) -> None:
        for user in users:
            if not self.has_change_permission(request, user):
                text, level = f"{user} has more rights than you may give.", messages.ERROR
            elif second_factor.remove(user):
                text, level = f"The second factor of {user} is removed.", messages.SUCCESS
            else:
                text, level = f"{user} has no second factor.", messages.INFO
            self.message_user(request, text, level)

    @admin.action(description="Trust their corrections", permissions=["trust"])
    def trust_them(self, request: HttpRequest, users: QuerySet[User]) -> None:
        for user in users:
            trust.give(user)
        self.message_user(request, f"{len(users)} accounts are trusted: trainings learn from them.")

    @admin.action(description="Trust their corrections no more", permissions=["trust"])
    def trust_them_no_more(self, request: HttpRequest, users: QuerySet[User]) -> None:
        for user in users:
            trust.take(user)
        self.message_user(request, f"{len(users)} accounts are not trusted any more.")

    @admin.action(description="Withdraw all their corrections", permissions=["trust"])
    def withdraw_corrections(self, request: HttpRequest, users: QuerySet[User]) -> None:
        for user in users:
            self.message_user(request, f"Corrections of {user}: {withdraw(user)}.")


def _is_superuser(request: HttpRequest) -> bool:
    return bool(cast(User, request.user).is_superuser)


def _manageable(request: HttpRequest) -> set[str]:
    """Return the permissions that somebody who manages accounts may give."""
    return cast(User, request.user).get_all_permissions().union(*ROLES.values())


def _in(names: set[str]) -> Q:
    """Return the condition that a permission is one of these names."""
    by_app: dict[str, list[str]] = {}
    for name in names:
        app, codename = name.split(".")
        by_app.setdefault(app, []).append(codename)
    found = Q(pk=None)
    for app, codenames in by_app.items():
        found |= Q(content_type__app_label=app, codename__in=codenames)
    return found


def _is_manageable(request: HttpRequest, account: User | None) -> bool:
    """Return whether an account has no more rights than whoever asks may give."""
    if account is None or _is_superuser(request):
        return True
    # Of an inactive account Django says that it has no permissions; but it may become active.
    own = Q(user=account) | Q(group__user=account)
    more = Permission.objects.filter(own).exclude(_in(_manageable(request)))
    return not account.is_superuser and not more.exists()
