"""Looks for what was accepted: it is there, has its whole file, and was read once."""

import json
import re
from collections import Counter
from dataclasses import dataclass, field

from tests.system.faults.driver import Picture, Sent

UPLOADS = """
import hashlib, json
from digits.models import Upload
def sha256(upload):
    try:
        with upload.file.open("rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError as error:
        return repr(error)
uploads = Upload.objects.filter(name__startswith=PREFIX).order_by("pk")
print(json.dumps([
    [u.name, u.status, u.reading, u.error, sha256(u),
     [len(d.predictions.all()) for d in u.digits.all()]]
    for u in uploads.prefetch_related("digits__predictions")
]))
"""
BATCHES = """
import json
from digits.models import Batch
print(json.dumps([
    [b.pk, b.status, b.total, b.done, b.bad, b.right, b.error,
     [[i.number, i.reading, i.truth, i.error, i.confidence] for i in b.items.order_by("number")]]
    for b in Batch.objects.filter(pk__in=KEYS)
]))
"""
UNFINISHED = """
import json
from digits.models import Batch, Upload
uploads = Upload.objects.unfinished().filter(name__startswith=PREFIX)
batches = Batch.objects.unfinished().filter(pk__in=KEYS)
print(json.dumps([list(uploads.values_list("name", flat=True)), batches.count()]))
"""
TALLIED = """
import json
from digits.models import Upload
from digits.monitoring import tallies
tallies.settle()
read = Upload.objects.filter(version__isnull=False).count()
print(json.dumps([sum(tallies.by_version().values()), read]))
"""
DONE, FAILED = "done", "failed"
READ_RIGHT = 0.98  # of the rows of a batch; the model reads 99.6 % of MNIST's test images


@dataclass
class Count:
    """How many were accepted, and what became of them."""

    accepted: int = 0
    done: int = 0
    failed: int = 0
    lost: int = 0
    twice: int = 0


@dataclass
class Verdict:
    """What one fault has cost.

    sent: how many uploads were sent; some are not accepted while the site is down.
    seconds: from the end of the fault until all is well again; None: never while one looked.
    statuses: how many answers had which status; "None" where none came.
    notes: what is wrong, in words.
    skipped: why the fault cannot be done here.
    unjudged: what went wrong, so that nobody could look at what the fault did.
    """

    fault: str
    sent: int = 0
    uploads: Count = field(default_factory=Count)
    rows: Count = field(default_factory=Count)
    seconds: float | None = None
    statuses: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    skipped: str = ""
    unjudged: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost, nothing was read twice, and somebody could look."""
        counts = (self.uploads, self.rows)
        return not self.unjudged and not any(one.lost or one.twice for one in counts)


@dataclass(frozen=True)
class Job:
    """A batch that was accepted: its primary key, and the true digits of its rows."""

    key: int
    truth: list[int]


def unfinished(site, prefix: str, jobs: list[Job]) -> tuple[set[str], int]:
    """Return the names of uploads that have not ended, and how many batches have not."""
    names, batches = _asked(site, UNFINISHED, PREFIX=prefix, KEYS=[job.key for job in jobs])
    return set(names), batches


def judge(
    site, fault: str, prefix: str, sent: list[Sent], jobs: list[Job], reasons: tuple[str, ...]
) -> Verdict:
    """Judge all uploads whose names begin with the prefix, and batches.

    reasons: patterns of the errors that are true after this fault.
    """
    verdict = Verdict(fault, sent=len(sent))
    verdict.statuses = dict(Counter(str(status) for one in sent for status in one.statuses))
    found: dict[str, list] = {}
    for name, *row in _asked(site, UPLOADS, PREFIX=prefix):
        found.setdefault(name, []).append(row)
    for one in sent:
        rows = found.get(one.name, [])
        if len(rows) > 1:
            _note(verdict, f"{one.name} has {len(rows)} rows")
            verdict.uploads.twice += 1
        if one.is_accepted and not one.deleted:
            _judge_upload(verdict, one, rows, reasons)
    batches = {key: row for key, *row in _asked(site, BATCHES, KEYS=[job.key for job in jobs])}
    for job in jobs:
        _judge_batch(verdict, job.truth, batches.get(job.key), reasons)
    tallied, read = _asked(site, TALLIED)
    if tallied != read:
        _note(verdict, f"{read} uploads were read, and {tallied} are counted")
        verdict.uploads.twice += max(0, tallied - read)
        verdict.uploads.lost += max(0, read - tallied)
    return verdict


def _asked(site, code: str, **values):
    for name, value in values.items():
        code = code.replace(name, repr(value))
    return json.loads(site.query(code))


def _judge_upload(verdict: Verdict, one: Sent, rows: list, reasons: tuple[str, ...]) -> None:
    count = verdict.uploads
    count.accepted += 1
    if not rows:
        count.lost += 1
        _note(verdict, f"{one.name} was answered with {one.status} and is not there")
        return
    status, reading, error, sha256, predictions = rows[0]
    if wrong := _what_is_wrong(one, status, reading, error, sha256, predictions, reasons):
        count.lost += 1
        _note(verdict, f"{one.name}: {wrong}")
    elif status == DONE:
        count.done += 1
    else:
        count.failed += 1
    if any(number > 1 for number in predictions) or len(predictions) > len(one.picture.reading):
        count.twice += 1
        _note(verdict, f"{one.name} has the predictions {predictions}")


def _what_is_wrong(one: Sent, status, reading, error, sha256, predictions, reasons) -> str:
    """Say what is wrong with an accepted upload; empty if nothing is."""
    picture: Picture = one.picture
    if sha256 != one.sha256:
        return f"its file is another: {sha256}"
    if status == DONE:
        if reading != picture.reading or not all(predictions) or not predictions:
            return f'it was read as "{reading}" with the predictions {predictions}'
        if one.told and one.told != reading:
            return f'it was read as "{reading}", and its sender was told "{one.told}"'
        return ""
    if status == FAILED:
        true = (*reasons, *([picture.error] if picture.error else []))
        return "" if any(re.search(one, error) for one in true) else f'it failed with "{error}"'
    return f"it is {status} for ever"


def _judge_batch(
    verdict: Verdict, truth: list[int], row: list | None, reasons: tuple[str, ...]
) -> None:
    count = verdict.rows
    count.accepted += len(truth)
    status, total, done, bad, right, error, items = row or ("not there", 0, 0, 0, 0, "", [])
    if status != DONE:
        is_true = status == FAILED and any(re.search(one, error) for one in reasons)
        count.failed += len(truth) if is_true else 0
        count.lost += 0 if is_true else len(truth)
        _note(verdict, f'a batch is {status}, {done} of {total} rows done: "{error}"')
        return
    times = Counter(number for number, *_ in items)
    count.twice += len(items) - len(times) + max(0, done - len(items))
    labels = dict(enumerate(map(str, truth), 1))
    for number, reading, label, problem, confidence in {item[0]: item for item in items}.values():
        if problem and any(re.search(one, problem) for one in reasons):
            count.failed += 1
        elif problem or labels.get(number) != label or confidence is None:
            count.lost += 1
            _note(verdict, f'row {number} is "{label}", read as "{reading}", error "{problem}"')
        else:
            count.done += 1
    count.lost += len(labels.keys() - times.keys())
    said = f"{done} of {total} done, {bad} bad, {right} right"
    bad_ones = sum(bool(problem) for *_, problem, _ in items)
    right_ones = sum(reading == label for _, reading, label, *_ in items)
    unsure = sum(not reading for _, reading, *_ in items)  # they count by their likeliest digit
    is_sound = [total, done, bad] == [len(truth), len(items), bad_ones]
    if not is_sound or not right_ones <= right <= right_ones + unsure:
        _note(verdict, f"a batch says {said}, and has {len(items)}, {bad_ones} and {right_ones}")
    if right_ones < READ_RIGHT * len(truth):
        _note(verdict, f"of {len(truth)} rows only {right_ones} are read right")


def _note(verdict: Verdict, text: str) -> None:
    if text not in verdict.notes:
        verdict.notes.append(text)
