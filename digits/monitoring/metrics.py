"""The figures of the system as Prometheus reads them."""

from collections.abc import Iterator

from django.db.models import Count
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from digits.models import ModelVersion, TrainingRun
from digits.models.training import RunStatus
from digits.monitoring import figures, measures
from digits.queue import redis

PREFIX = "digits"
COUNTERS = {
    "uploads_ended": ("outcome", "Uploads that were read (done) or could not be (failed)"),
    "entries_ended": ("outcome", "Entries of bulk jobs that were read, or are bad"),
    "stage_seconds": ("stage", "Seconds in each stage of the reading of uploads"),
    "errors": ("part", "Uploads that are tried again, by what failed: storage, database, reading"),
}
HISTOGRAMS = {
    "upload_wait_seconds": "Seconds from the arrival of an upload to the start of its reading",
    "upload_read_seconds": "Seconds in which a batch of uploads was read and saved",
    "upload_batch_size": "Uploads that were read together",
}


def exposition() -> bytes:
    """Return all metrics in Prometheus's text format, version 0.0.4."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures())
    return generate_latest(registry)


class _Figures(Collector):
    """Asks for all figures when it is asked for metrics."""

    def collect(self) -> Iterator[Metric]:
        yield from _of_queues()
        yield from _of_versions()
        yield from _of_workers()
        yield from _of_storage()
        yield from _of_training()


def _of_queues() -> Iterator[Metric]:
    waiting = _gauge("queue_waiting", "What waits, by kind of work", "kind")
    running = _gauge("queue_running", "What is worked on, by kind of work", "kind")
    oldest = _gauge("queue_oldest_seconds", "How long the oldest has waited", "kind")
    for queue in figures.queues():
        kind = [queue["name"].lower().replace(" ", "_")]
        waiting.add_metric(kind, queue["waiting"])
        running.add_metric(kind, queue["running"])
        oldest.add_metric(kind, queue["oldest"].total_seconds() if queue["oldest"] else 0)
    yield from (waiting, running, oldest)


def _of_versions() -> Iterator[Metric]:
    active = ModelVersion.active()
    number = active.number if active else 0
    yield _single("active_version", "The number of the active model version; 0: none", number)
    read = _gauge("version_uploads", "Stored uploads that a model version has read", "version")
    seen = _gauge("version_verdicts", "Those of them that people checked", "version")
    wrong = _gauge("version_corrected", "Those of them that people corrected", "version")
    for version in figures.corrected_by_version():
        label = [str(version["number"])]
        read.add_metric(label, version["read"])
        seen.add_metric(label, version["looked_at"])
        wrong.add_metric(label, version["corrected"])
    yield from (read, seen, wrong)


def _of_workers() -> Iterator[Metric]:
    state = figures.redis_state()
    try:
        measured = measures.read()
    except redis.RedisError:
        measured, state["ok"] = {}, False
    yield _single("redis_up", "Whether Redis answers", state["ok"])
    text = "The model version that a worker process reads with; 0: none yet"
    version = _gauge("worker_version", text, "host", "pid", "device")
    for worker in state["workers"]:
        labels = [worker["host"], str(worker["pid"]), worker["device"]]
        version.add_metric(labels, worker["version"] or 0)
    yield version
    for name, (label, text) in COUNTERS.items():
        counter = CounterMetricFamily(f"{PREFIX}_{name}", text, labels=[label])
        for value, amount in sorted(measured.get(name, {}).items()):
            counter.add_metric([value], amount)
        yield counter
    for name, text in HISTOGRAMS.items():
        yield _histogram(name, text, measured.get(name, {}))


def _histogram(name: str, text: str, counts: dict[str, float]) -> Metric:
    buckets, total = [], 0.0
    for bound in (*(f"{bound:g}" for bound in measures.BOUNDS[name]), measures.ENDLESS):
        total += counts.get(bound, 0)
        buckets.append((bound, total))
    own = HistogramMetricFamily(f"{PREFIX}_{name}", text)
    own.add_metric([], buckets, counts.get(measures.SUM, 0))
    return own


def _of_storage() -> Iterator[Metric]:
    disk = figures.disk()
    yield _single("database_bytes", "Size of the database", disk["database"])
    yield _single("disk_free_bytes", "Free bytes of the disk with DATA_DIR", disk["free"])
    yield _single("disk_bytes", "Size of that disk", disk["total"])


def _of_training() -> Iterator[Metric]:
    runs = _gauge("training_runs", "Training runs, by status", "status")
    counts = dict(TrainingRun.objects.values_list("status").annotate(Count("pk")).order_by())
    for status in RunStatus.values:
        runs.add_metric([status], counts.get(status, 0))
    yield runs
    running = TrainingRun.objects.filter(status=RunStatus.RUNNING).first()
    yield _single("training_epoch", "Epoch of the running training; 0: none", _epoch(running))


def _epoch(run: TrainingRun | None) -> int:
    return (run.epoch or 0) if run else 0


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=labels)


def _single(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{PREFIX}_{name}", text, value=value)
