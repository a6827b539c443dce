"""Insights over HTTP: what the command line shows, for operators only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tenantry.testing import Installation

INSIGHTS = "/v1/admin/insights"


async def test_an_operator_sees_how_the_installation_does(house: Installation) -> None:
    operator = await house.operator()
    team = await house.team()
    await house.drain_consumers()
    answer = await operator.get(INSIGHTS)
    assert answer.status == 200, answer
    totals = {one["measure"]: one for one in answer.json["totals"]}
    [people] = await house.rows("select count(*) from tenantry.users")
    assert totals["signups"]["whose"] == people["count"]
    assert totals["orgs_founded"]["times"] >= 1
    assert answer.json["read_to"] is not None
    assert team.owner.email not in str(answer.json)
    rows = await house.rows("select action from tenantry.audit_log where action = 'admin:insights:looked_at'")
    assert len(rows) == 1


async def test_a_span_is_given_by_days(house: Installation) -> None:
    operator = await house.operator()
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    before = (await operator.get(f"{INSIGHTS}?from=2020-01-01&to=2020-02-01")).json
    assert (before["since"], before["until"], before["days"]) == ("2020-01-01", "2020-02-01", [])
    assert (await operator.get(INSIGHTS)).json["until"] == str(tomorrow)
    for asked in ("from=2020-01-01", "from=2020-02-01&to=2020-01-01", "from=0001-01-01", "to=9999-12-31", "from=now"):
        assert (await operator.get(f"{INSIGHTS}?{asked}")).status == 422, asked


async def test_nobody_else_sees_it(house: Installation) -> None:
    person = await house.person()
    assert (await person.get(INSIGHTS)).status == 401
    assert (await house.client.get(INSIGHTS)).status == 401
