"""The models."""

from digits.models.api import IdempotencyKey, Token
from digits.models.audit import AuditEvent, AuditRemoval
from digits.models.batches import Batch, BatchItem, BatchPart
from digits.models.corrections import Correction, TrustedAccount
from digits.models.files import SmallFile
from digits.models.rereadings import Rereading
from digits.models.sign_ins import SignIn
from digits.models.tallies import Tally
from digits.models.training import TrainingEvent, TrainingRun, UsedCorrections
from digits.models.uploads import Digit, Prediction, Upload
from digits.models.usage import Usage
from digits.models.versions import Activation, ModelVersion

__all__ = [
    "Activation",
    "AuditEvent",
    "AuditRemoval",
    "Batch",
    "BatchItem",
    "BatchPart",
    "Correction",
    "Digit",
    "IdempotencyKey",
    "ModelVersion",
    "Prediction",
    "Rereading",
    "SignIn",
    "SmallFile",
    "Tally",
    "Token",
    "TrainingEvent",
    "TrainingRun",
    "TrustedAccount",
    "Upload",
    "Usage",
    "UsedCorrections",
]
