"""What can have happened to flags: after-values. What is the house's own belongs to no organization."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from tenantry.foundation.events.event import Audited, Event


class FlagChanged(Event, frozen=True):
    """A flag was made, or is defined otherwise than before."""

    kind = "flags.flag_changed"
    audited = Audited(
        "flags:flag:changed",
        shows=(
            "flag_key", "values_are", "variants", "default_variant", "off_variant", "rules", "salt", "visible",
            "description", "team", "expires_at", "flag_version",
        ),
    )  # fmt: skip
    flag_key: str
    values_are: str
    variants: dict[str, Any]
    default_variant: str
    off_variant: str | None
    rules: list[dict[str, Any]]
    salt: str
    visible: bool
    description: str
    team: str | None
    expires_at: datetime | None
    flag_version: int


class FlagKilled(Event, frozen=True):
    """A flag is off for everybody from now on, whatever its rules and overrides say."""

    kind = "flags.flag_killed"
    audited = Audited("flags:flag:killed", shows=("flag_key", "flag_version"))
    flag_key: str
    flag_version: int


class FlagRevived(Event, frozen=True):
    """A flag that was killed goes by its rules and overrides again."""

    kind = "flags.flag_revived"
    audited = Audited("flags:flag:revived", shows=("flag_key", "flag_version"))
    flag_key: str
    flag_version: int


class FlagRemoved(Event, frozen=True):
    """A flag is no more; one that a domain declares is as that declares it."""

    kind = "flags.flag_removed"
    audited = Audited("flags:flag:removed", shows=("flag_key",))
    flag_key: str


class FlagOverridden(Event, frozen=True):
    """An organization has a variant of a flag from now on, whatever its rules say."""

    kind = "flags.flag_overridden"
    audited = Audited("flags:override:given", target="org_id", shows=("flag_key", "variant"))
    webhook = "flag.overridden"
    org_id: UUID
    flag_key: str
    variant: str
    reason: str


class FlagOverrideLifted(Event, frozen=True):
    """An organization has of a flag what its rules give again."""

    kind = "flags.override_lifted"
    audited = Audited("flags:override:lifted", target="org_id", shows=("flag_key",))
    webhook = "flag.override_lifted"
    org_id: UUID
    flag_key: str
