"""What a person sends, checked before it is stored."""

from django import forms
from django.conf import settings
from django.db import transaction
from django.template.defaultfilters import filesizeformat

from digits import queue
from digits.models import Upload
from digits.models.uploads import Source
from worker.decoding import ImageError, read_header


class UploadForm(forms.Form):
    """One image, checked by size and header; its pixels are decoded by a worker only."""

    file = forms.FileField(
        label="Image",
        error_messages={
            "required": "Choose an image first.",
            "missing": "Choose an image first.",
            "empty": "The file is empty.",
            "invalid": "The form was sent without a file.",
        },
    )

    def clean_file(self):
        file = self.cleaned_data["file"]
        if file.size > settings.MAX_UPLOAD_BYTES:
            raise forms.ValidationError(
                f"The file is too large: {filesizeformat(file.size)}, and"
                f" {filesizeformat(settings.MAX_UPLOAD_BYTES)} are the limit."
            )
        try:
            read_header(file.read(), settings.MAX_PIXELS)
        except ImageError as error:
            raise forms.ValidationError(str(error)) from error
        file.seek(0)
        return file

    def save(self, owner, source: str = Source.FILE) -> Upload:
        """Store file and row in one transaction, and wake the workers after it."""
        file = self.cleaned_data["file"]
        upload = Upload(name=file.name[-200:], source=source, **owner.fields())
        try:
            with transaction.atomic():
                upload.file.save(file.name, file, save=False)
                upload.save()
                queue.wake_up_after_commit()
        except BaseException:
            if upload.file:
                upload.file.storage.delete(upload.file.name)
            raise
        return upload
