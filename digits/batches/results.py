"""The results of a bulk job as a file to download."""

from pathlib import PurePath

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

from digits.audit.trail import record
from digits.models import Batch
from digits.models.audit import Act
from worker.files import results


def download(batch: Batch, *, confidences: bool) -> StreamingHttpResponse:
    """Return a response that streams `ImageId,Label`, or all fields of each item."""
    record(Act.EXPORTED, f"the results of {batch}", batch.name)
    items = batch.items_in_order()
    lines = results.detailed(items) if confidences else results.kaggle(items, batch.kind)
    name = f"{PurePath(batch.name).stem or batch}-{'confidences' if confidences else 'results'}.csv"
    return StreamingHttpResponse(
        lines,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": content_disposition_header(True, name)},
    )
