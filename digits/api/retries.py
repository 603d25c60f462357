"""The header Idempotency-Key, with which a request can be repeated safely."""

from collections.abc import Callable, Iterable

from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from digits.accounts import idempotency
from digits.accounts.idempotency import Made
from digits.api.errors import Conflict, Unprocessable
from digits.files import Prepared

KEY = "Idempotency-Key"
LONGEST_KEY = 255
HOURS = idempotency.KEPT.total_seconds() // 3600
IDEMPOTENCY_KEY = OpenApiParameter(
    KEY,
    {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
    OpenApiParameter.HEADER,
    description="Any text of your choice, new for each upload. When it is sent again within"
    f" {HOURS:.0f} hours, nothing new is made, and the answer is of what it made first.",
)


def once(
    request: Request, sent: Iterable[bytes], field: str, prepare: Callable[[], Prepared[Made]]
) -> Made:
    """Store what is prepared, or return what the request's key made before.

    Args:
        sent: the content of the request; it is not read without a key.
        field: the field of IdempotencyKey that refers to what is made.
        prepare: prepares what is to be stored.

    Raises:
        ValidationError: the key is empty or too long.
        Unprocessable: the key was sent before with other content.
        Conflict: another request with the key is not over yet.
    """
    key = request.headers.get(KEY)
    if key is None:
        return prepare().store_or_discard()
    if not 1 <= len(key) <= LONGEST_KEY or not key.isprintable():
        expected = f"Expected 1 to {LONGEST_KEY} printable letters, received {len(key)}."
        raise ValidationError({KEY: expected})
    try:
        return idempotency.once(
            request.owner, key, idempotency.fingerprint(field, sent), field, prepare
        )
    except idempotency.InProgress as error:
        raise Conflict(
            "A request with this Idempotency-Key is not over yet. Send it again in a moment."
        ) from error
    except idempotency.KeyReused as error:
        raise Unprocessable("This Idempotency-Key was sent before, with something else.") from error
