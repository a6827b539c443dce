"""The console's page of flags: what each that is shown gives to whoever looks, and why. Rules are not told here."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tenantry.flags.exchanges import flags_of
from tenantry.flags.models import Details, Reason
from tenantry.flags.permissions import FLAGS_READ
from tenantry.foundation.flag import FlagKind
from tenantry.foundation.pages import ConsolePages, Values
from tenantry.foundation.work import OrgWork

FLAGS = "/console/orgs/{org}/flags"
REASONS: dict[Reason, str] = {
    "STATIC": "It is the same for everybody.",
    "DEFAULT": "No rule is about you, so it is as for everybody else.",
    "TARGETING_MATCH": "A rule is about you or your organization.",
    "SPLIT": "It is given to a part of everybody, and you are in this one.",
    "OVERRIDE": "It was set for your organization.",
    "DISABLED": "It is switched off for everybody.",
    "ERROR": "It cannot be decided at the moment.",
}

pages = ConsolePages("flags", Path(__file__).parent / "templates", menu={FLAGS: "Flags"})


@pages.get(FLAGS, title="Flags", template="flags", requires=FLAGS_READ)
async def flags_page(work: OrgWork) -> Values:
    """Show what each flag that is shown to organizations gives to oneself in this one."""
    return {"flags": [_row(key, kind, found) for key, kind, found in (await flags_of(work)).visible()]}


def _row(key: str, kind: FlagKind, found: Details) -> Values:
    on = found.value if kind == "boolean" else None
    return {
        "key": key,
        "kind": kind,
        "on": on,
        "value": "nothing" if found.value is None else _text(found.value),
        "variant": found.variant,
        "why": REASONS[found.reason],
    }


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
