"""Who asks, through which door, and with what at hand: what every verb can be told about its caller."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from tenantry.foundation.permission import ANYONE, HOUSE, ONESELF, OperatorRole, Permission, Role
from tenantry.foundation.runtime import Runtime

HOUSE_ACTORS = frozenset(("cli", "job"))
OPERATOR = "operator"
_text = msgspec.json.Encoder().encode


class Actor(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who acts: a person by a session, an API key, the house itself, or nobody yet; in an org, with which role there.

    Written beside every event. A key acts on behalf of whoever made it, with the rights that are in its scopes and
    that the role holds. An operator is a person who runs the installation, by a session of its own kind; `operates`
    is their role, once it is known that they are let in.
    """

    kind: str
    person: UUID | None = None
    session: UUID | None = None
    org: UUID | None = None
    role: Role | None = None
    name: str | None = None
    on_behalf_of: UUID | None = None
    key: UUID | None = None
    scopes: frozenset[str] | None = None
    operates: OperatorRole | None = None

    def may(self, permission: Permission) -> bool:
        """Whether the right goes with being this actor: nobody's, a person's, a role's in its org, or the house's."""
        if permission == HOUSE:
            return self.kind in HOUSE_ACTORS or self.operates is not None
        if permission.operators:
            return self.operates in permission.operators
        if permission.roles:
            return self.role in permission.roles and (self.scopes is None or within_scopes(permission, self.scopes))
        return permission == ANYONE or (permission == ONESELF and self.person is not None and self.kind != OPERATOR)

    def json(self) -> str:
        """The form it is written in beside an event."""
        # which rights somebody had is no part of who they are
        bare = self.scopes is None and self.operates is None
        return _text(self if bare else msgspec.structs.replace(self, scopes=None, operates=None)).decode()

    def fields(self) -> dict[str, Any]:
        """What of it goes into a log line."""
        return {
            field: str(value)
            for field in ("person", "session", "org", "name", "key")
            if (value := getattr(self, field)) is not None
        } | {"kind": self.kind}


NOBODY = Actor("anonymous")


def within_scopes(permission: Permission, scopes: frozenset[str]) -> bool:
    """Whether an API key with these scopes holds a permission, as far as it goes by them."""
    return permission.by_key and permission.name in scopes


class Call(msgspec.Struct, frozen=True):
    """One call from outside or one job: its runtime, actor, request id and where it came from.

    `even_closed` says that what is asked is open to a person whose account is closed, or in an org that is closed, so
    their works let them in; `even_restricted`, that it is open in an org that is restricted because it is not paid.
    `bound` is the only org that the credential opens; None where it opens all of its person. `key` is the digest of the
    API key that was shown; whose it is turns out when its organization is entered. `kept` is what shall be the same
    for all that is done in it, such as the snapshot of flags that was looked at first.
    """

    runtime: Runtime
    actor: Actor
    request_id: str
    source: str = ""
    agent: str = ""
    even_closed: bool = False
    bound: UUID | None = None
    even_restricted: bool = False
    key: bytes | None = None
    kept: dict[Any, Any] = msgspec.field(default_factory=dict)

    def within(self, org: UUID, role: Role | None = None) -> Call:
        """The same call, acting in an organization."""
        actor = msgspec.structs.replace(self.actor, org=org, role=role)
        return msgspec.structs.replace(self, actor=actor)

    def by_key(self, key_id: UUID, created_by: UUID, scopes: frozenset[str], role: Role | None = None) -> Call:
        """The same call, now that it is known which key of whom acts, with which rights."""
        actor = msgspec.structs.replace(self.actor, key=key_id, on_behalf_of=created_by, scopes=scopes, role=role)
        return msgspec.structs.replace(self, actor=actor)

    def operating(self, role: OperatorRole) -> Call:
        """The same call, now that it is known that an operator acts, and in which role."""
        actor = msgspec.structs.replace(self.actor, operates=role)
        return msgspec.structs.replace(self, actor=actor)

    def log_fields(self) -> dict[str, Any]:
        """What a line of log says about it."""
        return {"request_id": self.request_id, "actor": self.actor.fields()}
