"""Bulk jobs and their readings."""

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from digits.accounts.permissions import DELETE_BATCHES, has
from digits.admin.base import Cascades, Inline, OnTheSite, ReadOnlyAdmin, SureAdmin, link
from digits.formats import exactly, percent
from digits.models import Batch, BatchItem, BatchPart


class PartInline(Inline):
    """The parts that are not read yet, and their leases."""

    model = BatchPart
    fields = ["first", "rows", "attempts", "lease", "lease_expires_at"]
    show_change_link = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[BatchPart]:
        return super().get_queryset(request).order_by("first")


@admin.register(Batch)
class BatchAdmin(Cascades, OnTheSite, ReadOnlyAdmin):
    list_display = [
        *("id", "name", "kind", "status", "progress", "total", "bad", "accurate"),
        *("source", "user", "created_at"),
    ]
    list_filter = ["status", "kind", "source", "created_at"]
    list_select_related = ["user"]
    list_per_page = 50
    search_fields = ["=id", "name__icontains", "user__username"]
    search_help_text = "a number, a part of a file name or a user name"
    inlines = [PartInline]
    fields = [
        *("on_the_site", "name", "kind", "labelled", "layout", "status", "progress"),
        *("total", "done", "bad", "accurate", "version", "error", "error_detail"),
        *("user", "visitor", "source", "stored_as", "created_at", "started_at", "finished_at"),
    ]
    readonly_fields = ["on_the_site", "progress", "accurate", "stored_as"]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return has(request.user, DELETE_BATCHES)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Batch]:
        return super().get_queryset(request).defer("confusion")

    @admin.display(description="progress")
    def progress(self, batch: Batch) -> str:
        return percent(batch.share_done)

    @admin.display(description="right")
    def accurate(self, batch: Batch) -> str:
        return exactly(batch.accuracy) or "-"

    @admin.display(description="stored as")
    def stored_as(self, batch: Batch) -> str:
        return ", ".join(file.name for file in (batch.file, batch.labels) if file.name)


@admin.register(BatchItem)
class BatchItemAdmin(SureAdmin):
    list_display = ["id", "batch_link", "number", "name", "reading", "sure", "truth", "error"]
    list_select_related = ["batch"]
    list_per_page = 50
    search_fields = ["=batch__id"]
    search_help_text = "the number of a batch"
    fields = [
        *("batch_link", "number", "name", "reading", "sure"),
        *("probabilities", "truth", "error"),
    ]
    readonly_fields = ["batch_link"]

    @admin.display(description="batch")
    def batch_link(self, item: BatchItem) -> SafeString:
        return link(item.batch)
