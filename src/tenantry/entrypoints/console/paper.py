"""The paper of the console: its frame, and a policy that lets in our own scripts, each named by the page's nonce."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from tenantry.entrypoints.console.assets import asset_url, missing
from tenantry.entrypoints.http.pages.paper import Paper
from tenantry.foundation.data.ids import ORG_ID, USER_ID
from tenantry.foundation.domain import Registry
from tenantry.foundation.pages import Frame, Page
from tenantry.foundation.runtime import Runtime

# Tabler draws the marks of its fields as images in the style sheet itself
POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class ConsolePaper(Paper):
    """Writes the console's pages."""

    frame: ClassVar[Frame] = "console"
    folder: ClassVar[Path] = Path(__file__).parent / "frame"

    def __init__(self, registry: Registry, runtime: Runtime) -> None:
        super().__init__(registry, runtime)
        self._templates.globals |= {"asset": asset_url, "bare": missing(), "around": None, "operator": None, "menu": ()}
        self._templates.filters |= {"org_id": ORG_ID.text, "user_id": USER_ID.text, "day": _day}

    def _about(self, page: Page, place: str) -> tuple[dict[str, Any], str]:
        nonce = secrets.token_urlsafe(18)
        return {"title": page.title, "path": place, "nonce": nonce}, POLICY.format(nonce=nonce)


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
