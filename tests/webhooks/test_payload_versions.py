"""Payload versions: an endpoint is told what the payload was on its day, and a registry refuses what leads nowhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from telling_kit import TRIAL, WITH_TRIAL, Telling
from told_trial import Labelled, Moved

from tenantry.assemble import DOMAINS
from tenantry.foundation import housekeeping
from tenantry.foundation.data.ids import USER_ID
from tenantry.foundation.domain import BadDomains, Registry
from tenantry.foundation.events.event import Event
from tenantry.foundation.events.told import fault_of, payload_in, version_on
from tenantry.foundation.events.versions import Unreadable, upcast
from tenantry.testing import Databases, Installation, installed

DAYS = [date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 28), date(2026, 3, 1)]


@pytest.fixture(scope="module")
async def house(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """A house with boxes."""
    folder: Path = tmp_path_factory.mktemp("versions")
    async with databases.fresh() as url, installed(url, folder, registry=WITH_TRIAL) as running:
        yield running


@pytest.fixture
async def telling(house: Installation) -> Telling:
    """An organization of one's own, with nothing before it to be read."""
    team = await house.team()
    await house.drain_consumers()
    return Telling(house, team)


def test_the_version_of_a_day_is_the_newest_that_had_come() -> None:
    assert [version_on(Moved, day) for day in DAYS] == [1, 2, 2, 3]


async def test_each_endpoint_is_told_in_the_version_of_its_day(telling: Telling) -> None:
    endpoints = [await telling.endpoint("box.*", day=day) for day in DAYS]
    mover = USER_ID.read(telling.team.owner.user_id)
    await telling.say(Moved(org_id=telling.org, moved_by=mover, to="attic", shelf=3))
    await telling.fanned_out()
    told = [(await telling.told(endpoint))[0] for endpoint in endpoints]
    assert [one["version"] for one in told] == [1, 2, 2, 3]
    ids = {"org_id": telling.team.org, "moved_by": telling.team.owner.user_id}
    assert told[0]["data"] == ids | {"where": "attic"}
    assert told[1]["data"] == told[2]["data"] == ids | {"to": "attic"}
    assert told[3]["data"] == ids | {"to": "attic", "shelf": 3}
    assert len({one["id"] for one in told}) == 1
    kept = await telling.house.rows("select version from tenantry.webhook_messages where org_id = $1", telling.org)
    assert sorted(row["version"] for row in kept) == [1, 2, 3]


async def test_what_was_written_in_an_older_version_is_told_in_a_newer_one(telling: Telling) -> None:
    old, new = await telling.endpoint("box.*", day=DAYS[0]), await telling.endpoint("box.*", day=DAYS[3])
    await telling.written("told_trial.moved", 1, {"org_id": str(telling.org), "moved_by": None, "where": "cellar"})
    await telling.fanned_out()
    org = {"org_id": telling.team.org, "moved_by": None}
    assert (await telling.told(old))[0]["data"] == org | {"where": "cellar"}
    assert (await telling.told(new))[0]["data"] == org | {"to": "cellar", "shelf": 0}


async def test_an_endpoint_whose_version_nothing_leads_to_has_failed_and_others_are_told(telling: Telling) -> None:
    old, new = await telling.endpoint("box.*", day=DAYS[0]), await telling.endpoint("box.*", day=DAYS[3])
    await telling.say(Labelled(org_id=telling.org, label="fragile"))
    await telling.fanned_out()
    assert (await telling.types(old), await telling.types(new)) == ([], ["box.labelled"])
    errors = await telling.house.rows("select error from tenantry.webhook_attempts where endpoint_id = $1", old)
    assert [row["error"] for row in errors] == ["This event cannot be told in version 1."]


def test_a_step_back_that_fails_says_which_and_no_value() -> None:
    with pytest.raises(Unreadable, match="the step from version 2 back to 1 raised LookupError"):
        payload_in(Labelled(org_id=uuid4(), label="secret"), 1)


def _declared(**said: Any) -> type[Event]:
    """A kind that says all this of itself, and belongs to nobody."""
    fields = said.pop("fields", [("org_id", UUID)])
    return msgspec.defstruct("Said", fields, bases=(Event,), namespace={"webhook": "box.said", **said}, kw_only=True)


WELL = {
    "version": 2,
    "since": {2: date(2026, 1, 1)},
    "downcasts": {1: dict},
    "earlier": {1: msgspec.Struct},
}


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ({}, None),
        ({"webhook": None, "fields": []}, None),
        (WELL, None),
        ({"webhook": "box.two_words.v2"}, None),
        ({"webhook": "boxsaid"}, "which is no type"),
        ({"webhook": "Box.said"}, "which is no type"),
        ({"webhook": "box.said.*"}, "which is no type"),
        ({"webhook": "box.said\n"}, "which is no type"),
        ({"fields": []}, "says in no org_id whom"),
        ({"fields": [("org_id", UUID | None)]}, "says in no org_id whom"),
        ({"fields": [("org_id", UUID), ("since", str)]}, "its field since hides"),
        (WELL | {"since": {}}, "`since` does not say"),
        (WELL | {"since": {1: date(2026, 1, 1), 2: date(2026, 1, 1)}}, "`since` does not say"),
        (WELL | {"downcasts": {}}, "`downcasts` does not lead back"),
        (WELL | {"earlier": {}}, "`earlier` does not have the fields"),
        (
            WELL | {"version": 3, "since": {2: date(2026, 2, 1), 3: date(2026, 1, 1)}},
            "came before the one before",
        ),
    ],
)
def test_what_cannot_be_told_as_it_is_declared_is_found(said: dict[str, Any], fault: str | None) -> None:
    found = fault_of(_declared(**said))
    assert found is None if fault is None else found is not None and fault in found


def test_a_registry_takes_no_event_that_cannot_be_told_and_no_type_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Labelled, "webhook", "nodots")
    with pytest.raises(BadDomains, match=r"the event told_trial\.labelled is told as 'nodots', which is no type"):
        Registry((*DOMAINS, TRIAL), jobs=housekeeping)
    monkeypatch.setattr(Labelled, "webhook", "member.joined")
    with pytest.raises(BadDomains, match=r"the webhook type member\.joined is declared twice"):
        Registry((*DOMAINS, TRIAL), jobs=housekeeping)


def test_every_step_back_gives_what_the_version_before_had(registry: Registry) -> None:
    for kind in (*registry.events, Moved):
        for version in kind.downcasts:
            fields = {field.name for field in msgspec.structs.fields(kind.earlier[version])}
            assert fields, f"{kind.kind} had nothing to say in version {version}"
    now = Moved(org_id=uuid4(), moved_by=None, to="attic", shelf=0)
    for version in (1, 2):
        before = payload_in(now, version)
        assert msgspec.to_builtins(msgspec.convert(before, Moved.earlier[version])) == before
        assert msgspec.convert(upcast(Moved, version, before), Moved) == now
