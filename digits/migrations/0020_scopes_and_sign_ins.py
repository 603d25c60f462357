import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("digits", "0019_roles"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="token",
            name="expires_at",
            field=models.DateTimeField(blank=True, help_text="empty: never", null=True),
        ),
        # Tokens that were made before go on as they are.
        migrations.AddField(
            model_name="token",
            name="scope",
            field=models.CharField(
                default="read write correct manage",
                help_text="names of scopes, a space between two",
                max_length=100,
            ),
            preserve_default=False,
        ),
        migrations.CreateModel(
            name="SignIn",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "auth_hash",
                    models.CharField(
                        help_text="of the password that it was made with", max_length=64
                    ),
                ),
                ("browser", models.CharField(blank=True, max_length=100)),
                (
                    "address",
                    models.CharField(blank=True, help_text="shortened", max_length=45),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("last_seen_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="sign_ins",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-last_seen_at"],
            },
        ),
    ]
