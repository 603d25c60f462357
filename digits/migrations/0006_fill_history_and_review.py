from types import SimpleNamespace

from django.db import migrations
from django.db.models import OuterRef, Subquery

from digits.uploads.lines import corrected_reading

NOT_A_DIGIT = 10


def fill(apps, schema_editor):
    """Tell of each upload whose reading it is, and what people made of it."""
    Upload = apps.get_model("digits", "Upload")
    Digit = apps.get_model("digits", "Digit")
    Prediction = apps.get_model("digits", "Prediction")
    first = Prediction.objects.filter(digit__upload=OuterRef("pk")).order_by("id")
    Upload.objects.update(version=Subquery(first.values("version")[:1]))
    Prediction.objects.filter(digit__label__isnull=False).update(to_review=False)
    labelled = Digit.objects.filter(label__isnull=False).values("upload")
    for upload in Upload.objects.filter(pk__in=labelled).only("pk", "reading").iterator():
        digits = [_said(digit) for digit in upload.digits.order_by("position").defer("pixels")]
        corrected = corrected_reading(upload, digits)[:500]
        verdict = "corrected" if corrected else "confirmed"
        Upload.objects.filter(pk=upload.pk).update(corrected=corrected, verdict=verdict)


def _said(digit):
    first = digit.predictions.order_by("id").first()
    read_as = first and SimpleNamespace(
        value=first.value, label=NOT_A_DIGIT if first.value is None else first.value
    )
    return SimpleNamespace(x=digit.x, label=digit.label, read_as=read_as)


class Migration(migrations.Migration):
    dependencies = [("digits", "0005_history_and_review")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop, elidable=True)]
