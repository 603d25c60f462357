"""Base classes and helpers of the pages in Django's admin."""

from collections.abc import Sequence
from typing import Any, Self, cast

from django.contrib import admin
from django.contrib.admin.views.main import PAGE_VAR
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from digits.formats import number_up_to, percent
from digits.models import (
    Batch,
    BatchItem,
    Correction,
    Digit,
    Prediction,
    Rereading,
    TrainingRun,
    Upload,
)


class YesOrNo(admin.SimpleListFilter):
    """A filter by a condition, which holds for "yes" and does not for "no"."""

    condition: Q
    answers = (("yes", "Yes"), ("no", "No"))

    def lookups(
        self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]"
    ) -> list[tuple[str, str]]:
        return list(self.answers)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in ("yes", "no"):
            return queryset
        return queryset.filter(self.condition if self.value() == "yes" else ~self.condition)


COUNTED = 1000  # then "more than": counting on would look at every row


class SomeRows(int):
    """A number of rows, which texts have as "more than" where counting ended."""

    most: int  # where counting ended

    def __new__(cls, count: int, most: int) -> Self:
        number = super().__new__(cls, count)
        number.most = most
        return number

    def __str__(self) -> str:
        return number_up_to(int(self), self.most)


class Pages(Paginator):  # type: ignore[type-arg]  # it takes none at run time
    """Pages of rows that are counted up to COUNTED, or up to the page after the wanted one."""

    wanted = 1

    @cached_property
    def count(self) -> int:
        most = max(COUNTED, self.wanted * self.per_page)
        rows = cast(QuerySet[Any], self.object_list)
        return SomeRows(rows.order_by()[: most + 1].count(), most)


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # it takes none at run time
    """Rows are made by the system: they can be looked at, not added or changed."""

    show_full_result_count = False

    def get_paginator(self, request: HttpRequest, queryset: QuerySet[Any], *args: Any) -> Pages:
        pages = Pages(queryset, *args)
        number = request.GET.get(PAGE_VAR, "")
        if number.isascii() and number.isdigit() and len(number) < 10:
            pages.wanted = int(number)
        return pages

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class SureAdmin(ReadOnlyAdmin):
    """Shows `confidence` as a percentage."""

    @admin.display(description="confidence", ordering="confidence")
    def sure(self, row: Prediction | Upload | BatchItem) -> str:
        return percent(row.confidence)


class Cascades(admin.ModelAdmin):  # type: ignore[type-arg]  # it takes none at run time
    """Rows whose dependent rows are deleted with them, although those cannot be deleted alone."""

    def get_deleted_objects(
        self, objs: Sequence[Model] | QuerySet[Model], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        tree, counts, _, protected = super().get_deleted_objects(objs, request)
        return tree, counts, set(), protected


class ShowsPixels:
    """The column `pixels_seen` of digits, and of rows that have one."""

    @admin.display(description="as the model sees it")
    def pixels_seen(self, row: Digit | Prediction | Correction) -> SafeString:
        digit = row if isinstance(row, Digit) else row.digit
        return thumbnail(reverse("digit-pixels", args=[digit.pk]), f"pixels of {digit}")


class ShowsVersions:
    """The column `readings` of digits, which have their predictions with them."""

    @admin.display(description="read as")
    def readings(self, digit: Digit) -> SafeString:
        lines = [(one.version, one) for one in digit.predictions.all()]
        shown = format_html_join("", "<div>{}: {}</div>", lines)
        if digit.versions_differ:
            return format_html("{}<strong>They differ.</strong>", shown)
        return shown


class LinksToDigit:
    @admin.display(description="digit")
    def digit_link(self, row: Prediction | Correction) -> SafeString:
        return link(row.digit)


class LinksToUpload:
    @admin.display(description="upload")
    def upload_link(self, row: Digit | Rereading) -> SafeString:
        return link(row.upload)


class OnTheSite:
    """The column `on_the_site` of rows that have a page there."""

    @admin.display(description="on the site")
    def on_the_site(self, row: Upload | Batch | TrainingRun) -> SafeString:
        return format_html('<a href="{}">{}</a>', row.get_absolute_url(), row)


def thumbnail(url: str, text: str) -> SafeString:
    return format_html('<img src="{}" alt="{}" width="56" height="56" loading="lazy">', url, text)


def link(row: Model) -> SafeString:
    meta = row._meta
    url = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])
    return format_html('<a href="{}">{}</a>', url, row)


class Inline(admin.TabularInline):  # type: ignore[type-arg]  # it takes none at run time
    """Rows of another table, to look at."""

    template = "admin/digits/inline.html"
    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
