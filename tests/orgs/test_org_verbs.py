"""The verbs of organizations: each asks for its permission, whoever calls it, and says what it did."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from tenantry.accounts import actions as accounts
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import ORG_ID, USER_ID
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.problems import Forbidden, NotFound
from tenantry.foundation.refusals import SessionEnded
from tenantry.foundation.work import OrgWork, PersonWork
from tenantry.orgs import actions
from tenantry.testing import Client, Installation, Team


def _call(house: Installation, person: Client) -> Call:
    session = house.runtime.refresh.read(person.tokens["refresh_token"]).session
    return Call(house.runtime, Actor("person", _user(person), session), "0123456789")


def _user(person: Client) -> UUID:
    found = USER_ID.read(person.user_id)
    assert found is not None
    return found


def _org(team: Team) -> UUID:
    found = ORG_ID.read(team.org)
    assert found is not None
    return found


@pytest.fixture
async def team(house: Installation) -> Team:
    """An organization with somebody in each role."""
    return await house.team()


BY_A_MEMBER: dict[str, Callable[[OrgWork, UUID], Awaitable[object]]] = {
    "change_org": lambda work, whose: actions.change_org(work, name="Mine"),
    "change_role": lambda work, whose: actions.change_role(work, user_id=whose, role="member", version=None),
    "remove_member": lambda work, whose: actions.remove_member(work, user_id=whose),
    "transfer_ownership": lambda work, whose: actions.transfer_ownership(work, user_id=whose),
}


@pytest.mark.parametrize("verb", BY_A_MEMBER)
async def test_a_verb_refuses_whose_role_does_not_hold_its_permission(
    house: Installation, team: Team, verb: str
) -> None:
    with pytest.raises(Forbidden):
        async with OrgWork(_call(house, team.member), _org(team)) as work:
            await BY_A_MEMBER[verb](work, _user(team.admin))


async def test_no_work_opens_in_an_organization_that_is_not_ones_own(house: Installation, team: Team) -> None:
    with pytest.raises(NotFound):
        async with OrgWork(_call(house, team.stranger), _org(team)):
            raise AssertionError("a stranger is in")


async def test_a_work_knows_its_organization_and_role(house: Installation, team: Team) -> None:
    for role in ("owner", "admin", "member"):
        async with OrgWork(_call(house, team.people[role]), _org(team), reading=True) as work:
            assert (work.org, work.role, work.person) == (_org(team), role, _user(team.people[role]))


async def test_create_org_and_switch_org_are_a_persons_verbs(house: Installation, team: Team) -> None:
    async with PersonWork(_call(house, team.stranger)) as work:
        org = await actions.create_org(work, name="Own", slug=None)
    async with PersonWork(_call(house, team.stranger)) as work:
        assert await actions.switch_org(work, org_id=org.id) == "owner"
    await house.assert_recorded("accounts.session_bound", bound_to=str(org.id))
    with pytest.raises(NotFound):
        async with PersonWork(_call(house, team.stranger)) as work:
            await actions.switch_org(work, org_id=_org(team))


async def test_a_session_that_ended_meanwhile_is_bound_to_nothing(house: Installation, team: Team) -> None:
    async with PersonWork(_call(house, team.member)) as work:
        assert (await team.member.post("/v1/auth/logout", {"scope": "local"})).status == 204
        with pytest.raises(SessionEnded):
            await accounts.bind_session(work, org_id=_org(team))


async def test_a_jobs_key_is_one_organizations_own(house: Installation, team: Team) -> None:
    other = await house.team("Other")
    for one in (team, other, team):
        async with OrgWork(_call(house, one.owner), _org(one)) as work:
            work.enqueue(NewJob("test.nightly", key="nightly", delay=3600))
    waiting = await house.rows("select org_id from tenantry.jobs where kind = 'test.nightly'")
    assert sorted(str(row["org_id"]) for row in waiting) == sorted(map(str, (_org(team), _org(other))))
