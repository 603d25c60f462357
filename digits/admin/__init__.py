"""Inspection in Django's admin. What models said, and what people sent, is never edited.

The true label of a digit is: it is set as on the site, and who and when is kept.
"""

from django.contrib import admin

from digits.admin import accounts, batches, training, uploads, versions

__all__ = ["accounts", "batches", "training", "uploads", "versions"]

admin.site.site_header = "Digits"
admin.site.site_title = "Digits admin"
admin.site.index_title = "Uploads, predictions and models"
