"""Who may do what: API keys, users, experiments and roles, kept in a store; no web framework is needed."""

from hutch.access.access import Access
from hutch.access.attempts import Attempts
from hutch.access.executables import Executable
from hutch.access.experiments import Experiment
from hutch.access.identities import ALL_SCOPES, PUBLIC, SCOPES, Identity
from hutch.access.keys import ApiKey
from hutch.access.roles import Action, Role
from hutch.access.users import User

__all__ = [
    "ALL_SCOPES",
    "PUBLIC",
    "SCOPES",
    "Access",
    "Action",
    "ApiKey",
    "Attempts",
    "Executable",
    "Experiment",
    "Identity",
    "Role",
    "User",
]
