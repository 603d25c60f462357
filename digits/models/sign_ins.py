"""SignIn: a browser in which an account is signed in."""

from django.conf import settings
from django.db import models
from django.utils import timezone


class SignIn(models.Model):
    """One sign-in, for the account's own list of them: see digits.accounts.sign_ins."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="sign_ins")
    auth_hash = models.CharField(max_length=64, help_text="of the password that it was made with")
    browser = models.CharField(max_length=100, blank=True)
    address = models.CharField(max_length=45, blank=True, help_text="shortened")
    created_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-last_seen_at"]

    def __str__(self) -> str:
        return f"{self.browser}, {self.address}"
