"""The Celery app: queues, routes, and the start of worker processes."""

import logging
import os
import sys
import warnings
from typing import Any

from celery import Celery, bootsteps, signals
from celery.app.amqp import AMQP
from celery.platforms import SecurityWarning
from kombu import Connection, Exchange, Queue

from digits import signs
from digits.queue.nodes import EITHER, NodeClass, class_of

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
logger = logging.getLogger(__name__)
PRIVATE = 0o077  # the umask of all processes


class PatientConnection(Connection):
    """A broker connection that never waits longer than two seconds between two tries."""

    def ensure_connection(self, *args: Any, **kwargs: Any) -> Any:
        return super().ensure_connection(
            *args, **{"interval_start": 1, "interval_step": 1, "interval_max": 2} | kwargs
        )


class PatientAMQP(AMQP):
    Connection = PatientConnection


app = Celery("digits", amqp=PatientAMQP)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.set_default()  # else a task published from a web server's thread goes to amqp://localhost
app.conf.task_queues = [
    Queue(name, Exchange(name), routing_key=name)
    for name in (*NodeClass.GPU.queues, "train", "maintenance")
]
app.conf.task_default_queue = "maintenance"
app.conf.task_routes = {
    "digits.classify": {"queue": EITHER},
    "digits.activate": {"queue": EITHER},  # by a process that reads: it has its device
    # Where there are GPUs, to those: see digits.queue.nodes.
    "digits.read_again": {"queue": NodeClass.CPU.queue},
    "digits.read_batches": {"queue": NodeClass.CPU.queue},
    "digits.train": {"queue": "train"},
    "digits.sweep": {"queue": "maintenance"},
}

# Celery warns a worker that runs as root of pickled messages; only JSON is accepted here.
warnings.filterwarnings("ignore", category=SecurityWarning)

app.autodiscover_tasks()


def _reads_digits() -> bool:
    """Return whether this worker takes from the classify queue."""
    return EITHER in app.amqp.queues.consume_from


class SignsOfLife(bootsteps.StartStopStep):
    """Tells the supervisor that a worker's main loop goes on, or that it waits for Redis.

    Source: https://docs.celeryq.dev/en/stable/userguide/extending.html#consumer
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._marks = signs.Marks()
        self._is_told = False

    def start(self, parent: Any) -> None:
        """Have the main loop make a mark. It is called with each connection to Redis, and what the
        loop of the last one had to do is forgotten."""
        parent.call_soon(self._marks.make)
        if self._is_told:
            return
        self._is_told = True
        from digits.queue import redis

        def goes_on() -> bool:
            if not self._marks.are_new():
                return False
            parent.call_soon(self._marks.make)
            return True

        signs.send()
        signs.send_while(goes_on, lambda: not redis.answers())


app.steps["consumer"].add(SignsOfLife)


@signals.setup_logging.connect
def use_django_logging(**_: Any) -> None:
    """Leave logging as Django's settings have it."""


@signals.worker_init.connect
@signals.beat_init.connect
def keep_files_private(**_: Any) -> None:
    """Let nobody but this user read what the process writes; its pool inherits that."""
    os.umask(PRIVATE)


@signals.worker_init.connect
@signals.beat_init.connect
def begin_to_give_signs(**_: Any) -> None:
    signs.begin()


@signals.worker_init.connect
def refuse_to_start_without_its_gpu(**_: Any) -> None:
    from django.conf import settings

    from digits.supervisor import EX_CONFIG
    from worker.reading.devices import DeviceError, require_gpu

    if _reads_digits() and settings.REQUIRE_GPU:
        try:
            require_gpu(settings.GPUS)
        except DeviceError as error:
            logger.critical("refusing to start: %s", error)
            sys.exit(EX_CONFIG)


@signals.worker_init.connect
def take_for_its_class(**_: Any) -> None:
    """Let a worker of "classify" take what is for its node's class, too."""
    from django.conf import settings

    if _reads_digits():
        for queue in class_of(settings.GPUS).queues:
            app.amqp.queues.select_add(queue)


@signals.worker_shutting_down.connect
def release_the_training(**_: Any) -> None:
    """End the training, so that it does not delay the worker's end; it resumes later."""
    from digits.tasks import training

    training.stopping.set()


def sync_less(connection: Any, **_: Any) -> None:
    """Let a worker's commits reach the disk with the next of the web process.

    Where a power cut takes them, the rows are as before: claimed again, and read again.
    """
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA synchronous = NORMAL")
        elif connection.vendor == "postgresql":
            cursor.execute("SET synchronous_commit = off")


@signals.worker_process_init.connect
def begin_to_trace(**_: Any) -> None:
    from digits import tracing

    tracing.start("worker")


@signals.worker_process_shutdown.connect
def send_the_last_traces(**_: Any) -> None:
    from digits import tracing

    tracing.stop()


@signals.worker_process_init.connect
def load_the_model(**_: Any) -> None:
    """Pin this pool process to its device, and load the active model."""
    from billiard.process import current_process

    if _reads_digits():
        from django.db.backends.signals import connection_created

        from digits.tasks import serving

        connection_created.connect(sync_less)
        serving.process.start(getattr(current_process(), "index", 0))
        work = signs.Work()
        signals.task_prerun.connect(lambda **_: work.begin(), weak=False)
        signals.task_postrun.connect(lambda **_: work.end(), weak=False)
        signs.send_while(lambda: serving.process.active is not None and work.goes_on())
