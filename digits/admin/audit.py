"""The audit trail, to look at."""

from django.contrib import admin

from digits.admin.base import ReadOnlyAdmin
from digits.models import AuditEvent


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "act", "name", "address", "about", "detail"]
    list_filter = ["act", "created_at"]
    list_per_page = 100
    search_fields = ["=account", "=name", "=address", "=about"]
    search_help_text = (
        "the name or number of an account, a whole address, or what it is about, as: upload 12"
    )
