from importlib import import_module
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.core import checks
from django.db.models.signals import post_delete, post_migrate
from django.urls import get_resolver


def check_prefix(**_: Any) -> list[checks.CheckMessage]:
    """Return an error where URL_PREFIX begins as an address of the site does.

    A proxy that takes the prefix away could not be told from one that does not.
    """
    first = settings.URL_PREFIX.split("/")[1]
    patterns = [pattern.pattern for pattern in get_resolver().url_patterns]
    patterns += [pattern.pattern for pattern in get_resolver("digits.urls").url_patterns]
    taken = {str(pattern).split("/")[0] for pattern in patterns} | {"static"}
    if not first or first not in taken:
        return []
    message = f"URL_PREFIX may not begin with /{first}/, as addresses of the site do"
    return [checks.Error(message, id="digits.E001")]


class DigitsConfig(AppConfig):
    name = "digits"
    verbose_name = "Digits"

    def ready(self) -> None:
        checks.register(check_prefix)
        from allauth.mfa.signals import authenticator_used

        from digits import files, quotas
        from digits.accounts import accounts, roles, second_factor, sign_ins
        from digits.audit import guard, signals
        from digits.models import Batch, ModelVersion, Upload
        from digits.monitoring import tallies
        from digits.versions import registry

        post_migrate.connect(registry.register_bundled_after_migrate, sender=self)
        post_migrate.connect(guard.guard, sender=self)
        post_migrate.connect(roles.make_missing_after_migrate, sender=self)
        user_logged_in.connect(accounts.begin_new_session)
        user_logged_in.connect(accounts.take_uploads_along)
        user_logged_in.connect(sign_ins.begin)
        user_logged_out.connect(sign_ins.end)
        user_login_failed.connect(accounts.count_wrong_password)
        authenticator_used.connect(second_factor.note_use)
        signals.connect()
        for model in (Upload, Batch, ModelVersion):
            post_delete.connect(files.delete_files_of, sender=model)
        post_delete.connect(tallies.touch_deleted, sender=Upload)
        for charged in (Upload, Batch):
            post_delete.connect(quotas.give_back, sender=charged)


class DigitsAdminConfig(SimpleAdminConfig):
    """Django's admin with an index of its own, and with no pages but those of digits.admin.

    Those of allauth would show the secrets of second factors.
    """

    default_site = "digits.admin_site.Site"

    def ready(self) -> None:
        super().ready()
        import_module("digits.admin")
