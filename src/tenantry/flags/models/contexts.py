"""Who asks for a flag, as the server knows it; nothing of it comes from a header or a query."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from tenantry.foundation.data.ids import API_KEY_ID, ORG_ID, USER_ID

NOTHING: Mapping[str, Any] = {}


class Context:
    """Who asks: in which organization on which plan, which person in which role, or which key, and when.

    `attributes` are what the code that asks knows beside it; what the house knows itself they do not replace.
    """

    __slots__ = ("_attributes", "_clock", "_now", "actor", "key", "org", "plan", "role", "user")

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        org: UUID | str | None = None,
        user: UUID | str | None = None,
        plan: str | None = None,
        role: str | None = None,
        actor: str | None = None,
        key: UUID | None = None,
        attributes: Mapping[str, Any] = NOTHING,
    ) -> None:
        self.org = org
        self.user = user
        self.plan = plan
        self.role = role
        self.actor = actor
        self.key = key
        self._attributes = attributes
        self._clock = clock
        self._now: float | None = None

    @property
    def now(self) -> float:
        """When it was asked first; the same for all that is asked with it."""
        if self._now is None:
            self._now = self._clock()
        return self._now

    def known(self, about: str) -> Any:
        """What the code that asks knows about something; None where it says nothing."""
        return self._attributes.get(about)

    def told(self) -> dict[str, str]:
        """What the house knows of it, as texts."""
        org, user, key = self.org, self.user, self.key
        known = {
            "org": ORG_ID.text(org) if isinstance(org, UUID) else org,
            "user": USER_ID.text(user) if isinstance(user, UUID) else user,
            "key": None if key is None else API_KEY_ID.text(key),
            "plan": self.plan, "role": self.role, "actor": self.actor,
        }  # fmt: skip
        return {name: value for name, value in known.items() if value is not None}
