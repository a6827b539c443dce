"""Who may do what with webhooks: verbs ask for themselves, whoever calls them and by whichever way in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from receiving import Receiver
from webhook_kit import Hook, happen, hooks_path

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import EVENT_ID, USER_ID
from tenantry.foundation.events.log import BEGINNING
from tenantry.foundation.problems import Forbidden
from tenantry.foundation.work import OrgWork
from tenantry.testing import Client, Installation, Team
from tenantry.webhooks import actions, exchanges
from tenantry.webhooks.models import Replay

Reaching = tuple[Installation, Receiver]
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def _replay(hook: Hook) -> Replay:
    return Replay(hook.org_uuid, hook.uuid, NOW, NOW, "all")


MEMBERS_VERBS: list[Callable[[OrgWork, Hook], Awaitable[Any]]] = [
    lambda work, _: actions.create_endpoint(work, url="https://1.1.1.1/"),
    lambda work, hook: actions.change_endpoint(work, endpoint_id=hook.uuid, ordered=True),
    lambda work, hook: actions.delete_endpoint(work, endpoint_id=hook.uuid),
    lambda work, hook: actions.rotate_secret(work, endpoint_id=hook.uuid),
    lambda work, hook: actions.try_endpoint(work, endpoint_id=hook.uuid),
    lambda work, hook: actions.retry_delivery(work, endpoint_id=hook.uuid, event_id=UUID(int=1)),
    lambda work, hook: actions.replay_deliveries(work, endpoint_id=hook.uuid, since=NOW, until=None, which="all"),
]
HOUSES_VERBS: list[Callable[[Any, Hook], Awaitable[Any]]] = [
    lambda work, hook: actions.disable_endpoint(work, hook.org_uuid, hook.uuid, "gone"),
    lambda work, hook: actions.enable_endpoint(work, org_id=hook.org_uuid, endpoint_id=hook.uuid),
    lambda work, hook: actions.forget_some_of(work, org_id=hook.org_uuid, endpoint_id=hook.uuid, most=1),
    lambda work, hook: actions.let_old_deliveries_go(work, orgs=[hook.org_uuid]),
    lambda work, hook: actions.replay_failed(work, asked=_replay(hook), after=UUID(int=0), most=1),
    lambda work, hook: actions.replay_happened(work, asked=_replay(hook), after=BEGINNING, most=1),
    lambda work, hook: actions.retry_any_delivery(
        work, org_id=hook.org_uuid, endpoint_id=hook.uuid, event_id=UUID(int=1)
    ),
    lambda work, hook: actions.replay_any_deliveries(
        work, org_id=hook.org_uuid, endpoint_id=hook.uuid, since=NOW, until=None, which="all"
    ),
]


async def _work_of(house: Installation, hook: Hook, who: Client) -> OrgWork:
    person = USER_ID.read(who.user_id)
    session = "select id from tenantry.sessions where user_id = $1 and ended_at is null"
    [found, *_] = await house.rows(session, person)
    return OrgWork(Call(house.runtime, Actor("person", person, found["id"]), "a-call-of-a-test"), hook.org_uuid)


@pytest.mark.parametrize("verb", MEMBERS_VERBS)
async def test_a_member_looks_after_no_webhooks(
    team: Team, hook: Hook, verb: Callable[[OrgWork, Hook], Awaitable[Any]]
) -> None:
    with pytest.raises(Forbidden):
        async with await _work_of(hook.house, hook, team.member) as work:
            await verb(work, hook)


@pytest.mark.parametrize("verb", HOUSES_VERBS)
async def test_what_the_house_does_no_owner_does(
    team: Team, hook: Hook, verb: Callable[[Any, Hook], Awaitable[Any]]
) -> None:
    with pytest.raises(Forbidden):
        async with await _work_of(hook.house, hook, team.owner) as work:
            await verb(work, hook)


async def test_an_exchange_asks_for_the_right_itself(team: Team, hook: Hook) -> None:
    async with await _work_of(hook.house, hook, team.member) as work:
        call = work.call.within(hook.org_uuid, "member")
    with pytest.raises(Forbidden):
        await exchanges.create_endpoint(call, url="https://1.1.1.1/")
    with pytest.raises(Forbidden):
        await exchanges.change_endpoint(call, endpoint_id=hook.uuid, url="https://1.1.1.1/")


async def test_an_api_key_looks_after_webhooks_within_its_scopes(reaching: Reaching, team: Team, hook: Hook) -> None:
    house, receiver = reaching
    keys = dict[str, Client]()
    for scope in ("webhooks:read", "webhooks:write"):
        body = {"name": "Hooks", "scopes": [scope]}
        made = await team.owner.post(f"{team.path}/api-keys", body)
        keys[scope] = house.client.signed_in({"access_token": made.json["secret"]})
    reads, writes = keys.values()
    assert (await reads.get(hook.path)).status == 200
    assert (await reads.post(hooks_path(team.org), {"url": receiver.url})).status == 403
    assert (await writes.get(hook.path)).status == 403
    made = await writes.post(hooks_path(team.org), {"url": receiver.url})
    assert made.status == 201
    assert made.json["created_by"] == team.owner.user_id
    [delivery] = await happen(house, team)
    await house.deliver()
    assert EVENT_ID.read(delivery) is not None
    assert (await reads.get(f"{hook.path}/deliveries/{delivery}")).status == 200
    assert (await reads.post(f"{hook.path}/deliveries/{delivery}/retry")).status == 403
