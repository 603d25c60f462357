"""Training runs in the train worker, which starts a process for each run and watches it."""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time

from django.conf import settings

from digits.learning import runs
from digits.models import TrainingRun
from digits.models.training import RunStatus
from digits.supervisor import die_with_parent, reason

logger = logging.getLogger(__name__)
POLL_SECONDS = 0.5
NICENESS = 10  # reading goes before training
stopping = threading.Event()  # this worker process is told to end


def work_on_run() -> None:
    """Claim the queued run, and train it in a process of its own."""
    run = runs.claim()
    if run is None:
        return
    process = start(run)
    try:
        _watch(run, process)
    finally:
        _end(process)


def start(run: TrainingRun) -> subprocess.Popen[bytes]:
    """Start the process that trains a claimed run."""
    words = ["run_training", str(run.pk), str(run.lease)]
    return subprocess.Popen(
        [sys.executable, str(settings.BASE_DIR / "manage.py"), *words],
        env=os.environ | _environment(),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=die_with_parent,
    )


def _environment() -> dict[str, str]:
    threads = str(settings.TRAIN_THREADS)
    return {"OMP_NUM_THREADS": threads, "TF_NUM_INTRAOP_THREADS": threads}


def _watch(run: TrainingRun, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        if stopping.is_set():
            _end(process)
            runs.release(run, "the train worker was stopped", count_attempt=False)
            return
        if runs.is_cancelled(run):
            _end(process)
            runs.finish(run, RunStatus.CANCELLED, "cancelled")
            return
        time.sleep(POLL_SECONDS)
    if process.returncode != 0:
        runs.died(run, reason(process.returncode))


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
