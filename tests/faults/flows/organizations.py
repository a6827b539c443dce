"""Founding an organization under a key, closing it and opening it again: said, mailed about and true, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

from faults.app import Stage
from faults.flow import Flow, Told
from tenantry.testing import Client, Response

from .people import somebody


@dataclass(frozen=True)
class Founded:
    """An organization, by its owner, its path and its slug."""

    owner: Client
    path: str
    slug: str


@dataclass(frozen=True)
class Founder:
    """Somebody who founds an organization, and the idempotency key that they do it under."""

    person: Client
    key: str


async def _founder(stage: Stage) -> Founder:
    return Founder(await somebody(stage), str(uuid4()))


async def _found(stage: Stage, founder: Founder) -> Response:
    client = stage.client.signed_in(founder.person.tokens)
    return await client.post("/v1/orgs", {"name": "Acme"}, headers={"idempotency-key": founder.key})


async def _has_one_as_answered(told: Told[Founder]) -> None:
    assert len({answer.body for answer in told.given(201)}) == 1
    listed = await told.stage.client.signed_in(told.subject.person.tokens).get("/v1/orgs")
    assert [one["id"] for one in listed.json["items"]] == [told.retried.json["id"]]


async def _founded(stage: Stage) -> Founded:
    owner = await somebody(stage)
    answer = await owner.post("/v1/orgs", {"name": "Acme"})
    assert answer.status == 201, answer
    return Founded(owner, f"/v1/orgs/{answer.json['id']}", answer.json["slug"])


async def _closed(stage: Stage) -> Founded:
    founded = await _founded(stage)
    assert (await founded.owner.post(f"{founded.path}/closure", {"slug": founded.slug})).status == 200
    await stage.behind.drain_jobs()
    return founded


async def _close(stage: Stage, founded: Founded) -> Response:
    return await stage.client.signed_in(founded.owner.tokens).post(f"{founded.path}/closure", {"slug": founded.slug})


async def _reopen(stage: Stage, founded: Founded) -> Response:
    client = stage.client.signed_in(founded.owner.tokens)
    return await client.delete(f"{founded.path}/closure", body={"slug": founded.slug})


async def _members(told: Told[Founded]) -> Response:
    client = told.stage.client.signed_in(told.subject.owner.tokens)
    return await client.get(f"{told.subject.path}/members")


async def _is_closed(told: Told[Founded]) -> None:
    assert (await _members(told)).code == "org_closed"


async def _is_open(told: Told[Founded]) -> None:
    assert (await _members(told)).status == 200


FOUNDING = (
    Flow(
        "founding an organization under a key",
        ("+ members", "+ kept answers", "+ event orgs.org_created", "+ event orgs.member_joined"),
        _founder,
        _found,
        _has_one_as_answered,
        success=201,
    ),
)
CLOSING_ORGS = (
    Flow(
        "closing an organization",
        ("+ closed organizations", "+ event orgs.org_closed", "+ jobs"),
        _founded,
        _close,
        _is_closed,
        repeated=403,
    ),
    Flow(
        "opening an organization again",
        ("- closed organizations", "+ event orgs.org_reopened", "+ jobs"),
        _closed,
        _reopen,
        _is_open,
        repeated=409,
    ),
)
