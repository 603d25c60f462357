"""Inspection in Django's admin. Uploads and predictions are never edited.

The true label of a digit is: it is set as on the site, and who and when is kept.
"""

from digits.admin import accounts, audit, batches, training, uploads, versions

__all__ = ["accounts", "audit", "batches", "training", "uploads", "versions"]
