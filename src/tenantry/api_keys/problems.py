"""What can be refused about API keys."""

from __future__ import annotations

from collections.abc import Sequence

from tenantry.foundation.problems import Conflict, Forbidden


class ScopeAboveYou(Forbidden):
    """Nobody gives an API key a right that they do not hold themselves, or takes over a key that has one."""

    code = "scope_above_you"

    def __init__(self, scopes: Sequence[str]) -> None:
        super().__init__(more={"scopes": list(scopes)})

    @classmethod
    def sample(cls) -> ScopeAboveYou:
        return cls(["members:write"])


class AnothersKey(Forbidden):
    """A personal API key is changed by its person alone; others may revoke it."""

    code = "anothers_key"


class KeyEnded(Conflict):
    """This API key is revoked or expired, and stays that; make a new one."""

    code = "key_ended"


class TooManyKeys(Conflict):
    """This organization has as many API keys as it may; revoke one first."""

    code = "too_many_api_keys"


class TooManySecrets(Conflict):
    """Too many secrets of this API key still open something; rotate it with a shorter overlap, or wait."""

    code = "too_many_secrets"
