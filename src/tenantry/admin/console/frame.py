"""What the console's pages of operators have in common: where they are, and what they say is done."""

from __future__ import annotations

from pathlib import Path

from tenantry.foundation.pages import ConsolePages
from tenantry.foundation.wire import Wire

HOME = "/console/admin"
PEOPLE, ORGS, OPERATORS, SEARCH = f"{HOME}/people", f"{HOME}/orgs", f"{HOME}/operators", f"{HOME}/search"
ENTER, LEAVE = f"{HOME}/login", f"{HOME}/logout"

pages = ConsolePages(
    "admin",
    Path(__file__).parent / "templates",
    menu={HOME: "Overview", PEOPLE: "People", ORGS: "Organizations", OPERATORS: "Operators"},
)


class Done(Wire):
    """What was just done, to say so."""

    done: str = ""
