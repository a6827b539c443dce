"""`tenantry billing notices` as an operator types it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from billing_kit import TinyStripe, customer_of, event, notice, subscription, subscription_row, tell
from typer.testing import CliRunner

from tenantry.assemble import build_runtime
from tenantry.entrypoints.cli import build
from tenantry.entrypoints.cli.assembly import Assembly
from tenantry.settings import Reading
from tenantry.testing import Installation


async def _tenantry(house: Installation, *words: str) -> Any:
    """The command on the same database, in a process's own loop."""

    class Same(Assembly):
        def registry(self) -> Any:
            return house.registry

        def equip(self) -> Any:
            runtime = house.runtime
            reading = Reading(settings=runtime.settings, sections=runtime.sections, sources={}, unknown=())
            return build_runtime(reading, house.registry), house.registry

    app = build(Same(lambda: None))
    return await asyncio.to_thread(CliRunner().invoke, app, ["billing", "notices", *words])


async def test_a_notice_about_nobody_is_found_looked_at_and_applied_once_more(
    billed: Installation, tiny: TinyStripe
) -> None:
    tiny.has("subscriptions/sub_1", subscription("sub_1", "cus_late"))
    told = event("customer.subscription.created", {"id": "sub_1", "customer": "cus_late"})
    await tell(billed, told)
    await billed.drain_jobs()
    listed = await _tenantry(billed, "list", "--state", "orphaned", "--json")
    assert listed.exit_code == 0, listed.output
    assert [one["id"] for one in json.loads(listed.stdout)["notices"]] == [told["id"]]
    shown = json.loads((await _tenantry(billed, "show", "--id", told["id"], "--json")).stdout)
    assert (shown["about"], shown["customer"], shown["attempts"]) == ("subscription sub_1", "cus_late", 1)
    assert json.loads(shown["payload"]) == told

    customer = await customer_of(billed, await billed.team())
    tiny.has("subscriptions/sub_1", subscription("sub_1", customer))
    replayed = await _tenantry(billed, "replay", "--id", told["id"])
    assert replayed.exit_code == 0, replayed.output
    await billed.drain_jobs()
    assert (await subscription_row(billed, "sub_1"))["status"] == "active"
    assert (await notice(billed, told))["state"] == "applied"
    [row] = await billed.rows("select after from tenantry.audit_log where action = 'billing:notice:replayed'")
    assert json.loads(row["after"])["notice"] == told["id"]
    again = await _tenantry(billed, "replay", "--id", told["id"])
    assert again.exit_code == 1, again.output


async def test_everything_that_failed_is_replayed_at_once(billed: Installation, tiny: TinyStripe) -> None:
    customer = await customer_of(billed, await billed.team())
    for number in range(3):
        tiny.fails(f"subscriptions/sub_{number}", 400, code="parameter_unknown")
        await tell(billed, event("customer.subscription.updated", {"id": f"sub_{number}", "customer": customer}))
    await billed.drain_jobs()
    tiny.has("subscriptions/sub_0", subscription("sub_0", customer))
    assert "asked: 3" in (await _tenantry(billed, "replay", "--state", "failed")).stdout
    await billed.drain_jobs()
    left = json.loads((await _tenantry(billed, "list", "--state", "failed", "--json")).stdout)["notices"]
    assert {one["subject_id"] for one in left} == {"sub_1", "sub_2"}
    assert all("parameter_unknown" in one["last_error"] for one in left)


async def test_a_mistake_is_a_usage_error_and_what_is_not_there_a_refusal(billed: Installation) -> None:
    for words in (
        ("list", "--state", "nonsense"),
        ("list", "--limit", "0"),
        ("replay",),
        ("replay", "--state", "waiting"),
    ):
        assert (await _tenantry(billed, *words)).exit_code == 2, words
    for words in (("show", "--id", "evt_none"), ("replay", "--id", "evt_none")):
        assert (await _tenantry(billed, *words)).exit_code == 1, words
