"""Who may do what with which API key: the membership of whoever asks, the key they ask about, and its scopes.

Both rows are held until the commit, the membership first: whoever was demoted or removed a moment ago is asked about
as what they are now.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from tenantry.api_keys.models import Held
from tenantry.api_keys.permissions import API_KEYS_READ, API_KEYS_WRITE
from tenantry.api_keys.problems import AnothersKey, KeyEnded, ScopeAboveYou
from tenantry.foundation.data.sql import maybe, value
from tenantry.foundation.permission import Permission, Role
from tenantry.foundation.problems import Forbidden, NotFound, VersionMismatch
from tenantry.foundation.work import OrgWork

hold_membership = value(
    str,
    """
    select role
      from tenantry.members
     where org_id = tenantry.org()
       and user_id = tenantry.person()
       for share
    """,
)

hold_key = maybe(
    Held,
    """
    select id, kind, name, scopes, addresses, created_by, expires_at, version, revoked_at is not null as revoked,
           revoked_at is not null or coalesce(expires_at <= tenantry.now(), false) as ended, tenantry.now() as asked_at
      from tenantry.api_keys
     where org_id = tenantry.org()
       and id = :key_id
       for no key update
    """,
    not_null=("revoked", "ended", "asked_at"),
)


async def held_role(work: OrgWork) -> Role:
    """One's own role, held until the commit."""
    role = await hold_membership(work)
    if role is None:
        raise NotFound
    # the table knows no other roles
    return cast(Role, role)


async def held_key(work: OrgWork, role: Role, key_id: UUID) -> Held:
    """An API key that one may know of, held until the commit."""
    held = await hold_key(work, key_id=key_id)
    if held is None or not (is_own(work, held) or role in API_KEYS_READ.roles):
        raise NotFound
    return held


async def key_to_change(work: OrgWork, key_id: UUID, version: int | None = None) -> tuple[Role, Held]:
    """One's role, and a living API key that one may change: one's own, or with the right to it the organization's."""
    role = await held_role(work)
    held = await held_key(work, role, key_id)
    if held.kind == "personal" and not is_own(work, held):
        raise AnothersKey
    if held.ended:
        raise KeyEnded
    if version not in (None, held.version):
        raise VersionMismatch
    return role, held


def is_own(work: OrgWork, held: Held) -> bool:
    """Whether it is a personal key of whoever asks."""
    return held.kind == "personal" and held.created_by == work.person


def refuse_without(role: Role, permission: Permission) -> None:
    """Forbidden to a role that does not hold a permission."""
    if role not in permission.roles:
        raise Forbidden(more={"permission": permission.name})


def may_look_after(role: Role) -> None:
    """Forbidden to whoever does not look after the organization's own keys."""
    refuse_without(role, API_KEYS_WRITE)


def refuse_above(work: OrgWork, role: Role, scopes: Sequence[str]) -> None:
    """ScopeAboveYou where a scope is a right that the role does not hold; one that is known no more is none."""
    rights = {one.name: one.roles for one in work.runtime.permissions}
    above = [scope for scope in scopes if scope in rights and role not in rights[scope]]
    if above:
        raise ScopeAboveYou(above)
