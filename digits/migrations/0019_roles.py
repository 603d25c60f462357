"""Permissions of Digits' own, and the roles that have them.

Staff could do all of it before; so that nobody loses that, each member has all roles now.
"""

from django.conf import settings
from django.contrib.auth.management import create_permissions
from django.db import migrations

REVIEWER = [
    *("digits.view_upload", "digits.view_digit", "digits.view_prediction"),
    *("digits.view_correction", "digits.view_rereading", "digits.view_batch"),
    *("digits.view_batchitem", "digits.change_digit", "digits.add_rereading"),
]
ROLES = {
    "reviewer": REVIEWER,
    "trainer": [
        *REVIEWER,
        *("digits.retrain", "digits.view_trainingrun", "digits.view_modelversion"),
        "digits.view_activation",
    ],
    "operator": [
        *("digits.view_upload", "digits.view_batch", "digits.view_dashboard"),
        *("digits.view_modelversion", "digits.view_activation", "digits.view_trainingrun"),
        *("digits.activate_modelversion", "digits.delete_upload", "digits.change_batch"),
        *("digits.delete_batch", "auth.view_user", "auth.add_user", "auth.change_user"),
        "auth.delete_user",
    ],
}


def make_roles(apps, schema_editor):
    """Make the groups, or give those of these names the permissions; put the staff into them."""
    using = schema_editor.connection.alias
    _make_permissions(apps, using)
    groups = apps.get_model("auth", "Group").objects.using(using)
    permissions = apps.get_model("auth", "Permission").objects.using(using)
    users = apps.get_model(settings.AUTH_USER_MODEL).objects.using(using)
    staff = list(users.filter(is_staff=True, is_superuser=False))
    for role, names in ROLES.items():
        group, _ = groups.get_or_create(name=role)
        for name in names:
            app, codename = name.split(".")
            group.permissions.add(permissions.get(content_type__app_label=app, codename=codename))
        group.user_set.add(*staff)


def _make_permissions(apps, using):
    """Make the permissions that Django makes only after the last migration."""
    for label in ("auth", "digits"):
        app = apps.get_app_config(label)
        app.models_module = True
        create_permissions(app, verbosity=0, using=using, apps=apps)
        app.models_module = None


def forget_names(apps, schema_editor):
    """Take the names of people out of the logs of trainings, which everybody may read."""
    events = apps.get_model("digits", "TrainingEvent").objects.using(schema_editor.connection.alias)
    asked = events.filter(run__origin="admin", text__startswith="requested by ")
    asked.update(text="requested by a person")


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("digits", "0018_audit_trail"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="modelversion",
            options={
                "ordering": ["-number"],
                "permissions": [("activate_modelversion", "Can activate model version")],
                "verbose_name": "model version",
            },
        ),
        migrations.AlterModelOptions(
            name="tally",
            options={
                "permissions": [
                    ("view_dashboard", "Can see the dashboard and the state of the system")
                ],
                "verbose_name_plural": "tallies",
            },
        ),
        migrations.AlterModelOptions(
            name="trainingrun",
            options={
                "ordering": ["-id"],
                "permissions": [("retrain", "Can start and cancel trainings")],
                "verbose_name": "training run",
            },
        ),
        migrations.RunPython(make_roles, migrations.RunPython.noop),
        migrations.RunPython(forget_names, migrations.RunPython.noop),
    ]
