"""`tenantry webhooks` as an operator types it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from receiving import Receiver
from webhook_kit import Hook, happen

from commands import run
from tenantry.testing import Installation, Team

Reaching = tuple[Installation, Receiver]
NOBODYS = "ep_01jd4w2q8nf6v9m3x5c7b1r0kt"


async def webhooks(house: Installation, *words: str) -> subprocess.CompletedProcess[str]:
    return await run([sys.executable, "-m", "tenantry", "webhooks", *words, "--json"], house)


async def answer(house: Installation, *words: str) -> Any:
    done = await webhooks(house, *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def test_endpoints_are_listed_and_shown_without_their_secrets(reaching: Reaching, hook: Hook) -> None:
    house, _ = reaching
    [one] = (await answer(house, "list", "--org", hook.org))["endpoints"]
    assert (one["endpoint"], one["org"], one["status"]) == (hook.id, hook.org, "enabled")
    assert await answer(house, "show", "--endpoint", hook.id) == one
    done = await webhooks(house, "list")
    assert hook.id in done.stdout
    assert hook.secret not in done.stdout
    assert (await answer(house, "list", "--org", hook.org, "--disabled"))["endpoints"] == []
    assert (await webhooks(house, "show", "--endpoint", NOBODYS)).returncode == 1
    for words in (("show", "--endpoint", "nonsense"), ("list", "--org", "nonsense")):
        assert (await webhooks(house, *words)).returncode == 2


async def test_an_endpoint_is_disabled_and_enabled_by_an_operator(reaching: Reaching, team: Team, hook: Hook) -> None:
    house, _ = reaching
    assert await answer(house, "disable", "--endpoint", hook.id) == {"endpoint": hook.id, "changed": True}
    assert (await webhooks(house, "disable", "--endpoint", hook.id)).returncode == 1
    assert (await hook.seen())["disabled_why"] == "asked"
    assert [one["endpoint"] for one in (await answer(house, "list", "--disabled"))["endpoints"]] == [hook.id]
    assert (await answer(house, "enable", "--endpoint", hook.id))["changed"]
    assert (await webhooks(house, "enable", "--endpoint", hook.id)).returncode == 1
    [entry] = (await team.owner.get(f"{team.path}/audit-log?action=webhooks:endpoint:disabled")).json["items"]
    assert (entry["actor"]["kind"], entry["after"]) == ("cli", {"why": "asked"})


async def test_deliveries_are_listed_retried_and_replayed_by_an_operator(
    reaching: Reaching, team: Team, hook: Hook
) -> None:
    house, receiver = reaching
    ids = await happen(house, team, 2)
    receiver.answer(500, 200)
    await house.deliver()
    listed = (await answer(house, "deliveries", "--endpoint", hook.id))["deliveries"]
    assert [one["delivery"] for one in listed] == ids[::-1]
    [waits] = (await answer(house, "deliveries", "--endpoint", hook.id, "--state", "pending"))["deliveries"]
    again = await answer(house, "retry", "--endpoint", hook.id, "--delivery", waits["delivery"])
    assert (again["state"], again["attempts"]) == ("pending", 1)
    await house.deliver()
    assert await hook.states() == ["delivered"] * 2
    receiver.heard.clear()
    span = ("--from", hook.said["created_at"], "--which", "all")
    job = (await answer(house, "replay", "--endpoint", hook.id, *span))["job"]
    refused = await webhooks(house, "replay", "--endpoint", hook.id, *span)
    assert refused.returncode == 1
    await house.drain_jobs()
    assert (await team.owner.get(f"{team.path}/jobs/{job}")).json["state"] == "done"
    await house.deliver()
    assert receiver.ids == ids
    for words in (
        ("deliveries", "--endpoint", hook.id, "--state", "lost"),
        ("deliveries", "--endpoint", hook.id, "--limit", "0"),
        ("retry", "--endpoint", hook.id, "--delivery", "nonsense"),
        ("replay", "--endpoint", hook.id, "--from", "yesterday"),
        ("replay", "--endpoint", hook.id, "--from", hook.said["created_at"], "--which", "some"),
    ):
        assert (await webhooks(house, *words)).returncode == 2, words
