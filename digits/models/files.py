"""Small files, which lie in the database."""

from django.db import models


class SmallFile(models.Model):
    """The content of a small stored file. Its name is in a row of another model: see digits.files.

    So a file of a few kilobytes and the row that names it are stored together, by one transaction.
    """

    content = models.BinaryField()

    def __str__(self) -> str:
        return f"small file {self.pk}"
