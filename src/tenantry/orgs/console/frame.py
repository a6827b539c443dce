"""What the console's pages of organizations have in common: where they are, and what they say is done."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.pages import ConsolePages
from tenantry.foundation.wire import Wire

HOME = "/console/orgs/{org}"
MEMBERS, INVITES, SETTINGS = f"{HOME}/members", f"{HOME}/invites", f"{HOME}/settings"

pages = ConsolePages(
    "orgs",
    Path(__file__).parent / "templates",
    menu={HOME: "Overview", MEMBERS: "Members", INVITES: "Invites", SETTINGS: "Settings"},
)


class Done(Wire):
    """What was just done, to say so."""

    done: str = ""


def at(path: str, org: UUID, *, done: str = "") -> str:
    """A page of an organization."""
    return path.format(org=ORG_ID.text(org)) + (f"?done={done}" if done else "")
