"""Secrets of endpoints: rotated with an overlap in which both sign, few at a time, and sealed anew with the rest."""

from __future__ import annotations

from typing import Any

import msgspec
from receiving import Heard, Receiver
from standardwebhooks import Webhook, WebhookVerificationError
from webhook_kit import Hook, happen, make_hook, recorded_about

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.security.keys import MasterKeys
from tenantry.foundation.security.resealing import reseal
from tenantry.foundation.security.sealing import Sealer
from tenantry.foundation.security.secret import Secret
from tenantry.testing import Installation, Team
from tenantry.testing.installation import MASTER_KEYS
from tenantry.webhooks import actions, events

Reaching = tuple[Installation, Receiver]


async def _rotate(hook: Hook, overlap: int | None = None) -> Any:
    body = None if overlap is None else {"overlap_seconds": overlap}
    return await hook.who.post(f"{hook.path}/rotation", body)


async def _sent(house: Installation, receiver: Receiver, team: Team) -> Heard:
    receiver.heard.clear()
    await happen(house, team)
    await house.deliver()
    [heard] = receiver.heard
    return heard


def _signed_by(secret: str, heard: Heard) -> bool:
    try:
        Webhook(secret).verify(heard.body, heard.headers)
    except WebhookVerificationError:
        return False
    return True


async def test_both_secrets_sign_until_the_overlap_is_over(reaching: Reaching, team: Team, hook: Hook) -> None:
    house, receiver = reaching
    assert _signed_by(hook.secret, await _sent(house, receiver, team))
    rotated = await _rotate(hook, 3600)
    fresh = rotated.json["secret"]
    assert rotated.json["old_secret_ends_at"] == (await hook.seen())["old_secret_ends_at"] is not None
    heard = await _sent(house, receiver, team)
    assert _signed_by(hook.secret, heard)
    assert _signed_by(fresh, heard)
    assert len(heard.headers["webhook-signature"].split()) == 2
    [said] = await recorded_about(house, events.EndpointSecretRotated, hook)
    assert fresh not in str(said)
    # by its version whoever sends sees that the endpoint is another
    assert said["version_after"] == 2
    last = (await _rotate(hook, 0)).json["secret"]
    heard = await _sent(house, receiver, team)
    assert [_signed_by(one, heard) for one in (hook.secret, fresh, last)] == [False, False, True]
    assert (await hook.seen())["old_secret_ends_at"] is None


async def test_a_secret_lives_on_for_a_day_unless_it_is_said_otherwise_and_a_week_at_most(hook: Hook) -> None:
    await _rotate(hook)
    [row] = await hook.house.rows(
        "select ends_at - tenantry.now() as left from tenantry.webhook_secrets"
        " where endpoint_id = $1 and ends_at is not null",
        hook.uuid,
    )
    assert 86_390 < row["left"].total_seconds() <= 86_400
    assert (await _rotate(hook, 7 * 86_400)).status == 200
    assert (await _rotate(hook, 7 * 86_400 + 1)).status == 422
    assert (await _rotate(hook, -1)).status == 422


async def test_three_secrets_sign_at_a_time_at_most(hook: Hook) -> None:
    assert [(await _rotate(hook)).status for _ in range(3)] == [200, 200, 409]
    assert (await _rotate(hook)).code == "too_many_endpoint_secrets"
    assert await hook.count("webhook_secrets") == 3
    # a shorter overlap ends those before as well
    assert (await _rotate(hook, 0)).status == 200
    assert await hook.count("webhook_secrets") == 1


async def test_a_rotation_asked_for_twice_under_one_key_happens_once(hook: Hook) -> None:
    headers = {"idempotency-key": f"rotate-{hook.id}"}
    first = await hook.who.post(f"{hook.path}/rotation", headers=headers)
    again = await hook.who.post(f"{hook.path}/rotation", headers=headers)
    assert (first.status, again.status, again.code) == (200, 409, "secret_already_shown")
    assert await hook.count("webhook_secrets") == 2


async def test_secrets_and_headers_are_sealed_anew_under_another_master_key(
    reaching: Reaching, team: Team, hook: Hook
) -> None:
    house, receiver = reaching
    other = await make_hook(house, team.owner, team.org, receiver.url, headers={"X-Word": "of-the-receiver"})
    fresh = "next:bmV4dC1rZXktMzItYnl0ZXMtbG9uZy1rZXktLi4uLi4="
    both = Sealer(MasterKeys.parse(Secret(f"{fresh},{MASTER_KEYS}")))
    call = Call(msgspec.structs.replace(house.runtime, sealer=both), Actor("cli"), "a-test")
    done = await reseal(call, actions.SEALED)
    assert not done.broken
    assert done.resealed >= 3
    for table, column in (("webhook_secrets", "sealed_secret"), ("webhook_endpoints", "sealed_headers")):
        rows = await house.rows(f"select {column} as blob from tenantry.{table} where {column} is not null")
        assert rows
        assert not [row for row in rows if both.needs_reseal(row["blob"])], table
    # and back, for the tests after this one
    call = Call(msgspec.structs.replace(house.runtime, sealer=_reversed(fresh)), Actor("cli"), "a-test")
    await reseal(call, actions.SEALED)
    await happen(house, team)
    await house.deliver()
    assert {_signed_by(one.secret, heard) for one in (hook, other) for heard in receiver.heard} == {True, False}


def _reversed(fresh: str) -> Sealer:
    return Sealer(MasterKeys.parse(Secret(f"{MASTER_KEYS},{fresh}")))
