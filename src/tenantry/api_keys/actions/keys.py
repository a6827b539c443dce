"""Making, changing and revoking API keys, as the members of an organization do it.

Whoever makes one holds the organization's row: the cap on how many there are is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from tenantry.api_keys import queries
from tenantry.api_keys.actions.standing import (
    held_key,
    held_role,
    is_own,
    key_to_change,
    may_look_after,
    refuse_above,
    refuse_without,
)
from tenantry.api_keys.events import ApiKeyChanged, ApiKeyCreated, ApiKeyRevoked
from tenantry.api_keys.inputs import read_end, read_networks, read_scopes
from tenantry.api_keys.models import MOST_KEYS, Held, Key, KeyKind, said_of
from tenantry.api_keys.permissions import API_KEYS_OWN
from tenantry.api_keys.problems import TooManyKeys
from tenantry.foundation.action import action
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.data.sql import one, run, value
from tenantry.foundation.events.details import Details
from tenantry.foundation.security.api_keys import hint_of, new_key, read_key
from tenantry.foundation.security.secret import Secret
from tenantry.foundation.work import OrgWork
from tenantry.orgs.actions import hold_open_org


class NewSecret(msgspec.Struct, frozen=True):
    """An API key and the secret that it got just now: shown this once, and known to nobody any more."""

    key: Key
    secret: Secret[str]


class Crowd(msgspec.Struct, frozen=True):
    """How many keys of an organization open something at this moment."""

    live: int
    asked_at: datetime


crowd = one(
    Crowd,
    """
    select (select count(*)
              from tenantry.api_keys
             where org_id = tenantry.org()
               and revoked_at is null
               and coalesce(expires_at > tenantry.now(), true)) as live,
           tenantry.now() as asked_at
    """,
    not_null=("live", "asked_at"),
)

keep_key = run("""
    with made as (
        insert into tenantry.api_keys (org_id, id, kind, name, scopes, addresses, created_by, expires_at)
        values (tenantry.org(), :id, :kind, :name, :scopes, :addresses, tenantry.person(), :expires_at)
        returning org_id, id
    )
    insert into tenantry.api_key_secrets (org_id, key_id, digest, hint)
    select org_id, id, :digest, :hint
      from made
""")


@action(requires=API_KEYS_OWN, records=ApiKeyCreated)
async def create_key(
    work: OrgWork,
    *,
    name: str,
    scopes: Sequence[str],
    kind: KeyKind = "personal",
    addresses: Sequence[str] = (),
    expires_at: datetime | UnsetType | None = UNSET,
) -> NewSecret:
    """Make an API key with rights that one holds oneself; its secret is shown this once."""
    role = await held_role(work)
    _refuse_to_make(role, kind)
    given = read_scopes(scopes, work.runtime.permissions)
    refuse_above(work, role, given)
    networks, now = read_networks(addresses), await _room(work)
    key_id, secret = new_id(), fresh_secret(work, kind)
    ends = read_end(kind, expires_at, now)
    facts: dict[str, Any] = {"name": name, "scopes": given, "addresses": networks, "expires_at": ends}
    await keep_key(work, id=key_id, kind=kind, **facts, **known_by(secret))
    work.record(
        ApiKeyCreated(
            org_id=work.org,
            key_id=key_id,
            key_kind=kind,
            created_by=work.person,
            scopes=tuple(given),
            expires_at=ends,
        ),
        details=_said(kind, work.person, name, networks),
    )
    return NewSecret(await shown(work, key_id), secret)


def _refuse_to_make(role: Any, kind: KeyKind) -> None:
    refuse_without(role, API_KEYS_OWN)
    if kind == "service":
        may_look_after(role)


async def _room(work: OrgWork) -> datetime:
    """The moment, if there is room for one more key of the organization."""
    await hold_open_org(work, work.org)
    counted = await crowd(work)
    if counted.live >= MOST_KEYS:
        raise TooManyKeys
    return counted.asked_at


def fresh_secret(work: OrgWork, kind: KeyKind) -> Secret[str]:
    """A secret of this installation."""
    return new_key(kind, "test" if work.runtime.settings.development else "live")


def known_by(secret: Secret[str]) -> dict[str, Any]:
    """What a secret is known by, as columns."""
    return {"digest": read_key(secret.reveal()), "hint": hint_of(secret)}


def _said(kind: KeyKind, created_by: UUID, name: str, addresses: Sequence[str]) -> Details:
    # a service key is the organization's, and goes with it
    return Details(said_of(name, addresses), person=created_by if kind == "personal" else None)


async def shown(work: OrgWork, key_id: UUID) -> Key:
    """A key that was just made or changed."""
    key = await queries.key_if_any(work, key_id=key_id, everybodys=True)
    if key is None:
        raise LookupError("a key was changed that is not there")
    return key


set_facts = value(
    int,
    """
    update tenantry.api_keys
       set name = :name, scopes = :scopes, addresses = :addresses, expires_at = :expires_at, version = version + 1
     where org_id = tenantry.org()
       and id = :id
 returning version
    """,
)


@action(requires=API_KEYS_OWN, records=ApiKeyChanged)
async def change_key(
    work: OrgWork,
    *,
    key_id: UUID,
    version: int | None = None,
    name: str | UnsetType = UNSET,
    scopes: Sequence[str] | UnsetType = UNSET,
    addresses: Sequence[str] | UnsetType = UNSET,
    expires_at: datetime | UnsetType | None = UNSET,
) -> Key:
    """Change what an API key is called, may do, may be used from, and when it ends; one's own rights bound it."""
    role, held = await key_to_change(work, key_id, version)
    after = replace(
        held,
        name=held.name if name is UNSET else name,
        scopes=held.scopes if scopes is UNSET else read_scopes(scopes, work.runtime.permissions),
        addresses=held.addresses if addresses is UNSET else read_networks(addresses),
        expires_at=held.expires_at if expires_at is UNSET else read_end(held.kind, expires_at, held.asked_at),
    )
    # a key that can do more than oneself is not given another life or other places, either
    refuse_above(work, role, after.scopes)
    fields = tuple(name for name in FIELDS if getattr(held, name) != getattr(after, name))
    if fields:
        await _change(work, held, after, fields)
    return await shown(work, key_id)


FIELDS = ("name", "scopes", "addresses", "expires_at")


async def _change(work: OrgWork, held: Held, after: Held, fields: tuple[str, ...]) -> None:
    await set_facts(work, id=held.id, **{name: getattr(after, name) for name in FIELDS})
    work.record(
        ApiKeyChanged(
            org_id=work.org,
            key_id=held.id,
            fields=fields,
            scopes=tuple(after.scopes),
            expires_at=after.expires_at,
            version_after=held.version + 1,
        ),
        was={"scopes": held.scopes, "expires_at": held.expires_at},
        details=_said(held.kind, held.created_by, after.name, after.addresses),
    )


set_revoked = run("""
    update tenantry.api_keys
       set revoked_at = tenantry.now(), version = version + 1
     where org_id = tenantry.org()
       and id = :id
""")


@action(requires=API_KEYS_OWN, records=ApiKeyRevoked)
async def revoke_key(work: OrgWork, *, key_id: UUID) -> None:
    """Revoke an API key: its very next request is refused, wherever it is made; one that is revoked stays so."""
    role = await held_role(work)
    held = await held_key(work, role, key_id)
    if not is_own(work, held):
        may_look_after(role)
    if held.revoked:
        return
    await set_revoked(work, id=held.id)
    work.record(ApiKeyRevoked(org_id=work.org, key_id=held.id, why="revoked", version_after=held.version + 1))
