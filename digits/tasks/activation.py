"""Activations in a classify worker: load the version, try it, then read with it."""

import logging

from digits.models import Activation
from digits.queue import leases
from digits.tasks import serving
from digits.versions import activations
from worker.reading.bundle import ModelError

logger = logging.getLogger(__name__)


def work_on_activations() -> None:
    """Carry out the waiting activations in order. Two processes may do so at the same time."""
    while activation := activations.claim():
        _carry_out(activation)


def _carry_out(activation: Activation) -> None:
    """Activate a version and read with it in this process, or refuse it with the reason.

    Other processes swap at their next batch: see digits.tasks.serving.
    """
    from worker.evaluation.trial import try_out

    version = activation.version
    try:
        engine = serving.load(version)
        leases.renew(activation)
        right = try_out(engine)
    except ModelError as error:
        if activations.refuse(activation, str(error)):
            logger.error("refused to activate %s: %s", version, error)
        return
    if activations.complete(activation):
        logger.info("activated %s, which read %.1f%% of the sample right", version, right * 100)
        serving.process.use(engine, version)
