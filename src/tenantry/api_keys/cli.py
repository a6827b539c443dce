"""What an operator does with API keys: lists them, revokes one, and takes in the secret of one that leaked."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from tenantry.api_keys import actions, queries
from tenantry.api_keys.models import AnyKey
from tenantry.foundation.call import Call
from tenantry.foundation.command import BadUsage, Command, Option
from tenantry.foundation.data.ids import API_KEY_ID, ORG_ID, USER_ID
from tenantry.foundation.security.api_keys import read_key
from tenantry.foundation.work import SystemWork

OPERATOR = "an operator looks after anybody's API keys"
LONGEST_LINE = 1000


class Shown(msgspec.Struct, frozen=True):
    """An API key, without its secret."""

    key: str
    org: str
    kind: str
    name: str
    status: str
    scopes: str
    hint: str
    created_by: str
    expires_at: datetime | None
    last_used_at: datetime | None


class Keys(msgspec.Struct, frozen=True):
    """API keys, the newest first."""

    keys: list[Shown]


class Revoked(msgspec.Struct, frozen=True):
    """The API key that was meant, and whether this is what revoked it."""

    key: str
    revoked: bool


class Leak(msgspec.Struct, frozen=True):
    """What became of a leaked key: which one it is, and that it opens nothing now."""

    known: bool
    key: str | None = None
    org: str | None = None
    revoked: bool = False
    why_not: str | None = None


async def show(
    call: Call,
    *,
    org: Annotated[str | None, Option("Only those of this organization (`org_...`).")] = None,
    ended: Annotated[bool, Option("Also those that are revoked or expired.")] = False,
) -> Keys:
    """Show API keys, the newest first, a thousand at most; never a secret."""
    given = {"org_id": _org(org), "ended": ended, "most": queries.MOST_SHOWN}
    async with SystemWork(call, reason=OPERATOR, reading=True) as work:
        return Keys([_shown(key) for key in await queries.keys_of_anybody(work, **given)])


async def revoke(call: Call, *, key: Annotated[str, Option("The API key (`key_...`), not its secret.")]) -> Revoked:
    """Revoke an API key of whichever organization; its next request is refused."""
    key_id = API_KEY_ID.read(key)
    if key_id is None:
        raise BadUsage(
            "--key is an id such as key_01jd4w2q8nf6v9m3x5c7b1r0kt; a secret is read by `tenantry keys leaked`"
        )
    async with SystemWork(call, reason=OPERATOR) as work:
        return Revoked(key, await actions.revoke_any_key(work, key_id=key_id))


async def leaked(call: Call) -> Leak:
    """Revoke the API key whose secret is read from the standard input, whosever it is; nothing prints the secret."""
    text = await asyncio.to_thread(sys.stdin.readline, LONGEST_LINE)
    digest = read_key(text.strip())
    if digest is None:
        raise BadUsage("what came in is no API key of any Tenantry")
    async with SystemWork(call, reason=OPERATOR) as work:
        found = await actions.revoke_leaked_key(work, digest=digest)
    if found is None:
        return Leak(known=False, why_not="no API key of this installation has this secret")
    names = {"key": API_KEY_ID.text(found.id), "org": ORG_ID.text(found.org_id)}
    why_not = _why_not(found.ended, found.secret_ended_at)
    return Leak(known=True, **names, revoked=why_not is None, why_not=why_not)


def _why_not(ended: bool, secret_ended_at: datetime | None) -> str | None:
    if ended:
        return "the key is revoked or expired already"
    if secret_ended_at is not None:
        return "the secret was replaced, and opens nothing any more; the key lives on with another"
    return None


def _org(text: str | None) -> UUID | None:
    if text is None:
        return None
    found = ORG_ID.read(text)
    if found is None:
        raise BadUsage("--org is an id such as org_01jd4w2q8nf6v9m3x5c7b1r0kt")
    return found


def _shown(key: AnyKey) -> Shown:
    return Shown(
        key=API_KEY_ID.text(key.id),
        org=ORG_ID.text(key.org_id),
        kind=key.kind,
        name=key.name,
        status=key.status,
        scopes=", ".join(key.scopes),
        hint=key.hint,
        created_by=USER_ID.text(key.created_by),
        expires_at=key.expires_at,
        last_used_at=key.last_used_at,
    )


def _unknown(leak: msgspec.Struct) -> bool:
    return isinstance(leak, Leak) and not leak.known


def _missed(revoked: msgspec.Struct) -> bool:
    return isinstance(revoked, Revoked) and not revoked.revoked


commands = (
    Command("keys", "list", show),
    Command("keys", "revoke", revoke, failed=_missed),
    Command("keys", "leaked", leaked, failed=_unknown),
)
