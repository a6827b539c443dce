"""What an organization's API keys were at any instant: which event changes which row, and what does not come back.

Secrets come back from nowhere. What a personal key was called and used from goes with its person.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec
from msgspec.structs import replace

from tenantry.api_keys.events import (
    ApiKeyChanged,
    ApiKeyCreated,
    ApiKeyForgotten,
    ApiKeyPassed,
    ApiKeyRevoked,
    ApiKeyRotated,
)
from tenantry.api_keys.models import KeyKind
from tenantry.foundation.data.ids import API_KEY_ID, USER_ID
from tenantry.foundation.events.folding import Fold, Rows, Said


class KeyThen(msgspec.Struct, frozen=True):
    """An API key as it was; without its name and networks once they are erased."""

    id: UUID
    kind: KeyKind
    name: str | None
    scopes: list[str]
    addresses: list[str] | None
    created_by: UUID
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    version: int


keys = Fold(
    "api_keys",
    KeyThen,
    ids={"id": API_KEY_ID, "created_by": USER_ID},
    erasable=("name", "addresses"),
    left_out={
        "org_id": "whose history is folded",
        "at_most": "what bounds a key since its maker left; who left in which role is in the history of members",
        "last_used_at": "written once a minute at most, and no event: a key is used far more often than it changes",
    },
)


@keys.on(ApiKeyCreated)
def _made(rows: Rows[KeyThen], said: Said[ApiKeyCreated]) -> None:
    one = said.event
    rows[one.key_id] = KeyThen(
        id=one.key_id,
        kind=one.key_kind,
        name=said.details.get("name"),
        scopes=list(one.scopes),
        addresses=_networks(said.details.get("addresses")),
        created_by=one.created_by,
        created_at=said.at,
        expires_at=one.expires_at,
        revoked_at=None,
        version=1,
    )


def _networks(text: str | None) -> list[str] | None:
    return None if text is None else text.split()


@keys.on(ApiKeyChanged)
def _changed(rows: Rows[KeyThen], said: Said[ApiKeyChanged]) -> None:
    one = said.event
    rows[one.key_id] = replace(
        rows[one.key_id],
        name=said.details.get("name"),
        scopes=list(one.scopes),
        addresses=_networks(said.details.get("addresses")),
        expires_at=one.expires_at,
        version=one.version_after,
    )


@keys.on(ApiKeyRotated)
def _rotated(rows: Rows[KeyThen], said: Said[ApiKeyRotated]) -> None:
    rows[said.event.key_id] = replace(rows[said.event.key_id], version=said.event.version_after)


@keys.on(ApiKeyRevoked)
def _revoked(rows: Rows[KeyThen], said: Said[ApiKeyRevoked]) -> None:
    one = said.event
    rows[one.key_id] = replace(rows[one.key_id], revoked_at=said.at, version=one.version_after)


@keys.on(ApiKeyPassed)
def _passed(rows: Rows[KeyThen], said: Said[ApiKeyPassed]) -> None:
    one = said.event
    rows[one.key_id] = replace(rows[one.key_id], created_by=one.created_by, version=one.version_after)


@keys.on(ApiKeyForgotten)
def _forgotten(rows: Rows[KeyThen], said: Said[ApiKeyForgotten]) -> None:
    del rows[said.event.key_id]


FOLDS = (keys,)
