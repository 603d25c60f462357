"""Rows whose files are gone from the storage: what can be mended, is."""

from django.core.files import File

from digits.backups.stored import Named
from digits.models import ModelVersion
from worker.reading.bundle import BUNDLED_MODEL, file_sha256


def mended(row: Named) -> str:
    """Mend a row whose file is gone; return in words what was done, or nothing where that is all
    that can be."""
    if row.field.blank and row.field.name == "preview":
        row.model._base_manager.filter(pk=row.pk).update(preview="")
        return "pages show the picture itself"
    if row.model is ModelVersion:
        version = ModelVersion.objects.get(pk=row.pk)
        if BUNDLED_MODEL.is_file() and file_sha256(BUNDLED_MODEL) == version.sha256:
            with BUNDLED_MODEL.open("rb") as file:
                version.file.save(BUNDLED_MODEL.name, File(file))
            return "it ships with Digits, and was stored again"
    return ""
