"""Pages with a cursor, so that new rows do not shift them."""

from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

if TYPE_CHECKING:
    from rest_framework.views import APIView

PAGE_SIZE, LARGEST = 50, 200


class Pages(CursorPagination):
    """The newest first."""

    ordering: str | tuple[str, ...] = "-id"
    page_size, max_page_size = PAGE_SIZE, LARGEST
    page_size_query_param = "page_size"
    page_size_query_description = "How many there are on a page."
    cursor_query_description = "Where the page begins: taken from next or previous."

    def paginate_queryset(
        self, queryset: QuerySet[Any], request: Request, view: "APIView | None" = None
    ) -> list[Any]:
        try:
            page: list[Any] = super().paginate_queryset(queryset, request, view)
        except (NotFound, ValueError, OverflowError) as error:
            expected = "Expected a cursor from next or previous of an answer."
            raise ValidationError({"cursor": expected}) from error
        return page

    def get_page_size(self, request: Request) -> int:
        text = request.query_params.get(self.page_size_query_param, str(PAGE_SIZE))
        if not (text.isascii() and text.isdigit() and 1 <= int(text[:5]) <= LARGEST):
            expected = f'Expected 1 to {LARGEST}, received "{text[:40]}".'
            raise ValidationError({self.page_size_query_param: expected})
        return int(text[:5])

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        described: dict[str, Any] = super().get_paginated_response_schema(schema)
        described["required"] = ["next", "previous", "results"]
        for name in ("next", "previous"):
            described["properties"][name] = {"type": ["string", "null"], "format": "uri"}
        return described

    def get_schema_operation_parameters(self, view: "APIView") -> list[dict[str, Any]]:
        parameters: list[dict[str, Any]] = super().get_schema_operation_parameters(view)
        for parameter in parameters:
            if parameter["name"] == self.page_size_query_param:
                parameter["schema"] |= {"minimum": 1, "maximum": LARGEST, "default": PAGE_SIZE}
        return parameters


class PagesByNumber(Pages):
    ordering = "-number"
