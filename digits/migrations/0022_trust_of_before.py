from django.db import migrations
from django.db.models import F, Max
from django.utils import timezone


def fill(apps, schema_editor):
    """Say of each correction whose word it is, and which one is the label of its digit.

    Those that no staff made count as "earlier": trainings have learned from them, and go on to.
    """
    Correction = apps.get_model("digits", "Correction")
    Digit = apps.get_model("digits", "Digit")
    Correction.objects.update(counts_since=F("created_at"), trust="earlier")
    Correction.objects.filter(user__is_staff=True).update(trust="staff")
    newest = Correction.objects.order_by().values("digit").annotate(last=Max("pk")).values("last")
    Correction.objects.filter(pk__in=newest, label__isnull=False).update(is_current=True)
    labelled = Digit.objects.filter(label__isnull=False).exclude(corrections__is_current=True)
    Correction.objects.bulk_create(
        Correction(
            digit_id=pk,
            label=label,
            trust="earlier",
            is_current=True,
            created_at=at,
            counts_since=at,
        )
        for pk, label, at in (
            (pk, label, at or timezone.now())
            for pk, label, at in labelled.values_list("pk", "label", "labelled_at")
        )
    )


class Migration(migrations.Migration):
    dependencies = [("digits", "0021_trust_in_corrections")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop, elidable=True)]
