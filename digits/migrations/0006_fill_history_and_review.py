from django.db import migrations
from django.db.models import OuterRef, Subquery

from digits.migrations._lines_as_of_0_1 import as_read, corrected_reading


def fill(apps, schema_editor):
    """Write to each upload whose reading it is, and what people made of it."""
    Upload = apps.get_model("digits", "Upload")
    Digit = apps.get_model("digits", "Digit")
    Prediction = apps.get_model("digits", "Prediction")
    first = Prediction.objects.filter(digit__upload=OuterRef("pk")).order_by("id")
    Upload.objects.update(version=Subquery(first.values("version")[:1]))
    Prediction.objects.filter(digit__label__isnull=False).update(to_review=False)
    labelled = Digit.objects.filter(label__isnull=False).values("upload")
    for upload in Upload.objects.filter(pk__in=labelled).only("pk", "reading").iterator():
        digits = [as_read(digit) for digit in upload.digits.order_by("position").defer("pixels")]
        corrected = corrected_reading(upload, digits)[:500]
        verdict = "corrected" if corrected else "confirmed"
        Upload.objects.filter(pk=upload.pk).update(corrected=corrected, verdict=verdict)


class Migration(migrations.Migration):
    dependencies = [("digits", "0005_history_and_review")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop, elidable=True)]
