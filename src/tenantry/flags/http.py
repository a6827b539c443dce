"""Flags over HTTP: what each visible flag gives to whoever asks. Rules are not told, and nothing is changed here."""

from __future__ import annotations

from typing import Any

from tenantry.flags.exchanges import flags_of
from tenantry.flags.models import Reason
from tenantry.flags.permissions import FLAGS_READ
from tenantry.foundation.flag import FlagKind
from tenantry.foundation.routes import Routes
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork

routes = Routes("flags")

OURS = {
    "items": [{"key": "new_editor", "kind": "boolean", "value": True, "variant": "on", "reason": "TARGETING_MATCH"}]
}


class FlagView(Wire):
    """A flag as the caller has it; a value of null is a flag that is off and gives nothing."""

    key: str
    kind: FlagKind
    value: Any
    variant: str | None
    reason: Reason


class FlagList(Wire):
    """The flags that are shown to organizations, by their keys."""

    items: list[FlagView]


@routes.get("/orgs/{org}/flags", requires=FLAGS_READ, answer_example=OURS)
async def flags(work: OrgWork) -> FlagList:
    """What each flag that is shown to organizations gives to the caller."""
    found = (await flags_of(work)).visible()
    return FlagList(items=[
        FlagView(key=key, kind=kind, value=one.value, variant=one.variant, reason=one.reason)
        for key, kind, one in found
    ])  # fmt: skip
