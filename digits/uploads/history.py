"""The history: the filter for uploads, and pages of any number of uploads."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.core.paginator import Page, Paginator
from django.db.models import Q
from django.forms import BoundField
from django.http import QueryDict
from django.utils import timezone
from django.utils.http import urlencode

from digits.formats import SURENESS
from digits.models import ModelVersion, Upload
from digits.models.uploads import Source, Status, UploadQuerySet, Verdict

PAGE_SIZE = 24
COUNTED = 1000  # then "more than": counting on would look at every row
ANY = ("", "any")
NOBODY = "none"


def _sure(number: int) -> Q:
    """Return the condition that a confidence has the description with this number in SURENESS."""
    least, _ = SURENESS[number]
    above = Q(confidence__lt=SURENESS[number - 1][0]) if number else Q()
    return Q(confidence__gte=least) & above


def _that_read(uploads: UploadQuerySet, text: str) -> list[UploadQuerySet]:
    """Return two queries for the uploads whose reading or corrected reading is this text.

    Each comes from an index in the order of a page; a query for both would find and sort them all.
    """
    return [
        uploads.filter(reading=text).exclude(reading=""),
        uploads.filter(corrected=text).exclude(corrected="").exclude(reading=text),
    ]


class Filter(forms.Form):
    """The filter of the history; empty fields do not filter."""

    reading = forms.CharField(
        label="Reads",
        max_length=500,
        help_text="The whole reading, as the model gave it or as people corrected it.",
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "42", "size": 12}),
    )
    state = forms.ChoiceField(label="State", choices=[ANY, *Status.choices])
    sure = forms.ChoiceField(
        label="Confidence",
        choices=[ANY, *((str(i), words.lower()) for i, (_, words) in enumerate(SURENESS))],
    )
    verdict = forms.ChoiceField(
        label="Correction", choices=[ANY, *Verdict.choices, (NOBODY, "not looked at")]
    )
    source = forms.ChoiceField(label="Source", choices=[ANY, *Source.choices])
    version = forms.ModelChoiceField(
        ModelVersion.objects.only("number"),
        label="Read by",
        to_field_name="number",
        empty_label="any",
    )
    since = forms.DateField(label="From", widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label="To", widget=forms.DateInput(attrs={"type": "date"}))
    zone = forms.CharField(widget=forms.HiddenInput(attrs={"data-zone": ""}))

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data, auto_id="filter-%s")
        for field in self.fields.values():
            field.required = False

    def clean_reading(self) -> str:
        return " ".join(self.cleaned_data["reading"].split())

    def clean_zone(self) -> ZoneInfo:
        """Return the time zone of the days: the reader's, else the server's."""
        name = self.cleaned_data["zone"]
        known = name in available_timezones()
        return ZoneInfo(name) if known else timezone.get_default_timezone()

    def clean(self) -> None:
        since, until = self.cleaned_data.get("since"), self.cleaned_data.get("until")
        if since and until and until < since:
            raise forms.ValidationError("The last day is before the first one.")

    @property
    def fine(self) -> list[BoundField]:
        """The fields besides the reading, which a page may collapse."""
        return [field for field in self.visible_fields() if field.name != "reading"]

    @property
    def given(self) -> list[BoundField]:
        """The fields that are filled in."""
        return [field for field in self.visible_fields() if field.data]

    @property
    def given_fine(self) -> list[BoundField]:
        return [field for field in self.given if field.name != "reading"]

    def chips(self) -> list[tuple[str, str, str]]:
        """Return the label, the value in words and the query without it, of each given field."""
        return [
            (str(field.label), self._in_words(field), self._without(field.name))
            for field in self.given
        ]

    def _without(self, name: str) -> str:
        query = {field.name: field.data for field in self if field.data and field.name != name}
        return urlencode(query)

    def _in_words(self, field: BoundField) -> str:
        choices = {str(value): name for value, name in getattr(field.field, "choices", [])}
        return str(choices.get(field.data, field.data))

    def apply_to(self, uploads: UploadQuerySet) -> UploadQuerySet:
        """Return the uploads that match the filter; none if the filter is invalid.

        What is returned may be a union, which cannot be filtered further.
        """
        first, *others = (part.order_by() for part in self.parts_of(uploads))
        return first.union(*others, all=True).order_by("-pk") if others else first.order_by("-pk")

    def parts_of(self, uploads: UploadQuerySet) -> list[UploadQuerySet]:
        """Return the queries for the uploads that match the filter, none of which two find."""
        if not self.is_valid():
            return [uploads.none()]
        given = {name: value for name, value in self.cleaned_data.items() if value}
        reading, state = given.pop("reading", ""), given.pop("state", "")
        if state:
            uploads = uploads.in_state(state)
        for name, value in given.items():
            uploads = uploads.filter(getattr(self, f"_by_{name}")(value))
        return _that_read(uploads, reading) if reading else [uploads]

    def _by_sure(self, number: str) -> Q:
        return _sure(int(number))

    def _by_verdict(self, verdict: str) -> Q:
        return Q(verdict="") if verdict == NOBODY else Q(verdict=verdict) & ~Q(verdict="")

    def _by_source(self, source: str) -> Q:
        return Q(source=source)

    def _by_version(self, version: ModelVersion) -> Q:
        return Q(version=version)

    def _by_since(self, day: date) -> Q:
        return Q(created_at__gte=self._midnight(day))

    def _by_until(self, day: date) -> Q:
        return Q(created_at__lt=self._midnight(day + timedelta(days=1)))

    def _by_zone(self, _: ZoneInfo) -> Q:
        return Q()

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.cleaned_data["zone"])


class Keys:
    """The primary keys of the uploads that some queries find, the newest first."""

    def __init__(self, parts: Sequence[UploadQuerySet]) -> None:
        self._parts = [part.order_by("-pk").values_list("pk", flat=True) for part in parts]

    def __getitem__(self, wanted: slice) -> list[int]:
        if len(self._parts) == 1:
            return list(self._parts[0][wanted])
        newest = [part[: wanted.stop] for part in self._parts]
        return list(heapq.merge(*newest, reverse=True))[wanted]

    def count(self, most: int) -> int:
        """Return how many there are, at most `most`."""
        return min(most, sum(part.order_by()[:most].count() for part in self._parts))


class Pages(Paginator):  # type: ignore[type-arg]  # it takes none at run time
    """Pages of uploads that stay fast: keys come from an index, then the rows of one page.

    Rows are counted up to COUNTED, or up to the end of the wanted page.
    """

    def __init__(self, parts: Sequence[UploadQuerySet], wanted: str | None) -> None:
        self.keys = Keys(parts)
        super().__init__(self.keys, PAGE_SIZE)  # type: ignore[arg-type]  # it is only sliced
        text = wanted or ""
        is_number = text.isascii() and text.isdigit() and len(text) < 10
        self.wanted = int(text) if is_number else 1
        self.limit = max(COUNTED, self.wanted * PAGE_SIZE)

    @cached_property
    def count(self) -> int:
        return self.keys.count(self.limit + 1)

    @property
    def more(self) -> bool:
        """Whether there are more uploads than were counted."""
        return self.count > self.limit

    @property
    def counted(self) -> int:
        return min(self.count, self.limit)

    def here(self) -> Page[Upload]:
        """Return the wanted page, or the last one, with its uploads."""
        page = self.get_page(self.wanted)
        keys = list(page.object_list)
        rows = Upload.objects.filter(pk__in=keys).select_related("user").defer("error_detail")
        page.object_list = list(rows)
        return page

    def around(self, page: Page[Upload]) -> Iterator[str | int]:
        """Return the page numbers to link to from a page."""
        return self.get_elided_page_range(page.number, on_each_side=2, on_ends=1)
