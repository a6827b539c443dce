"""Webhook endpoints: made where the house may go, with a secret shown once; changed, disabled and deleted."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import pytest
from receiving import Receiver
from webhook_kit import Hook, happen, hooked, hooks_path, make_hook, recorded_about

from tenantry.foundation.domain import Registry
from tenantry.foundation.net.egress import OURS, Egress
from tenantry.foundation.security.sealing import place
from tenantry.testing import Databases, Installation, Team
from tenantry.webhooks import events

Reaching = tuple[Installation, Receiver]
PLANS = """
default = "free"

[limits]
webhook_endpoints = "Webhook endpoints"

[[plans]]
key = "free"
name = "Free"
limits = { webhook_endpoints = 2 }
"""


async def test_the_secret_of_an_endpoint_is_shown_once_and_kept_sealed(hook: Hook) -> None:
    assert hook.secret.startswith("whsec_")
    secret = base64.b64decode(hook.secret.removeprefix("whsec_"))
    assert len(secret) == 32
    listed = await hook.who.get(hooks_path(hook.org))
    assert listed.json["items"] == [await hook.seen()]
    assert "secret" not in await hook.seen()
    [row] = await hook.house.rows("select * from tenantry.webhook_secrets where endpoint_id = $1", hook.uuid)
    assert secret not in row["sealed_secret"]
    where = place("webhook_secrets", "sealed_secret", org=hook.org_uuid, row=row["id"])
    assert hook.house.runtime.sealer.open(row["sealed_secret"], aad=where) == secret


async def test_an_endpoint_asked_for_twice_under_one_key_is_made_once_and_its_secret_shown_once(
    reaching: Reaching, team: Team
) -> None:
    _, receiver = reaching
    headers = {"idempotency-key": "an-endpoint"}
    first = await team.owner.post(hooks_path(team.org), {"url": receiver.url}, headers=headers)
    again = await team.owner.post(hooks_path(team.org), {"url": receiver.url}, headers=headers)
    assert (first.status, again.status, again.code) == (201, 409, "secret_already_shown")
    assert again.json["id"] == first.json["id"]
    assert first.json["secret"] not in again.body.decode()
    assert len((await team.owner.get(hooks_path(team.org))).json["items"]) == 1


async def test_what_an_endpoint_is_unless_it_says_otherwise(reaching: Reaching, team: Team) -> None:
    house, receiver = reaching
    made = await make_hook(house, team.owner, team.org, receiver.url)
    [row] = await house.rows("select (tenantry.now() at time zone 'UTC')::date as today")
    facts = await made.seen()
    assert (facts["events"], facts["header_names"], facts["ordered"], facts["description"]) == ([], [], False, "")
    assert (facts["status"], facts["disabled_why"], facts["failing_since"]) == ("enabled", None, None)
    assert facts["payload_version"] == row["today"].isoformat()
    assert facts["created_by"] == team.owner.user_id
    [said] = await recorded_about(house, events.EndpointCreated, made)
    assert "secret" not in str(said) + str(receiver.url)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/", "https://10.0.0.1/", "https://[::1]/", "https://169.254.169.254/latest", "ftp://x.org/",
        "http://example.com/", "https://user:word@example.com/", "https://localhost/", "nonsense", "https://2130706433/",
    ],
)  # fmt: skip
async def test_an_endpoint_is_nowhere_but_on_the_public_internet(hook: Hook, url: str) -> None:
    for answer in (
        await hook.who.post(hooks_path(hook.org), {"url": url}),
        await hook.who.patch(hook.path, {"url": url}),
    ):
        assert (answer.status, answer.code) == (422, "invalid")
        assert [one["at"] for one in answer.json["errors"]] == ["body.url"]
    assert (await hook.seen())["url"] == hook.said["url"]
    assert len((await hook.who.get(hooks_path(hook.org))).json["items"]) == 1


async def test_nothing_is_open_or_held_while_addresses_are_asked_for(
    reaching: Reaching, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, receiver = reaching
    asked = list[tuple[str, int]]()

    async def vet(self: Egress, url: str) -> None:
        asked.append((url, house.runtime.database.pool.in_use))

    monkeypatch.setattr(Egress, "vet", vet)
    await make_hook(house, hook.who, hook.org, receiver.url)
    assert (await hook.who.patch(hook.path, {"url": f"{receiver.url}?other"})).status == 200
    assert asked == [(receiver.url, 0), (f"{receiver.url}?other", 0)]


async def test_nobody_is_asked_for_addresses_who_would_be_refused_anyway(
    reaching: Reaching, team: Team, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, receiver = reaching

    async def vet(self: Egress, url: str) -> None:
        raise AssertionError("asked")

    monkeypatch.setattr(Egress, "vet", vet)
    for who, refused in ((team.member, 403), (team.stranger, 404)):
        assert (await who.post(hooks_path(team.org), {"url": receiver.url})).status == refused
        assert (await who.patch(hook.path, {"url": receiver.url})).status == refused
    nowhere = f"{hooks_path(team.org)}/ep_01jd4w2q8nf6v9m3x5c7b1r0kt"
    assert (await team.owner.patch(nowhere, {"url": receiver.url})).status == 404
    assert (await team.owner.patch(hook.path, {"events": []})).status == 200
    stale = {"if-match": '"not-its-version"'}
    assert (await team.owner.patch(hook.path, {"url": receiver.url}, headers=stale)).status in {400, 412}


async def test_an_endpoint_is_told_types_that_there_are(reaching: Reaching, team: Team) -> None:
    _, receiver = reaching
    for given, faults in (
        (["member.joined", "member.*", "member.joined"], []),
        (["member.danced"], ["body.events[0]"]),
        (["member.joined", "nothing.*"], ["body.events[1]"]),
        (["mem.*"], ["body.events[0]"]),
    ):
        answer = await team.owner.post(hooks_path(team.org), {"url": receiver.url, "events": given})
        if faults:
            assert answer.status == 422
            assert [one["at"] for one in answer.json["errors"]] == faults
        else:
            assert answer.json["events"] == ["member.joined", "member.*"]
    for malformed in ("*", "Member.joined", "member", "member.*.x", "member.joined\n", ".*"):
        answer = await team.owner.post(hooks_path(team.org), {"url": receiver.url, "events": [malformed]})
        assert answer.status == 422, malformed


FORBIDDEN = [
    "Host", "content-length", "Content-Type", "Transfer-Encoding", "connection", "TE", "Trailer", "Upgrade", "Expect",
    "Cookie", "Set-Cookie", "Proxy-Authorization", "Forwarded", "X-Forwarded-For", "webhook-id", "Webhook-Signature",
    "User-Agent", "traceparent", "tracestate", "Accept-Encoding", "Sec-Fetch-Site", "", "X Y", "X:Y", "X\r\nY", "1X",
    "Ä", "X" * 65, *sorted(OURS),
]  # fmt: skip


@pytest.mark.parametrize("name", FORBIDDEN)
async def test_a_header_that_frames_the_request_or_is_ours_is_refused_by_its_name(hook: Hook, name: str) -> None:
    answer = await hook.who.patch(hook.path, {"headers": {"X-Fine": "yes", name: "no"}})
    assert answer.status == 422
    assert [one["at"] for one in answer.json["errors"]] == [f"body.headers.{name[:64]}"]


@pytest.mark.parametrize("value", ["", "a\r\nX-Evil: b", "a\nb", "a\tb", " a", "a ", "ä", "x" * 1025, "\x7f"])
async def test_a_header_has_a_plain_value(hook: Hook, value: str) -> None:
    answer = await hook.who.patch(hook.path, {"headers": {"X-Secret": value}})
    assert answer.status == 422
    assert [one["at"] for one in answer.json["errors"]] == ["body.headers.X-Secret"]


async def test_headers_are_few_and_each_is_there_once(hook: Hook) -> None:
    many = {f"X-Number-{number}": "x" for number in range(11)}
    assert (await hook.who.patch(hook.path, {"headers": many})).status == 422
    assert (await hook.who.patch(hook.path, {"headers": {"X-Same": "a", "x-same": "b"}})).status == 422
    many.popitem()
    assert (await hook.who.patch(hook.path, {"headers": many})).status == 200


async def test_the_value_of_a_header_is_sent_and_never_shown(reaching: Reaching, team: Team) -> None:
    house, receiver = reaching
    receiver.heard.clear()
    given = {"Authorization": "Bearer of-the-receiver", "X-Source": "x" * 1024}
    made = await make_hook(house, team.owner, team.org, receiver.url, headers=given, events=["member.joined"])
    assert made.said["header_names"] == ["Authorization", "X-Source"]
    await happen(house, team)
    assert await house.deliver() == 1
    [heard] = receiver.heard
    assert given.items() <= heard.headers.items()
    assert "of-the-receiver" not in str(made.said) + str(await made.seen())
    for table in ("webhook_endpoints", "events", "details", "audit_log"):
        rows = await house.rows(f"select t::text from tenantry.{table} as t")
        assert "of-the-receiver" not in str(rows), table
        assert b"of-the-receiver".hex() not in str(rows), table
    assert (await team.owner.patch(made.path, {"headers": {}})).json["header_names"] == []
    await happen(house, team)
    assert await house.deliver() == 1
    assert "X-Source" not in receiver.heard[-1].headers


async def test_a_day_that_has_not_come_pins_no_payload(hook: Hook) -> None:
    assert (await hook.who.patch(hook.path, {"payload_version": "9999-01-01"})).status == 422
    assert (await hook.who.patch(hook.path, {"payload_version": "2026-01-02"})).json["payload_version"] == "2026-01-02"
    post = await hook.who.post(hooks_path(hook.org), {"url": hook.said["url"], "payload_version": "9999-01-01"})
    assert [one["at"] for one in post.json["errors"]] == ["body.payload_version"]


async def test_an_organization_has_twenty_endpoints_where_its_plan_says_nothing(reaching: Reaching, team: Team) -> None:
    _, receiver = reaching
    made = [await team.owner.post(hooks_path(team.org), {"url": receiver.url}) for _ in range(21)]
    assert [one.status for one in made] == [201] * 20 + [402]
    assert made[-1].json["allowed"] == 20
    await team.owner.delete(f"{hooks_path(team.org)}/{made[0].json['id']}")
    assert (await team.owner.post(hooks_path(team.org), {"url": receiver.url})).status == 201


async def test_of_many_at_once_as_many_are_made_as_the_plan_has_room_for(
    databases: Databases, registry: Registry, tmp_path: Path
) -> None:
    plans = tmp_path / "plans.toml"
    plans.write_text(PLANS)
    environ = {"TENANTRY_PLAN_FILE": str(plans)}
    async with databases.fresh() as url, hooked(url, tmp_path, registry, **environ) as (house, receiver):
        team = await house.team()
        asked = (team.owner.post(hooks_path(team.org), {"url": receiver.url}) for _ in range(6))
        answers = await asyncio.gather(*asked)
        assert sorted(answer.status for answer in answers) == [201, 201, 402, 402, 402, 402]
        quotas = {one["limit"]: one for one in (await team.owner.get(f"{team.path}/quotas")).json["items"]}
        taken = quotas["webhook_endpoints"]
        assert (taken["used"], taken["allowed"]) == (2, 2)


async def test_a_change_says_what_it_changed_and_whoever_saw_another_version_is_refused(hook: Hook) -> None:
    tag = (await hook.who.get(hook.path)).headers["etag"]
    body = {"events": ["member.*"], "description": "Our CRM", "ordered": True}
    answer = await hook.who.patch(hook.path, body, headers={"if-match": tag})
    assert answer.status == 200
    assert body.items() <= answer.json.items()
    again = await hook.who.patch(hook.path, body, headers={"if-match": tag})
    assert (again.status, again.code) == (412, "version_mismatch")
    assert (await hook.who.patch(hook.path, {"url": hook.said["url"]}, headers={"if-match": tag})).status == 412
    assert (await hook.who.patch(hook.path, body, headers={"if-match": answer.headers["etag"]})).status == 200
    assert (await hook.who.patch(hook.path, {})).status == 422
    [said] = await recorded_about(hook.house, events.EndpointChanged, hook)
    assert (said["fields"], said["version_after"]) == (["description", "events", "ordered"], 2)
    assert (said["events"], said["ordered"]) == (["member.*"], True)


async def test_a_disabled_endpoint_keeps_what_waits_and_goes_on_when_it_is_enabled(
    reaching: Reaching, team: Team, hook: Hook
) -> None:
    house, receiver = reaching
    receiver.answer(500)
    await happen(house, team)
    await house.deliver()
    assert (await hook.who.patch(hook.path, {"enabled": False})).json["disabled_why"] == "asked"
    assert (await hook.seen())["status"] == "disabled"
    await hook.by_hand("update tenantry.webhook_due set due_at = tenantry.now() where org_id = $1 and endpoint_id = $2")
    await happen(house, team)
    assert await house.deliver() == 0
    assert await hook.states() == ["pending"]
    for path in ("test", f"deliveries/{(await hook.deliveries())[0]['id']}/retry"):
        assert (await hook.who.post(f"{hook.path}/{path}")).code == "endpoint_disabled"
    span = {"since": "2026-01-02T00:00:00Z", "which": "all"}
    assert (await hook.who.post(f"{hook.path}/replay", span)).code == "endpoint_disabled"
    assert (await hook.who.patch(hook.path, {"enabled": True})).json["status"] == "enabled"
    assert await house.deliver() == 1
    assert await hook.states() == ["delivered"]


async def test_disabling_and_enabling_what_is_so_already_records_nothing(hook: Hook) -> None:
    for enabled in (True, False, False, True, True):
        assert (await hook.who.patch(hook.path, {"enabled": enabled})).status == 200
    [off] = await recorded_about(hook.house, events.EndpointDisabled, hook)
    [on] = await recorded_about(hook.house, events.EndpointEnabled, hook)
    assert (off["why"], off["version_after"], on["version_after"]) == ("asked", 2, 3)


async def test_an_endpoint_that_is_enabled_is_as_if_it_had_never_failed_and_due_when_its_first_is(
    reaching: Reaching, team: Team, hook: Hook
) -> None:
    house, receiver = reaching
    receiver.answer(500, 500)
    await happen(house, team, 2)
    await house.deliver()
    await hook.who.patch(hook.path, {"enabled": False})
    await hook.by_hand(
        """
        update tenantry.webhook_lanes
           set failures = 9, failing_since = tenantry.now(), paused_until = tenantry.now() + interval '1 hour'
         where org_id = $1 and endpoint_id = $2
        """
    )
    assert (await hook.seen())["failing_since"] is not None
    assert (await hook.lane())["due_at"] is None
    await hook.who.patch(hook.path, {"enabled": True})
    lane = await hook.lane()
    assert (lane["failures"], lane["failing_since"], lane["paused_until"]) == (0, None, None)
    [[least]] = await house.rows(
        "select min(due_at) from tenantry.webhook_due where endpoint_id = $1 having count(*) = 2", hook.uuid
    )
    assert lane["due_at"] == least
    assert (await hook.seen())["failing_since"] is None


async def test_a_deleted_endpoint_is_nowhere_any_more_and_everything_about_it_is_removed(
    reaching: Reaching, team: Team, hook: Hook
) -> None:
    house, receiver = reaching
    other = await make_hook(house, team.owner, team.org, receiver.url, events=["member.joined"])
    receiver.answer(500, 500)
    await happen(house, team)
    await house.deliver()
    [delivery] = await hook.deliveries()
    assert (await hook.who.delete(hook.path)).status == 204
    for answer in (
        await hook.who.get(hook.path),
        await hook.who.patch(hook.path, {"events": []}),
        await hook.who.delete(hook.path),
        await hook.who.post(f"{hook.path}/rotation"),
        await hook.who.post(f"{hook.path}/test"),
        await hook.who.post(f"{hook.path}/replay", {"since": "2026-01-02T00:00:00Z", "which": "all"}),
        await hook.who.get(f"{hook.path}/deliveries"),
        await hook.who.get(f"{hook.path}/deliveries/{delivery['id']}"),
        await hook.who.post(f"{hook.path}/deliveries/{delivery['id']}/retry"),
    ):
        assert (answer.status, answer.code) == (404, "not_found")
    assert [one["id"] for one in (await hook.who.get(hooks_path(hook.org))).json["items"]] == [other.id]
    assert await hook.count("webhook_secrets") == 0
    assert (await hook.lane())["due_at"] is None
    await house.drain_jobs()
    for table in ("webhook_lanes", "webhook_due", "webhook_deliveries", "webhook_attempts"):
        assert (await hook.count(table), await other.count(table)) == (0, 1), table
    assert not await house.rows("select from tenantry.webhook_endpoints where id = $1", hook.uuid)
    assert len(await recorded_about(house, events.EndpointForgotten, hook)) == 1


async def test_a_test_is_sent_to_one_endpoint_alone_whatever_it_wants_to_be_told(
    reaching: Reaching, team: Team, hook: Hook
) -> None:
    house, receiver = reaching
    await make_hook(house, team.owner, team.org, receiver.url, events=["member.joined"])
    assert (await hook.who.post(f"{hook.path}/test")).status == 202
    assert await house.deliver() == 1
    [heard] = receiver.heard
    assert heard.json["type"] == "webhook_endpoint.tested"
    assert heard.json["data"]["endpoint_id"] == hook.id
