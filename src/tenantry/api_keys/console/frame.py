"""What the console's pages of API keys have in common: where they are, and how a key is shown on them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from tenantry.api_keys import queries
from tenantry.api_keys.actions import NewSecret
from tenantry.api_keys.models import Key
from tenantry.api_keys.permissions import API_KEYS_WRITE
from tenantry.foundation.data.ids import API_KEY_ID, ORG_ID
from tenantry.foundation.pages import ConsolePages, Receipt, Values
from tenantry.foundation.work import OrgWork

KEYS = "/console/orgs/{org}/api-keys"
NEW, ONE = f"{KEYS}/new", f"{KEYS}/{{key}}"
IDS = {"key": API_KEY_ID}
TONES = {"live": "good", "expired": "wait", "revoked": "grave"}

pages = ConsolePages("api_keys", Path(__file__).parent / "templates", menu={KEYS: "API keys"})


def at(path: str, org: UUID, *, key: UUID | None = None, done: str = "") -> str:
    """A page of API keys."""
    named = {} if key is None else {"key": API_KEY_ID.text(key)}
    return path.format(org=ORG_ID.text(org), **named) + (f"?done={done}" if done else "")


async def shown(work: OrgWork, keys: Sequence[Key]) -> list[Values]:
    """API keys as pages show them, each with the name of whoever made it if they are still a member."""
    names = {one.id: one.name for one in await queries.makers(work, ids=list({key.created_by for key in keys}))}
    return [
        {
            "key": key,
            "id": API_KEY_ID.text(key.id),
            "place": at(ONE, work.org, key=key.id),
            "maker": names.get(key.created_by, "somebody who has left"),
            "tone": TONES[key.status],
        }
        for key in keys
    ]


def receipt(work: OrgWork, made: NewSecret) -> Receipt:
    """The secret of a key, which is shown this once."""
    key = made.key
    values = {"key": key, "secret": made.secret.reveal(), "place": at(ONE, work.org, key=key.id)}
    return Receipt("api_key_secret", values)


def is_own(work: OrgWork, key: Key) -> bool:
    """Whether it is a personal key of whoever looks."""
    return key.kind == "personal" and key.created_by == work.person


def may_change(work: OrgWork, key: Key) -> bool:
    """Whether whoever looks can give the key another name or secret, as far as the page can know."""
    return key.status == "live" and (is_own(work, key) or (key.kind == "service" and work.may(API_KEYS_WRITE)))


def may_revoke(work: OrgWork, key: Key) -> bool:
    """Whether whoever looks can revoke the key."""
    return key.status == "live" and (is_own(work, key) or work.may(API_KEYS_WRITE))
