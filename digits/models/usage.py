"""Usage: what each sender has stored, and has sent today."""

from django.db import models


class Usage(models.Model):
    """What counts towards the quota of one sender: see digits.quotas."""

    sender = models.CharField(max_length=32, unique=True, help_text="an account, or one place")
    day = models.DateField(help_text="the last on which something was sent, in UTC")
    sent = models.BigIntegerField(default=0, help_text="images on that day, those of bulk jobs too")
    stored = models.BigIntegerField(default=0, help_text="uploads that are stored")
    size = models.BigIntegerField(default=0, help_text="in bytes, of all that is stored")

    class Meta:
        verbose_name_plural = "usage"

    def __str__(self) -> str:
        return f"usage of {self.sender}"


class Charged(models.Model):
    """A row that counts towards a quota as long as it exists.

    Rows from before there were quotas count towards none.
    """

    usage = models.ForeignKey(
        Usage,
        models.DO_NOTHING,
        null=True,
        editable=False,
        db_index=False,
        db_constraint=False,
        related_name="+",
    )
    size = models.BigIntegerField(null=True, editable=False, help_text="of its files, in bytes")

    class Meta:
        abstract = True
