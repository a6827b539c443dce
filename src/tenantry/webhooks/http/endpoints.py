"""Webhook endpoints over HTTP: made, listed, changed, rotated, tried and deleted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import asdict

from tenantry.foundation.call import Call
from tenantry.foundation.data.ids import USER_ID
from tenantry.foundation.listing import ListAnswer, ListQuery
from tenantry.foundation.problems import FieldError, Invalid, NotFound, PlanNeeded, VersionMismatch
from tenantry.foundation.routes import Versioned
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork
from tenantry.webhooks import actions, exchanges, queries
from tenantry.webhooks.http.shapes import EndpointId, Instant, routes
from tenantry.webhooks.inputs import Description, EndpointUrl, EventTypes, Headers, Overlap, PayloadVersion
from tenantry.webhooks.models import ENDPOINT_ID, OVERLAP, EndpointShown, WhyDisabled
from tenantry.webhooks.permissions import WEBHOOKS_READ, WEBHOOKS_WRITE
from tenantry.webhooks.problems import EndpointIsDisabled, TooManyEndpointSecrets

ENDPOINTS = "/orgs/{org}/webhook-endpoints"
ENDPOINT = f"{ENDPOINTS}/{{endpoint}}"
IDS = {"endpoint": ENDPOINT_ID}
SHOWN: dict[str, Any] = {
    "id": "ep_01jd4w2q8nf6v9m3x5c7b1r0kt",
    "url": "https://hooks.example.com/tenantry",
    "description": "Our CRM",
    "events": ["member.*"],
    "header_names": ["X-Source"],
    "ordered": False,
    "payload_version": "2026-01-02",
    "status": "enabled",
    "disabled_why": None,
    "disabled_at": None,
    "failing_since": None,
    "old_secret_ends_at": None,
    "created_by": "usr_01jd4w2q8nf6v9m3x5c7b1r0kt",
    "created_at": "2026-01-02T03:04:05Z",
}
# of zeros, so that whoever looks for leaked secrets finds none in a document
NEW = SHOWN | {"secret": "whsec_" + 43 * "A" + "="}
ASKED = {
    "url": "https://hooks.example.com/tenantry",
    "events": ["member.*"],
    "description": "Our CRM",
    "headers": {"X-Source": "tenantry"},
}


class NewEndpoint(Wire):
    """Where to send to, and what; unless it says otherwise everything, in no order, as it is told today."""

    url: EndpointUrl
    events: EventTypes = msgspec.field(default_factory=list)
    description: Description = ""
    headers: Headers = msgspec.field(default_factory=dict)
    ordered: Annotated[bool, Meta(description="One after the other: what failed is tried until it arrives.")] = False
    payload_version: PayloadVersion | None = None


class EndpointChange(Wire):
    """What to change; what is left out stays."""

    described: ClassVar[Mapping[str, Any]] = {"minProperties": 1}
    url: EndpointUrl | UnsetType = UNSET
    events: EventTypes | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    headers: Headers | UnsetType = UNSET
    ordered: bool | UnsetType = UNSET
    payload_version: PayloadVersion | UnsetType = UNSET
    enabled: Annotated[bool, Meta(description="Whether anything is sent to it.")] | UnsetType = UNSET


class SecretRotation(Wire):
    """For how long the secret before signs as well; 0: it ends at once."""

    optional = True
    overlap_seconds: Overlap = int(OVERLAP.total_seconds())


class EndpointView(Wire):
    """A webhook endpoint; of its own headers the names, and never the values."""

    id: EndpointId
    url: str
    description: str
    events: list[str]
    header_names: list[str]
    ordered: bool
    payload_version: date
    status: Literal["enabled", "disabled"]
    disabled_why: Annotated[
        WhyDisabled | None,
        Meta(description="Somebody asked for it, it said that it is gone (410), or it failed for five days."),
    ]
    disabled_at: Instant | None
    failing_since: Annotated[Instant | None, Meta(description="Nothing has arrived since.")]
    old_secret_ends_at: Annotated[
        Instant | None, Meta(description="Until when what is sent is signed with a secret of before as well.")
    ]
    created_by: str
    created_at: Instant


class NewEndpointView(EndpointView):
    """A webhook endpoint with its secret, which is shown this once."""

    secret: str


class EndpointQuery(ListQuery):
    """The newest first."""

    order: Literal["-created_at"] = "-created_at"


class EndpointList(ListAnswer):
    """A part of the list of webhook endpoints."""

    items: list[EndpointView]


@routes.get(ENDPOINTS, requires=WEBHOOKS_READ, answer_example={"items": [SHOWN], "next": None})
async def endpoints(work: OrgWork, query: EndpointQuery) -> EndpointList:
    """The webhook endpoints of the organization."""
    found, after = await queries.endpoints.read(work, query, org_id=work.org)
    return EndpointList(items=[EndpointView(**_facts(one)) for one in found], next=after)


@routes.post(
    ENDPOINTS,
    requires=WEBHOOKS_WRITE,
    status=201,
    problems=(PlanNeeded,),
    example=ASKED,
    answer_example=NEW,
    shows_secret=True,
)
async def create_endpoint(call: Call, body: NewEndpoint) -> NewEndpointView:
    """Have the organization told what happens at one more place; the secret that signs it is shown this once."""
    return _new(await exchanges.create_endpoint(call, **asdict(body)))


@routes.get(ENDPOINT, requires=WEBHOOKS_READ, ids=IDS, answer_example=SHOWN)
async def endpoint(work: OrgWork, endpoint: UUID) -> Versioned[EndpointView]:
    """A webhook endpoint."""
    found = await queries.endpoint_if_any(work, org_id=work.org, endpoint_id=endpoint)
    if found is None:
        raise NotFound
    return _shown(found)


@routes.patch(
    ENDPOINT,
    requires=WEBHOOKS_WRITE,
    ids=IDS,
    problems=(VersionMismatch,),
    example={"events": ["member.*"]},
    answer_example=SHOWN,
)
async def change_endpoint(
    call: Call, endpoint: UUID, body: EndpointChange, if_match: int | None
) -> Versioned[EndpointView]:
    """Change where an endpoint is, what it is told and how, or whether it is enabled."""
    changes = {name: given for name, given in asdict(body).items() if given is not UNSET}
    if not changes:
        raise Invalid(errors=(FieldError("body", "needs at least one field to change"),))
    return _shown(await exchanges.change_endpoint(call, endpoint_id=endpoint, version=if_match, **changes))


@routes.delete(ENDPOINT, requires=WEBHOOKS_WRITE, ids=IDS, status=204, even_restricted=True)
async def delete_endpoint(work: OrgWork, endpoint: UUID) -> None:
    """Do away with an endpoint: nothing is sent to it from now on, and what there is about it is removed soon."""
    await actions.delete_endpoint(work, endpoint_id=endpoint)


@routes.post(
    f"{ENDPOINT}/rotation",
    requires=WEBHOOKS_WRITE,
    ids=IDS,
    problems=(TooManyEndpointSecrets,),
    example={"overlap_seconds": 3600},
    answer_example=NEW,
    shows_secret=True,
)
async def rotate_secret(work: OrgWork, endpoint: UUID, body: SecretRotation) -> NewEndpointView:
    """Give an endpoint another secret; the one before signs as well until the overlap is over, a day if not said."""
    overlap = timedelta(seconds=body.overlap_seconds)
    return _new(await actions.rotate_secret(work, endpoint_id=endpoint, overlap=overlap))


@routes.post(f"{ENDPOINT}/test", requires=WEBHOOKS_WRITE, ids=IDS, status=202, problems=(EndpointIsDisabled,))
async def try_endpoint(work: OrgWork, endpoint: UUID) -> None:
    """Have an endpoint sent a `webhook_endpoint.tested`, whatever it wants to be told."""
    await actions.try_endpoint(work, endpoint_id=endpoint)


def _new(made: actions.NewSecret) -> NewEndpointView:
    return NewEndpointView(**_facts(made.endpoint), secret=made.secret.reveal())


def _shown(one: EndpointShown) -> Versioned[EndpointView]:
    return Versioned(EndpointView(**_facts(one)), one.version)


def _facts(one: EndpointShown) -> dict[str, Any]:
    facts = asdict(one) | {
        "id": ENDPOINT_ID.text(one.id),
        "created_by": USER_ID.text(one.created_by),
        "status": "enabled" if one.disabled_at is None else "disabled",
    }
    return {name: facts[name] for name in EndpointView.__struct_fields__}
