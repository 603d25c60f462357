"""Who may do what: the permission of Django's and the scope of a token that each act needs.

The site, the API and the admin all ask here, most by way of `Owner.may` and `Owner.must`. People
may do everything with what they sent themselves; the acts below are those beyond that.
"""

from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied

from digits.models.api import Scope


@dataclass(frozen=True)
class Act:
    """Something that not everybody may do.

    permission: the permission of Django's that it needs.
    scope: what a token needs besides, whose account has that permission.
    words: what it is, as in "This needs the permission to ...".
    """

    permission: str
    scope: Scope
    words: str


SEE_UPLOADS = Act("digits.view_upload", Scope.READ, "see what others sent")
SEE_BATCHES = Act("digits.view_batch", Scope.READ, "see bulk jobs of others")
SEE_CORRECTIONS = Act("digits.view_correction", Scope.READ, "see what others corrected")
SEE_TRAININGS = Act("digits.view_trainingrun", Scope.READ, "see who trained, and why it failed")
SEE_ACTIVATIONS = Act("digits.view_activation", Scope.READ, "see who activated")
MONITOR = Act("digits.view_dashboard", Scope.READ, "see the state of the system")
CORRECT = Act("digits.change_digit", Scope.CORRECT, "correct what others sent")
READ_AGAIN = Act("digits.add_rereading", Scope.MANAGE, "have uploads read again")
RETRAIN = Act("digits.retrain", Scope.MANAGE, "start and cancel trainings")
TRUST = Act("digits.retrain", Scope.MANAGE, "say whose corrections trainings learn from")
ACTIVATE = Act("digits.activate_modelversion", Scope.MANAGE, "activate model versions")
DELETE_UPLOADS = Act("digits.delete_upload", Scope.MANAGE, "delete what others sent")
CHANGE_BATCHES = Act("digits.change_batch", Scope.MANAGE, "cancel bulk jobs of others")
DELETE_BATCHES = Act("digits.delete_batch", Scope.MANAGE, "delete bulk jobs of others")

# By the names that templates have for them.
ACTS = {name.lower(): act for name, act in list(globals().items()) if isinstance(act, Act)}

_REVIEWER = frozenset(
    {
        *("digits.view_upload", "digits.view_digit", "digits.view_prediction"),
        *("digits.view_correction", "digits.view_rereading", "digits.view_batch"),
        *("digits.view_batchitem", "digits.change_digit", "digits.add_rereading"),
    }
)
# What each role may do; roles are groups of Django's, with these names.
ROLES = {
    "reviewer": _REVIEWER,
    "trainer": _REVIEWER
    | {
        *("digits.retrain", "digits.view_trainingrun", "digits.view_modelversion"),
        "digits.view_activation",
    },
    "operator": frozenset(
        {
            *("digits.view_upload", "digits.view_batch", "digits.view_dashboard"),
            *("digits.view_modelversion", "digits.view_activation", "digits.view_trainingrun"),
            *("digits.activate_modelversion", "digits.delete_upload", "digits.change_batch"),
            *("digits.delete_batch", "auth.view_user", "auth.add_user", "auth.change_user"),
            "auth.delete_user",
        }
    ),
}


def has(user: User | AnonymousUser, act: Act) -> bool:
    """Return whether an account has the permission for an act.

    It must be staff, too, as in Django's admin; so nothing is looked up for all others.
    """
    return user.is_staff and user.has_perm(act.permission)


class Forbidden(PermissionDenied):
    """Somebody may not do an act; the message says what it needs."""


class MissingScope(Forbidden):
    """A token lacks a scope."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        super().__init__(
            f"This token lacks the scope {scope.value}, which allows to {scope.label}."
            " Make another one on /account/tokens/."
        )
