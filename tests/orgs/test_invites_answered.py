"""Answering an invite: by whom, as long as whom it came from may still send it, once however often and at once."""

from __future__ import annotations

import asyncio

import pytest
from inviting import Acme, accept, acme, happened, invited, new_address, roles, row_of

from tenantry.accounts import actions as accounts
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import ORG_ID, USER_ID
from tenantry.foundation.fate import Person, let_come
from tenantry.foundation.net.address import read_address
from tenantry.foundation.problems import Forbidden, NotFound
from tenantry.foundation.work import OrgWork, PersonWork, SystemWork
from tenantry.orgs import actions, exchanges
from tenantry.orgs.models import INVITE_ID, masked
from tenantry.testing import Client, Installation, Response
from tenantry.testing.installation import PASSWORD


@pytest.fixture
async def there(house: Installation) -> Acme:
    """An organization of this test's own."""
    return await acme(house)


async def _sent(house: Installation, there: Acme, role: str = "member") -> tuple[Client, dict[str, str], str]:
    """A person, the invite that waits for them, and the token that they were mailed."""
    person = await house.person()
    sent = await invited(there, person.email, role)
    return person, sent, await house.mailed_token(person.email)


async def test_whom_an_invite_is_for_becomes_a_member_in_its_role(house: Installation, there: Acme) -> None:
    person, sent, token = await _sent(house, there, "admin")
    assert (await person.get(f"/v1/orgs/{there.id}")).status == 404
    answer = await accept(person, token)
    assert (answer.status, answer.json) == (200, {"org": there.id, "role": "admin"})
    assert (await roles(there))[person.email] == "admin"
    assert (await person.get(f"/v1/orgs/{there.id}")).json["role"] == "admin"
    assert await happened(house, "orgs.invite_accepted", sent) == 1


async def test_twenty_acceptances_at_once_make_one_membership_and_one_event(house: Installation, there: Acme) -> None:
    person, sent, token = await _sent(house, there)
    answers = await asyncio.gather(*(accept(person, token) for _ in range(20)))
    assert {(answer.status, answer.json["role"]) for answer in answers} == {(200, "member")}
    user_id = str(USER_ID.read(person.user_id))
    assert sum(one["user_id"] == user_id for one in await house.recorded("orgs.member_joined")) == 1
    assert await happened(house, "orgs.invite_accepted", sent) == 1
    assert len(await house.rows("select from tenantry.members where user_id = $1", USER_ID.read(person.user_id))) == 1


async def test_accepting_again_says_the_present_role_and_changes_nothing(house: Installation, there: Acme) -> None:
    person, sent, token = await _sent(house, there)
    await accept(person, token)
    path = f"/v1/orgs/{there.id}/members/{person.user_id}"
    await there.owner.patch(path, {"role": "admin"}, headers={"if-match": "*"})
    again = await accept(person, token)
    assert (again.status, again.json["role"]) == (200, "admin")
    assert (await person.post("/v1/invites/acceptance", {"invite": sent["id"]})).json == again.json
    assert (await there.owner.delete(path)).status == 204
    assert (await accept(person, token)).code == "link_invalid", "it does not lead in twice"
    assert person.email not in await roles(there)


async def test_somebody_else_is_told_whom_it_is_for_and_no_more(house: Installation, there: Acme) -> None:
    person, sent, token = await _sent(house, there)
    eve = await house.person()
    answer = await accept(eve, token)
    assert (answer.status, answer.code) == (409, "invite_for_another")
    assert answer.json["invited"] == f"{person.email[0]}***@example.com"
    assert person.email not in answer.body.decode()
    assert eve.email not in await roles(there)
    assert (await row_of(house, sent))["status"] == "pending"
    assert (await accept(person, token)).status == 200
    for other in (eve, there.admin):
        assert (await accept(other, token)).code == "link_invalid", "a member too"


@pytest.mark.parametrize(
    ("email", "shown"),
    [
        ("ada@example.com", "a***@example.com"),
        ("a@b", "a***@b"),
        ('"x@y"@z.example', '"***@z.example'),
        ("é@z", "é***@z"),
    ],
)
def test_a_masked_address_keeps_one_letter_and_the_domain(email: str, shown: str) -> None:
    assert masked(email) == shown


async def test_by_id_an_invite_of_somebody_else_is_not_there(house: Installation, there: Acme) -> None:
    _, sent, _ = await _sent(house, there)
    eve = await house.person()
    unknown = "inv_01jd4w2q8nf6v9m3x5c7b1r0kt"
    for invite in (sent["id"], unknown, "inv_nonsense"):
        answer = await eve.post("/v1/invites/acceptance", {"invite": invite})
        assert (answer.status, answer.code) == (404, "not_found")
        answer = await eve.post(f"/v1/invites/{invite}/decline")
        assert (answer.status, answer.code) == (404, "not_found")
    assert (await row_of(house, sent))["status"] == "pending"


async def test_one_sees_the_invites_to_ones_own_address_only(house: Installation, there: Acme) -> None:
    person, sent, _ = await _sent(house, there)
    eve = await house.person()
    [offer] = (await person.get("/v1/invites")).json["items"]
    assert offer == {
        "id": sent["id"], "org": there.id, "org_name": there.name, "role": "member", "inviter": "Ada Lovelace",
        "expires_at": sent["expires_at"],
    }  # fmt: skip
    assert (await eve.get("/v1/invites")).json["items"] == []
    assert (await house.client.get("/v1/invites")).status == 401
    assert (await person.post("/v1/invites/acceptance", {"invite": sent["id"]})).status == 200
    assert (await person.get("/v1/invites")).json["items"] == []


async def test_whoever_only_claims_an_address_neither_lists_nor_accepts(house: Installation, there: Acme) -> None:
    """A squatter has a pending registration and nothing to sign in with."""
    email = new_address()
    await house.register(email)
    sent = await invited(there, email)
    login = await house.client.post("/v1/auth/login", {"email": email, "password": PASSWORD})
    assert login.status == 401
    assert (await house.client.get("/v1/invites")).status == 401
    assert (await house.client.post("/v1/invites/acceptance", {"invite": sent["id"]})).status == 401


async def test_a_session_that_ended_accepts_lists_and_declines_nothing(house: Installation, there: Acme) -> None:
    person, sent, token = await _sent(house, there)
    assert (await person.post("/v1/auth/logout", {"scope": "local"})).status == 204
    for answer in (
        await accept(person, token),
        await person.get("/v1/invites"),
        await person.post(f"/v1/invites/{sent['id']}/decline"),
    ):
        assert (answer.status, answer.code) == (401, "session_ended")
    assert (await row_of(house, sent))["status"] == "pending"


async def test_a_closed_account_accepts_nothing(house: Installation, there: Acme) -> None:
    person, sent, token = await _sent(house, there)
    assert (await person.post("/v1/users/me/closure", {"password": PASSWORD})).status == 200
    assert (await accept(person, token)).code == "account_closed"
    assert (await row_of(house, sent))["status"] == "pending"


async def test_a_forged_token_leads_nowhere(house: Installation, there: Acme) -> None:
    person, sent, token = await _sent(house, there)
    other = await house.person()
    other_sent = await invited(there, other.email, "owner")
    other_token = await house.mailed_token(other.email)
    name, _, mac = token.partition(".")
    issue = house.runtime.one_time.issue
    row, foreign = await row_of(house, sent), await row_of(house, other_sent)
    for forged in (
        f"{other_token.partition('.')[0]}.{mac}",
        f"{name}.{'A' * len(mac)}",
        token[:-1],
        "nonsense",
        issue("verify e-mail", row["id"], 0),
        issue("invite", row["id"], 1),
        issue("invite", foreign["org_id"], 0),
    ):
        answer = await accept(person, forged)
        assert (answer.status, answer.code) == (410, "link_invalid"), forged
    for body in ({}, {"token": token, "invite": sent["id"]}, {"token": token, "role": "owner"}, {"token": ""}):
        assert (await person.post("/v1/invites/acceptance", body)).status == 422
    assert (await row_of(house, sent))["status"] == "pending"


@pytest.mark.parametrize(("inviter", "change"), [("admin", "demoted"), ("admin", "removed"), ("owner", "demoted")])
async def test_an_invite_is_worth_what_its_sender_may_still_give(
    house: Installation, there: Acme, inviter: str, change: str
) -> None:
    sender: Client = getattr(there, inviter)
    judge = there.owner
    if inviter == "owner":
        judge = await house.person()
        await invited(there, judge.email, "owner")
        await accept(judge, await house.mailed_token(judge.email))
    person = await house.person()
    sent = await invited(there, person.email, inviter, by=sender)
    token = await house.mailed_token(person.email)
    path = f"/v1/orgs/{there.id}/members/{sender.user_id}"
    if change == "removed":
        assert (await judge.delete(path)).status == 204
    else:
        lower = "member" if inviter == "admin" else "admin"
        assert (await judge.patch(path, {"role": lower}, headers={"if-match": "*"})).status == 200
    refused = await accept(person, token)
    assert (refused.status, refused.code) == (409, "invite_void")
    assert (await row_of(house, sent))["status"] == "pending"
    assert (await judge.post(f"{there.path}/{sent['id']}/resend")).status == 200
    assert (await accept(person, await house.mailed_token(person.email))).json["role"] == inviter


@pytest.mark.parametrize(
    "column", ["disabled_at = tenantry.now()", "closed_at = tenantry.now(), purge_at = tenantry.now()"]
)
async def test_an_invite_of_a_disabled_or_closed_account_lets_nobody_in(
    house: Installation, there: Acme, column: str
) -> None:
    person = await house.person()
    await invited(there, person.email, by=there.admin)
    token = await house.mailed_token(person.email)
    inviter = USER_ID.read(there.admin.user_id)
    await house.rows(f"update tenantry.users set {column} where id = $1 returning id", inviter)
    assert (await accept(person, token)).code == "invite_void"


async def test_a_closed_organization_takes_nobody_in(house: Installation, there: Acme) -> None:
    person, sent, token = await _sent(house, there)
    eve = await house.person()
    slug = (await there.owner.get(f"/v1/orgs/{there.id}")).json["slug"]
    assert (await there.owner.post(f"/v1/orgs/{there.id}/closure", {"slug": slug})).status == 200
    assert (await accept(person, token)).code == "org_closed"
    assert (await accept(eve, token)).code == "invite_for_another", "nobody else learns that it is closed"
    assert (await person.get("/v1/invites")).json["items"] == []
    assert (await row_of(house, sent))["status"] == "pending"


async def test_who_is_a_member_by_now_is_told_so(house: Installation, there: Acme) -> None:
    person, _, token = await _sent(house, there, "admin")
    org_id, user_id = ORG_ID.read(there.id), USER_ID.read(person.user_id)
    assert org_id
    assert user_id
    async with SystemWork(Call(house.runtime, Actor("job"), "0123456789"), reason="a test") as work:
        await actions.add_member(work, org_id=org_id, user_id=user_id, role="member")
    answer = await accept(person, token)
    assert (answer.status, answer.code) == (409, "already_member")
    assert (await roles(there))[person.email] == "member"


async def test_whoever_declines_does_not_join_and_can_be_asked_anew(house: Installation, there: Acme) -> None:
    person, sent, token = await _sent(house, there)
    for _ in range(2):
        assert (await person.post(f"/v1/invites/{sent['id']}/decline")).status == 204
    assert await happened(house, "orgs.invite_declined", sent) == 1
    assert (await accept(person, token)).code == "link_invalid"
    await invited(there, person.email)
    assert (await accept(person, await house.mailed_token(person.email))).status == 200
    [held] = [one for one in (await there.owner.get(there.path)).json["items"] if one["id"] == sent["id"]]
    assert held["status"] == "declined"
    accepted = (await row_of(house, {"email": person.email}))["id"]
    assert (await person.post(f"/v1/invites/{INVITE_ID.text(accepted)}/decline")).code == "link_invalid"


async def _against(there: Acme, how: str, person: Client, sent: dict[str, str]) -> Response:
    match how:
        case "revoke":
            return await there.owner.delete(f"{there.path}/{sent['id']}")
        case "decline":
            return await person.post(f"/v1/invites/{sent['id']}/decline")
        case "resend":
            return await there.owner.post(f"{there.path}/{sent['id']}/resend")
    return await there.owner.post(there.path, {"email": person.email, "role": "admin"})


@pytest.mark.parametrize("how", ["revoke", "decline", "resend", "role"])
async def test_of_an_acceptance_and_what_contradicts_it_one_comes_first(
    house: Installation, there: Acme, how: str
) -> None:
    for _ in range(6):
        person, sent, token = await _sent(house, there)
        accepted, other = await asyncio.gather(accept(person, token), _against(there, how, person, sent))
        joined = person.email in await roles(there)
        assert accepted.status in {200, 410}
        assert (accepted.status == 200) is joined
        status = (await row_of(house, sent))["status"]
        if joined:
            assert (status, other.status) in {("accepted", 409), ("accepted", 410)}
        else:
            assert (status, other.status) in {("revoked", 204), ("declined", 204), ("pending", 200)}


async def test_an_invite_goes_with_its_organization(house: Installation, there: Acme) -> None:
    person, sent, token = await _sent(house, there)
    await house.rows("delete from tenantry.orgs where id = $1 returning id", (await row_of(house, sent))["org_id"])
    assert (await accept(person, token)).code == "link_invalid"
    assert await house.rows("select from tenantry.invites where email = $1", person.email) == []


async def test_rows_of_another_organization_are_out_of_reach_for_a_member(house: Installation, there: Acme) -> None:
    _, sent, _ = await _sent(house, there)
    eve = await house.person()
    own = ORG_ID.read((await eve.post("/v1/orgs", {"name": "Evil"})).json["id"])
    assert own
    async with OrgWork(_call_of(house, eve), own) as work:
        rows = await work.connection.fetch("select from tenantry.invites where email = $1", sent["email"])
        assert rows == []
        for verb in (actions.revoke_invite, actions.resend_invite):
            with pytest.raises(NotFound):
                await verb(work, invite_id=(await row_of(house, sent))["id"])


async def test_a_purged_persons_invites_are_forgotten(house: Installation, there: Acme) -> None:
    person, sent, token = await _sent(house, there)
    await accept(person, token)
    moved, pending = await house.person(), await house.person()
    await invited(there, pending.email)
    other = await invited(there, moved.email)
    await accept(moved, await house.mailed_token(moved.email))
    async with SystemWork(Call(house.runtime, Actor("job"), "0123456789"), reason="a test") as work:
        fates = {"invites": house.runtime.fates["invites"]}
        for email_key, client in ((person.email, person), ("moved@elsewhere.example", moved)):
            user_id = USER_ID.read(client.user_id)
            assert user_id
            await let_come(work, fates, Person(user_id, email_key))
    left = {one["id"] for one in (await there.owner.get(f"{there.path}?limit=100")).json["items"]}
    assert not {sent["id"], other["id"]} & left
    assert len(await house.rows("select from tenantry.invites where email = $1", pending.email)) == 1


async def test_exchanges_are_for_whoever_is_signed_in(house: Installation, there: Acme) -> None:
    person, _, token = await _sent(house, there)
    nobody = Call(house.runtime, Actor("anonymous"), "0123456789")
    assert (await exchanges.look_at_invite(nobody, token=token)).email == person.email
    with pytest.raises(Exception, match="may not"):
        await exchanges.accept_invite(nobody, token=token)
    with pytest.raises(Exception, match="may not"):
        await exchanges.offers_of_oneself(nobody, query=None)  # type: ignore[arg-type]
    with pytest.raises(Exception, match="Sign in"):
        await exchanges.decline_invite(nobody, invite_id=(await row_of(house, {"email": person.email}))["id"])
    await exchanges.decline_invite(nobody, token=token)
    assert (await row_of(house, {"email": person.email}))["user_id"] is None


async def test_what_the_house_does_with_invites_no_person_may(house: Installation, there: Acme) -> None:
    person, sent, token = await _sent(house, there)
    row, user_id = await row_of(house, sent), USER_ID.read(person.user_id)
    who = {"invite_id": row["id"], "token": token, "user_id": user_id, "email_key": row["email_key"]}
    address = read_address(person.email)
    async with PersonWork(_call_of(house, person)) as work:
        for attempt in (
            actions.accept_invite(work, **who),  # type: ignore[arg-type, type-var]
            actions.decline_invite(work, **who),  # type: ignore[arg-type, type-var]
            actions.expire_invites(work, most=1),  # type: ignore[type-var]
            accounts.join_invited(work, address=address, name="B", password_hash="", token=token),  # type: ignore[type-var]
        ):
            with pytest.raises(Forbidden):
                await attempt
    assert (await row_of(house, sent))["status"] == "pending"


async def test_no_verb_lets_a_member_invite(house: Installation, there: Acme) -> None:
    org = ORG_ID.read(there.id)
    assert org
    async with OrgWork(_call_of(house, there.member), org) as work:
        with pytest.raises(Forbidden):
            await actions.invite_many(work, wanted=[])
        with pytest.raises(Forbidden):
            await actions.invite(work, address=read_address("a@example.com"), role="member")


def _call_of(house: Installation, person: Client) -> Call:
    session = house.runtime.refresh.read(person.tokens["refresh_token"]).session
    return Call(house.runtime, Actor("person", USER_ID.read(person.user_id), session), "0123456789")


async def test_a_person_takes_away_what_invites_tell_of_them(house: Installation, there: Acme) -> None:
    person, _, token = await _sent(house, there)
    await accept(person, token)
    other = await acme(house)
    await invited(other, person.email, "admin")
    user_id = USER_ID.read(person.user_id)
    assert user_id
    async with SystemWork(Call(house.runtime, Actor("job"), "0123456789"), reason="a test", reading=True) as work:
        held = (await actions.what_is_held(work, user_id))["invites"]
    assert [(one.org, one.role, one.status) for one in held] == [
        (there.name, "member", "accepted"),
        (other.name, "admin", "pending"),
    ]


async def test_whoever_else_holds_the_link_declines_it_without_being_named(house: Installation, there: Acme) -> None:
    _, sent, token = await _sent(house, there)
    eve = await house.person()
    await exchanges.decline_invite(_call_of(house, eve), token=token)
    row = await row_of(house, sent)
    assert (row["status"], row["user_id"]) == ("declined", None)
