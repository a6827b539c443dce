"""API keys over HTTP: made, listed, changed, rotated and revoked by people; a secret is answered where it is made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import asdict

from tenantry.api_keys import actions, queries
from tenantry.api_keys.inputs import KeyName, Network, Networks, Overlap, Scope, Scopes
from tenantry.api_keys.models import OVERLAP, Key, KeyKind, KeyStatus
from tenantry.api_keys.permissions import API_KEYS_OWN, API_KEYS_READ
from tenantry.api_keys.problems import AnothersKey, KeyEnded, ScopeAboveYou, TooManyKeys, TooManySecrets
from tenantry.foundation.data.ids import API_KEY_ID, USER_ID
from tenantry.foundation.listing import ListAnswer, ListQuery
from tenantry.foundation.problems import FieldError, Invalid, NotFound, VersionMismatch
from tenantry.foundation.routes import Routes, Versioned
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork

routes = Routes("api_keys")

Instant = Annotated[datetime, Meta(tz=True)]
End = Annotated[Instant | None, Meta(description="From then on it opens nothing; null: never.")]
KeyId = Annotated[str, Meta(pattern=f"^{API_KEY_ID.start}", description="Names an API key.")]
KEY: dict[str, Any] = {
    "id": "key_01jd4w2q8nf6v9m3x5c7b1r0kt",
    "kind": "personal",
    "name": "Nightly report",
    "scopes": ["members:read"],
    "addresses": ["192.0.2.0/24"],
    "status": "live",
    "hint": "x7Qz",
    "created_by": "usr_01jd4w2q8nf6v9m3x5c7b1r0kt",
    "created_at": "2026-01-02T03:04:05Z",
    "expires_at": "2026-04-02T03:04:05Z",
    "revoked_at": None,
    "last_used_at": None,
    "old_secret_ends_at": None,
}
# its checksum is wrong: whoever looks for leaked keys finds none in a document
NEW_KEY = KEY | {"secret": "tnt_personal_live_" + 43 * "0" + "1" + 6 * "0"}
ASKED = {"name": "Nightly report", "scopes": ["members:read"], "addresses": ["192.0.2.0/24"]}


class NewKey(Wire):
    """What the key is for and what it may do; unless it says otherwise it is one's own, and ends after 90 days."""

    name: KeyName
    scopes: Scopes
    kind: KeyKind = "personal"
    addresses: Networks = msgspec.field(default_factory=list)
    expires_at: End | UnsetType = UNSET


class KeyChange(Wire):
    """What to change; what is left out stays."""

    described: ClassVar[Mapping[str, Any]] = {"minProperties": 1}
    name: KeyName | UnsetType = UNSET
    scopes: Scopes | UnsetType = UNSET
    addresses: Networks | UnsetType = UNSET
    expires_at: End | UnsetType = UNSET


class Rotation(Wire):
    """For how long the secret before opens what it opened; 0: it ends at once."""

    optional = True
    overlap_seconds: Overlap = int(OVERLAP.total_seconds())


class KeyView(Wire):
    """An API key; `hint` are the last signs of its newest secret, before the checksum."""

    id: KeyId
    kind: KeyKind
    name: str
    scopes: list[Scope]
    addresses: list[Network]
    status: KeyStatus
    hint: str
    created_by: str
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None
    last_used_at: Annotated[Instant | None, Meta(description="To the minute or so.")]
    old_secret_ends_at: Annotated[
        Instant | None, Meta(description="Until when a secret of before the last rotation opens something.")
    ]


class NewKeyView(KeyView):
    """An API key with its secret, which is shown this once."""

    secret: str


class KeyQuery(ListQuery):
    """The newest first; with a kind or a status only those that have it."""

    order: Literal["-created_at"] = "-created_at"
    kind: KeyKind | UnsetType = UNSET
    status: KeyStatus | UnsetType = UNSET


class KeyList(ListAnswer):
    """A part of the list of API keys."""

    items: list[KeyView]


@routes.get("/orgs/{org}/api-keys", requires=API_KEYS_OWN, answer_example={"items": [KEY], "next": None})
async def api_keys(work: OrgWork, query: KeyQuery) -> KeyList:
    """The API keys of the organization; to members who do not look after it, their own."""
    filters = {
        name: None if given is UNSET else given for name, given in (("kind", query.kind), ("status", query.status))
    }
    found, after = await queries.keys.read(work, query, everybodys=work.may(API_KEYS_READ), **filters)
    return KeyList(items=[KeyView(**_facts(key)) for key in found], next=after)


@routes.post(
    "/orgs/{org}/api-keys",
    requires=API_KEYS_OWN,
    status=201,
    problems=(ScopeAboveYou, TooManyKeys),
    example=ASKED,
    answer_example=NEW_KEY,
    shows_secret=True,
)
async def create_api_key(work: OrgWork, body: NewKey) -> NewKeyView:
    """Make an API key; a service key is the organization's and takes the right to look after those."""
    return _new(await actions.create_key(work, **asdict(body)))


@routes.get("/orgs/{org}/api-keys/{key}", requires=API_KEYS_OWN, ids={"key": API_KEY_ID}, answer_example=KEY)
async def api_key(work: OrgWork, key: UUID) -> Versioned[KeyView]:
    """An API key."""
    found = await queries.key_if_any(work, key_id=key, everybodys=work.may(API_KEYS_READ))
    if found is None:
        raise NotFound
    return _shown(found)


@routes.patch(
    "/orgs/{org}/api-keys/{key}",
    requires=API_KEYS_OWN,
    ids={"key": API_KEY_ID},
    problems=(ScopeAboveYou, AnothersKey, KeyEnded, VersionMismatch),
    example={"scopes": ["members:read"]},
    answer_example=KEY,
)
async def change_api_key(work: OrgWork, key: UUID, body: KeyChange, if_match: int | None) -> Versioned[KeyView]:
    """Change an API key: its name, its scopes, where it may be used from, when it ends; one's own rights bound it."""
    changes = {name: given for name, given in asdict(body).items() if given is not UNSET}
    if not changes:
        raise Invalid(errors=(FieldError("body", "needs at least one field to change"),))
    return _shown(await actions.change_key(work, key_id=key, version=if_match, **changes))


@routes.delete(
    "/orgs/{org}/api-keys/{key}", requires=API_KEYS_OWN, ids={"key": API_KEY_ID}, status=204, even_restricted=True
)
async def revoke_api_key(work: OrgWork, key: UUID) -> None:
    """Revoke an API key, from its next request on; revoking it again says the same."""
    await actions.revoke_key(work, key_id=key)


@routes.post(
    "/orgs/{org}/api-keys/{key}/rotation",
    requires=API_KEYS_OWN,
    ids={"key": API_KEY_ID},
    problems=(ScopeAboveYou, AnothersKey, KeyEnded, TooManySecrets),
    example={"overlap_seconds": 3600},
    answer_example=NEW_KEY,
    shows_secret=True,
)
async def rotate_api_key(work: OrgWork, key: UUID, body: Rotation) -> NewKeyView:
    """Give an API key another secret; the one before opens the same until the overlap is over, a day if not said."""
    return _new(await actions.rotate_key(work, key_id=key, overlap=timedelta(seconds=body.overlap_seconds)))


def _new(made: actions.NewSecret) -> NewKeyView:
    return NewKeyView(**_facts(made.key), secret=made.secret.reveal())


def _shown(key: Key) -> Versioned[KeyView]:
    return Versioned(KeyView(**_facts(key)), key.version)


def _facts(key: Key) -> dict[str, Any]:
    facts = asdict(key) | {"id": API_KEY_ID.text(key.id), "created_by": USER_ID.text(key.created_by)}
    return {name: facts[name] for name in KeyView.__struct_fields__}
