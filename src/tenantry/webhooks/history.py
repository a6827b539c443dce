"""What an organization's webhook endpoints were at any instant: which event changes which row.

Secrets come back from nowhere, and no header's value does.
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import msgspec
from msgspec.structs import replace

from tenantry.foundation.data.ids import USER_ID
from tenantry.foundation.events.folding import Fold, Rows, Said
from tenantry.webhooks.events import (
    EndpointChanged,
    EndpointCreated,
    EndpointDeleted,
    EndpointDisabled,
    EndpointEnabled,
    EndpointForgotten,
    EndpointSecretRotated,
)
from tenantry.webhooks.models import ENDPOINT_ID, WhyDisabled


class EndpointThen(msgspec.Struct, frozen=True):
    """A webhook endpoint as it was; without where it is and what people said of it once that is erased."""

    id: UUID
    url: str | None
    description: str | None
    events: list[str]
    header_names: list[str] | None
    ordered: bool
    payload_version: date
    created_by: UUID
    created_at: datetime
    disabled_at: datetime | None
    disabled_why: WhyDisabled | None
    deleted_at: datetime | None
    version: int


endpoints = Fold(
    "webhook_endpoints",
    EndpointThen,
    ids={"id": ENDPOINT_ID, "created_by": USER_ID},
    erasable=("url", "description", "header_names"),
    left_out={
        "org_id": "whose history is folded",
        "sealed_headers": "secrets of the organization's receivers, which stand in no event",
    },
)


@endpoints.on(EndpointCreated)
def _created(rows: Rows[EndpointThen], said: Said[EndpointCreated]) -> None:
    one = said.event
    rows[one.endpoint_id] = EndpointThen(
        id=one.endpoint_id,
        url=said.details.get("url"),
        description=said.details.get("description"),
        events=list(one.events),
        header_names=_names(said.details.get("header_names")),
        ordered=one.ordered,
        payload_version=one.payload_version,
        created_by=one.created_by,
        created_at=said.at,
        disabled_at=None,
        disabled_why=None,
        deleted_at=None,
        version=1,
    )


def _names(text: str | None) -> list[str] | None:
    return None if text is None else text.split()


@endpoints.on(EndpointChanged)
def _changed(rows: Rows[EndpointThen], said: Said[EndpointChanged]) -> None:
    one = said.event
    rows[one.endpoint_id] = replace(
        rows[one.endpoint_id],
        url=said.details.get("url"),
        description=said.details.get("description"),
        events=list(one.events),
        header_names=_names(said.details.get("header_names")),
        ordered=one.ordered,
        payload_version=one.payload_version,
        version=one.version_after,
    )


@endpoints.on(EndpointSecretRotated)
def _rotated(rows: Rows[EndpointThen], said: Said[EndpointSecretRotated]) -> None:
    rows[said.event.endpoint_id] = replace(rows[said.event.endpoint_id], version=said.event.version_after)


@endpoints.on(EndpointDisabled)
def _disabled(rows: Rows[EndpointThen], said: Said[EndpointDisabled]) -> None:
    one = said.event
    before = rows[one.endpoint_id]
    rows[one.endpoint_id] = replace(before, disabled_at=said.at, disabled_why=one.why, version=one.version_after)


@endpoints.on(EndpointEnabled)
def _enabled(rows: Rows[EndpointThen], said: Said[EndpointEnabled]) -> None:
    one = said.event
    before = rows[one.endpoint_id]
    rows[one.endpoint_id] = replace(before, disabled_at=None, disabled_why=None, version=one.version_after)


@endpoints.on(EndpointDeleted)
def _deleted(rows: Rows[EndpointThen], said: Said[EndpointDeleted]) -> None:
    rows[said.event.endpoint_id] = replace(rows[said.event.endpoint_id], deleted_at=said.at)


@endpoints.on(EndpointForgotten)
def _forgotten(rows: Rows[EndpointThen], said: Said[EndpointForgotten]) -> None:
    del rows[said.event.endpoint_id]


FOLDS = (endpoints,)
