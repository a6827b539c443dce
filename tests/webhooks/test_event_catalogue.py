"""The catalogue: every type with its schema, for everybody, and what is really told fits it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from telling_kit import WITH_TRIAL, Telling
from told_trial import Moved

from tenantry.foundation.data.ids import USER_ID
from tenantry.testing import Databases, Installation, installed


@pytest.fixture(scope="module")
async def house(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """A house with boxes."""
    folder: Path = tmp_path_factory.mktemp("catalogue")
    async with databases.fresh() as url, installed(url, folder, registry=WITH_TRIAL) as running:
        yield running


async def _catalogue(house: Installation, query: str = "") -> dict[str, Any]:
    answer = await house.client.get(f"/v1/webhook-event-types{query}")
    assert answer.status == 200, answer
    assert [one["type"] for one in answer.json["items"]] == sorted(one["type"] for one in answer.json["items"])
    return {one["type"]: one for one in answer.json["items"]}


def _validator(entry: dict[str, Any]) -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(entry["schema"])
    return jsonschema.Draft202012Validator(entry["schema"], format_checker=jsonschema.FormatChecker())


async def test_everybody_can_see_each_type_that_is_told_and_none_that_is_not(house: Installation) -> None:
    known = await _catalogue(house)
    assert set(known) == {kind.webhook for kind in WITH_TRIAL.events if kind.webhook}
    assert {"member.joined", "invoice.paid", "quota.crossed", "box.moved"} <= set(known)
    assert known["member.joined"]["sentence"] == "A person became a member of an organization."
    for entry in known.values():
        _validator(entry)
    # what is the house's own, or a step on the way, is told to nobody
    kinds = {kind.kind for kind in WITH_TRIAL.events if kind.webhook}
    assert not kinds & {
        "billing.subscription_change_asked", "billing.subscription_doubled", "billing.customer_gone",
        "orgs.invite_forgotten", "api_keys.key_forgotten", "webhooks.deliveries_replayed",
    }  # fmt: skip


async def test_ids_are_described_as_they_are_sent(house: Installation) -> None:
    data = (await _catalogue(house))["invite.declined"]["schema"]["properties"]["data"]
    assert data["properties"]["invite_id"] == {"type": "string", "pattern": "^inv_[0-9a-z]{26}$"}
    assert {"type": "string", "pattern": "^usr_[0-9a-z]{26}$"} in data["properties"]["user_id"]["anyOf"]
    assert data["required"] == ["org_id", "invite_id", "user_id"]


@pytest.mark.parametrize(
    ("query", "version", "fields"),
    [
        ("", 3, ["org_id", "moved_by", "to", "shelf"]),
        ("?payload_version=2026-02-28", 2, ["org_id", "moved_by", "to"]),
        ("?payload_version=2025-12-31", 1, ["org_id", "moved_by", "where"]),
    ],
)
async def test_a_type_is_described_as_it_is_told_to_who_is_pinned_to_a_day(
    house: Installation, query: str, version: int, fields: list[str]
) -> None:
    entry = (await _catalogue(house, query))["box.moved"]
    assert entry["version"] == entry["schema"]["properties"]["version"]["const"] == version
    assert list(entry["schema"]["properties"]["data"]["properties"]) == fields


async def test_what_is_really_told_fits_the_catalogue(house: Installation) -> None:
    # before anything is read: what has happened to the organization until now is told too
    telling = Telling(house, await house.team())
    days = [date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)]
    endpoints = [await telling.endpoint(day=day) for day in days]
    owner, path = telling.team.owner, telling.team.path
    await owner.post(f"{path}/invites", {"email": "dan@catalogue.example", "role": "member"})
    tag = (await owner.get(path)).headers["etag"]
    assert (await owner.patch(path, {"name": "Acme 2"}, headers={"if-match": tag})).status == 200
    key = {"name": "CI", "scopes": ["members:read"], "kind": "service"}
    assert (await owner.post(f"{path}/api-keys", key)).status == 201
    await telling.say(Moved(org_id=telling.org, moved_by=USER_ID.read(owner.user_id), to="attic", shelf=1))
    assert (await owner.post(f"{path}/ownership-transfer", {"user_id": telling.team.admin.user_id})).status == 200
    await telling.fanned_out()
    for day, endpoint in zip(days, endpoints, strict=True):
        known = await _catalogue(house, f"?payload_version={day}")
        told = await telling.told(endpoint)
        assert {"member.joined", "invite.sent", "org.changed", "api_key.created", "ownership.transferred",
                "box.moved"} <= {one["type"] for one in told}  # fmt: skip
        for body in told:
            _validator(known[body["type"]]).validate(body)
        # the judge judges
        broken = json.loads(json.dumps(told[0]))
        broken["data"]["org_id"] = str(telling.org)
        with pytest.raises(jsonschema.ValidationError):
            _validator(known[broken["type"]]).validate(broken)
