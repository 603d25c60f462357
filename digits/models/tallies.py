"""Tally: how many uploads of a block each version has read, and what people say of them."""

from django.db import models


class Tally(models.Model):
    """What was counted in a block of successive uploads: see digits.monitoring.tallies.

    A block whose uploads change is counted anew.
    """

    block = models.PositiveBigIntegerField(primary_key=True)
    counts = models.JSONField(default=list, help_text="lists of a version, a verdict and a number")
    is_stale = models.BooleanField(default=True, help_text="whether it is to be counted anew")

    class Meta:
        verbose_name_plural = "tallies"
        permissions = [("view_dashboard", "Can see the dashboard and the state of the system")]
        indexes = [
            # What is to be counted.
            models.Index(fields=["block"], condition=models.Q(is_stale=True), name="tally_stale")
        ]

    def __str__(self) -> str:
        return f"tally of block {self.block}"
