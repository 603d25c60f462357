from itertools import islice

from django.db import migrations, models
from django.db.models import Q

from digits.migrations._lines_as_of_0_1 import as_read, lines_of

AT_ONCE = 500


def fill_lines(apps, schema_editor):
    """Store the lines that version 0.1 derived each time. A digit of the first line has it."""
    Upload = apps.get_model("digits", "Upload")
    Digit = apps.get_model("digits", "Digit")
    in_lines = Q(reading__contains=" ") | Q(digits__predictions__value__isnull=True)
    pks = Upload.objects.filter(in_lines, digits__position__gt=0).order_by("pk").distinct()
    numbers = iter(list(pks.values_list("pk", flat=True)))
    while some := list(islice(numbers, AT_ONCE)):
        uploads = Upload.objects.filter(pk__in=some).only("pk", "reading").in_bulk()
        found = Digit.objects.filter(upload__in=some).order_by("upload", "position")
        digits = {pk: [] for pk in some}
        for digit in found.defer("pixels").prefetch_related("predictions"):
            digits[digit.upload_id].append(as_read(digit))
        rows = [
            Digit(pk=digit.pk, line=number)
            for pk in some
            for number, line in enumerate(lines_of(uploads[pk], digits[pk]))
            for digit in line
            if number
        ]
        Digit.objects.bulk_update(rows, ["line"], batch_size=AT_ONCE)


def free_activations(apps, schema_editor):
    """Free what a worker of version 0.1 holds: it had an end of the lease, but no lease."""
    Activation = apps.get_model("digits", "Activation")
    Activation.objects.filter(lease__isnull=True).update(lease_expires_at=None)


class Migration(migrations.Migration):
    dependencies = [("digits", "0010_keys_of_batches")]
    operations = [
        migrations.AddField(
            model_name="digit",
            name="line",
            field=models.PositiveSmallIntegerField(
                default=0, help_text="of the reading that it is in, from 0"
            ),
        ),
        migrations.AddField(
            model_name="activation",
            name="lease",
            field=models.UUIDField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="trainingrun",
            name="settings",
            field=models.JSONField(default=dict, help_text="as worker.training.recipes.Recipe"),
        ),
        migrations.RunPython(fill_lines, migrations.RunPython.noop, elidable=True),
        migrations.RunPython(free_activations, migrations.RunPython.noop, elidable=True),
    ]
