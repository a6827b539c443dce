"""Invites: sent with their event and their mail or not at all, and whoever accepts is a member once or not at all."""

from __future__ import annotations

from dataclasses import dataclass

from faults.app import Stage, new_address
from faults.flow import Flow, Told
from tenantry.testing import Client, Response
from tenantry.testing.installation import PASSWORD

from .people import somebody


@dataclass(frozen=True)
class Invited:
    """An organization, and an address that it invites; with an account or without."""

    owner: Client
    org: str
    email: str
    token: str = ""
    person: Client | None = None


async def _somebody_to_invite(stage: Stage) -> Invited:
    owner = await somebody(stage)
    founded = await stage.behind.client.signed_in(owner.tokens).post("/v1/orgs", {"name": "Acme"})
    return Invited(owner, founded.json["id"], new_address())


async def _somebody_invited(stage: Stage) -> Invited:
    there = await _somebody_to_invite(stage)
    return Invited(there.owner, there.org, there.email, await _mailed(stage, there))


async def _a_person_invited(stage: Stage) -> Invited:
    there, person = await _somebody_to_invite(stage), await somebody(stage)
    there = Invited(there.owner, there.org, person.email)
    return Invited(there.owner, there.org, person.email, await _mailed(stage, there), person)


async def _mailed(stage: Stage, there: Invited) -> str:
    sent = await _send(stage.behind.client, there)
    assert sent.status == 201, sent
    return await stage.behind.mailed_token(there.email)


async def _send(client: Client, there: Invited) -> Response:
    path = f"/v1/orgs/{there.org}/invites"
    return await client.signed_in(there.owner.tokens).post(path, {"email": there.email, "role": "admin"})


async def _invite(stage: Stage, there: Invited) -> Response:
    return await _send(stage.client, there)


async def _accept(stage: Stage, there: Invited) -> Response:
    assert there.person is not None
    return await stage.client.signed_in(there.person.tokens).post("/v1/invites/acceptance", {"token": there.token})


async def _sign_up(stage: Stage, there: Invited) -> Response:
    body = {"email": there.email, "password": PASSWORD, "name": "Bob", "invite_token": there.token}
    return await stage.client.post("/v1/auth/register", body)


async def _one_invite_waits_and_its_last_mail_leads_in(told: Told[Invited]) -> None:
    stage, there = told.stage, told.subject
    assert await stage.value("select count(*) from tenantry.invites where email = $1", there.email) == 1
    token = await stage.behind.mailed_token(there.email)
    joined = await _sign_up(stage, Invited(there.owner, there.org, there.email, token))
    assert joined.status == 200, joined


async def _is_a_member_once(told: Told[Invited]) -> None:
    stage, there = told.stage, told.subject
    members = await stage.client.signed_in(there.owner.tokens).get(f"/v1/orgs/{there.org}/members")
    assert [one["role"] for one in members.json["items"] if one["email"] == there.email] == ["admin"]
    for kind in ("orgs.member_joined", "orgs.invite_accepted"):
        found = "select count(*) from tenantry.events where kind = $1 and person_id = (select id from tenantry.users"
        assert await stage.value(f"{found} where email = $2)", kind, there.email) == 1


async def _has_joined_and_is_a_member(told: Told[Invited]) -> None:
    await _is_a_member_once(told)
    login = await told.stage.client.post("/v1/auth/login", {"email": told.subject.email, "password": PASSWORD})
    assert login.status == 200, login


ACCEPTED = (
    *("+ members", "- pending invites", "+ accepted invites"),
    *("+ event orgs.member_joined", "+ event orgs.invite_accepted"),
)
JOINED = (
    *("+ users", "+ credentials", "+ strong hashes", "+ sessions"),
    *("+ event accounts.user_joined", "+ event accounts.session_started"),
)
INVITING = (
    Flow(
        "inviting",
        ("+ pending invites", "+ event orgs.invite_sent", "+ jobs"),
        _somebody_to_invite,
        _invite,
        _one_invite_waits_and_its_last_mail_leads_in,
        success=201,
        repeated=200,
    ),
    Flow("accepting an invite", ACCEPTED, _a_person_invited, _accept, _is_a_member_once),
    Flow(
        "signing up with an invite",
        ACCEPTED + JOINED,
        _somebody_invited,
        _sign_up,
        _has_joined_and_is_a_member,
        repeated=410,
    ),
)
