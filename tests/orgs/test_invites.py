"""Inviting: who may, to which role, what an organization sees of it, and how often a mail goes out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
from inviting import (
    Acme,
    accept,
    acme,
    happened,
    invited,
    mails_to,
    new_address,
    on_schedule,
    roles,
    row_of,
    signed_in_again,
)

from tenantry.foundation.domain import Registry
from tenantry.orgs.models import INVITES_AT_ONCE, MOST_PENDING
from tenantry.testing import Databases, HandClock, Installation, installed


@pytest.fixture(scope="module")
async def there(house: Installation) -> Acme:
    """An organization that the tests of this file share."""
    return await acme(house)


async def test_an_invite_is_mailed_and_its_token_is_nowhere_else(house: Installation, there: Acme) -> None:
    email = new_address()
    answer = await there.owner.post(there.path, {"email": email, "role": "admin"})
    assert answer.status == 201
    sent = answer.json
    assert set(sent) == {"id", "email", "role", "status", "invited_by", "created_at", "expires_at"}
    assert (sent["email"], sent["role"], sent["status"]) == (email, "admin", "pending")
    token = await house.mailed_token(email)
    assert (await house.mails())[0].text.count(f"{house.origin}/account/invite?token={token}") == 1
    mac = token.partition(".")[2]
    listed = await there.owner.get(f"{there.path}?limit=100")
    assert sent in listed.json["items"]
    assert mac not in listed.body.decode()
    assert mac not in str(await row_of(house, sent))
    assert mac not in str(await house.rows("select payload, actor from tenantry.events"))
    assert mac not in str(await house.rows("select * from tenantry.dead_letters"))


async def test_what_is_recorded_names_no_address(house: Installation, there: Acme) -> None:
    sent = await invited(there, new_address())
    [event] = [one for one in await house.recorded("orgs.invite_sent") if one["generation"] == 0][-1:]
    assert set(event) == {"org_id", "invite_id", "invited_by", "role", "generation", "expires_at"}
    assert "@" not in json.dumps(event)
    assert await happened(house, "orgs.invite_sent", sent) == 1


@pytest.mark.parametrize(
    ("who", "role", "status"),
    [
        ("owner", "owner", 201),
        ("owner", "member", 201),
        ("admin", "owner", 403),
        ("admin", "admin", 201),
        ("admin", "member", 201),
        ("member", "member", 403),
    ],
)
async def test_nobody_invites_above_themselves(
    house: Installation, there: Acme, who: str, role: str, status: int
) -> None:
    email = new_address()
    answer = await getattr(there, who).post(there.path, {"email": email, "role": role})
    assert answer.status == status
    if status == 403:
        assert answer.code == ("above_you" if who == "admin" else "forbidden")
        assert not await house.rows("select from tenantry.invites where email = $1", email)
        assert await mails_to(house, email) == 0


async def test_an_admin_touches_no_invite_to_a_role_above_their_own(house: Installation, there: Acme) -> None:
    email = new_address()
    sent = await invited(there, email, "owner")
    asked = [
        await there.admin.post(there.path, {"email": email, "role": "member"}),
        await there.admin.post(f"{there.path}/{sent['id']}/resend"),
        await there.admin.delete(f"{there.path}/{sent['id']}"),
    ]
    assert [answer.code for answer in asked] == ["above_you"] * 3
    assert (await row_of(house, sent))["role"] == "owner"
    assert (await row_of(house, sent))["status"] == "pending"


async def test_members_and_strangers_see_no_invites(house: Installation, there: Acme) -> None:
    sent = await invited(there, new_address())
    assert (await there.member.get(there.path)).status == 403
    assert (await there.member.delete(f"{there.path}/{sent['id']}")).status == 403
    stranger = await house.person()
    for answer in (
        await stranger.get(there.path),
        await stranger.post(there.path, {"email": "x@example.com", "role": "member"}),
        await stranger.delete(f"{there.path}/{sent['id']}"),
        await stranger.post(f"{there.path}/{sent['id']}/resend"),
    ):
        assert (answer.status, answer.code) == (404, "not_found")


async def test_an_invite_of_another_organization_is_not_there(house: Installation, there: Acme) -> None:
    sent = await invited(there, new_address())
    eve = await house.person()
    own = (await eve.post("/v1/orgs", {"name": "Evil"})).json["id"]
    for method, tail in (("DELETE", ""), ("POST", "/resend")):
        answer = await eve.request(method, f"/v1/orgs/{own}/invites/{sent['id']}{tail}")
        assert (answer.status, answer.code) == (404, "not_found")
    assert (await row_of(house, sent))["generation"] == 0
    assert (await row_of(house, sent))["status"] == "pending"


async def test_a_member_is_not_invited_again(house: Installation, there: Acme) -> None:
    for spelling in (there.member.email, there.member.email.upper()):
        answer = await there.owner.post(there.path, {"email": spelling, "role": "admin"})
        assert (answer.status, answer.code) == (409, "already_member")


async def test_the_answer_tells_nobody_whether_an_address_has_an_account(house: Installation, there: Acme) -> None:
    known, unknown = await house.person(), new_address()
    answers = [await there.owner.post(there.path, {"email": one, "role": "member"}) for one in (known.email, unknown)]
    assert [answer.status for answer in answers] == [201, 201]
    first, second = ({**answer.json, "id": "", "email": "", "created_at": "", "expires_at": ""} for answer in answers)
    assert first == second
    assert {*answers[0].headers} == {*answers[1].headers}
    assert [await mails_to(house, one) - (one == known.email) for one in (known.email, unknown)] == [1, 1]


async def test_asking_again_renews_the_one_that_waits(house: Installation, there: Acme) -> None:
    email = new_address()
    first = await invited(there, email)
    old = await house.mailed_token(email)
    again = await there.admin.post(there.path, {"email": email.upper(), "role": "admin"})
    assert again.status == 200
    assert (again.json["id"], again.json["role"]) == (first["id"], "admin")
    assert again.json["expires_at"] > first["expires_at"]
    new = await house.mailed_token(again.json["email"])
    assert new != old
    person = await house.person(email)
    assert (await accept(person, old)).code == "link_invalid"
    assert (await accept(person, new)).json == {"org": there.id, "role": "admin"}


async def test_asked_twenty_times_at_once_an_address_has_one_invite(house: Installation, there: Acme) -> None:
    email = new_address()
    body = {"email": email, "role": "member"}
    answers = await asyncio.gather(*(there.owner.post(there.path, body) for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [200] * 19 + [201]
    [row] = await house.rows("select generation from tenantry.invites where email = $1", email)
    assert row["generation"] == 19


async def test_the_database_itself_keeps_one_pending_invite_per_address(house: Installation, there: Acme) -> None:
    email = new_address()
    await invited(there, email)
    with pytest.raises(Exception, match="one_pending_invite_per_address"):
        await house.rows(
            "insert into tenantry.invites (org_id, id, email, email_key, role, muted, invited_by, expires_at)"
            " select org_id, gen_random_uuid(), email, email_key, role, muted, invited_by, expires_at"
            " from tenantry.invites where email = $1 returning id",
            email,
        )


async def test_a_revoked_invite_lets_nobody_in_and_blocks_nothing(house: Installation, there: Acme) -> None:
    email = new_address()
    sent = await invited(there, email)
    token = await house.mailed_token(email)
    for _ in range(2):
        assert (await there.admin.delete(f"{there.path}/{sent['id']}")).status == 204
    assert await happened(house, "orgs.invite_revoked", sent) == 1
    person = await house.person(email)
    assert (await accept(person, token)).code == "link_invalid"
    assert (await there.owner.post(f"{there.path}/{sent['id']}/resend")).code == "invite_settled"
    again = await invited(there, email)
    assert again["id"] != sent["id"]
    assert (await accept(person, await house.mailed_token(email))).status == 200
    assert (await there.owner.delete(f"{there.path}/{again['id']}")).code == "invite_settled"
    statuses = {one["id"]: one["status"] for one in (await there.owner.get(f"{there.path}?limit=100")).json["items"]}
    assert (statuses[sent["id"]], statuses[again["id"]]) == ("revoked", "accepted")


async def test_a_resent_invite_has_a_new_link_and_a_new_voucher(house: Installation, there: Acme) -> None:
    email = new_address()
    sent = await invited(there, email)
    old = await house.mailed_token(email)
    resent = await there.admin.post(f"{there.path}/{sent['id']}/resend")
    assert resent.status == 200
    assert resent.json["invited_by"] == there.admin.user_id
    assert resent.json["expires_at"] > sent["expires_at"]
    assert await house.mailed_token(email) != old
    assert await mails_to(house, email) == 2
    assert await happened(house, "orgs.invite_resent", sent) == 1


async def test_a_mail_that_was_overtaken_is_not_sent(house: Installation, there: Acme) -> None:
    renewed, revoked = new_address(), new_address()
    for _ in range(3):
        await there.owner.post(there.path, {"email": renewed, "role": "member"})
    sent = await invited(there, revoked)
    await there.owner.delete(f"{there.path}/{sent['id']}")
    assert (await mails_to(house, renewed), await mails_to(house, revoked)) == (1, 0)


async def test_what_people_typed_is_inert_in_the_mail(house: Installation) -> None:
    boss = await house.person(name="http://evil.example/")
    org = (await boss.post("/v1/orgs", {"name": "<b>Win</b> at evil.example"})).json["id"]
    email = new_address()
    await boss.post(f"/v1/orgs/{org}/invites", {"email": email, "role": "member"})
    await house.drain_jobs()
    [mail] = [one for one in await house.mails() if one.to == email]
    assert "evil.example" not in mail.subject + mail.text + mail.html
    assert "<b>" not in mail.html


@pytest.mark.parametrize(
    "body",
    [
        {"email": "nonsense", "role": "member"},
        {"email": "a@example.com", "role": "boss"},
        {"email": "a@example.com"},
        {"email": "a@example.com", "role": "member", "org_id": "org_01jd4w2q8nf6v9m3x5c7b1r0kt"},
        {"email": "a\u0000@example.com", "role": "member"},
    ],
)
async def test_bad_input_invites_nobody(house: Installation, there: Acme, body: dict[str, str]) -> None:
    before = await house.rows("select count(*) from tenantry.invites")
    assert (await there.owner.post(there.path, body)).status == 422
    assert await house.rows("select count(*) from tenantry.invites") == before


async def test_invites_are_listed_page_by_page_and_by_status(house: Installation) -> None:
    there = await acme(house)
    sent = [await invited(there, new_address()) for _ in range(5)]
    await there.owner.delete(f"{there.path}/{sent[0]['id']}")
    first = (await there.owner.get(f"{there.path}?limit=2&status=pending")).json
    after = quote(first["next"])
    second = (await there.owner.get(f"{there.path}?limit=2&status=pending&after={after}")).json
    assert [one["id"] for one in first["items"] + second["items"]] == [one["id"] for one in sent[:0:-1]]
    assert second["next"] is None
    assert (await there.owner.get(f"{there.path}?after={after}")).code == "bad_cursor"
    assert [one["id"] for one in (await there.owner.get(f"{there.path}?status=revoked")).json["items"]] == [
        sent[0]["id"]
    ]


async def test_many_are_invited_at_once_and_each_is_answered_by_itself(house: Installation) -> None:
    there = await acme(house)
    known, fresh = new_address(), new_address()
    waiting = await invited(there, known)
    wanted = [
        (fresh, "member"),
        ("nonsense", "member"),
        (there.member.email, "member"),
        (known, "admin"),
        (new_address(), "owner"),
        (fresh.upper(), "admin"),
    ]
    body = {"invites": [{"email": email, "role": role} for email, role in wanted]}
    answer = await there.admin.post(f"{there.path}/bulk", body)
    assert answer.status == 200
    items = answer.json["items"]
    assert [one["email"] for one in items] == [email for email, _ in wanted]
    assert [one["status"] for one in items] == [201, 422, 409, 200, 403, 409]
    codes = [one["problem"] and one["problem"]["code"] for one in items]
    assert codes == [None, "invalid", "already_member", None, "above_you", "listed_twice"]
    assert items[3]["invite"]["id"] == waiting["id"]
    assert items[1]["problem"]["errors"][0]["at"] == "body.invites[1].email"
    assert await mails_to(house, fresh) == 1
    rows = await house.rows("select from tenantry.invites where email = $1", wanted[4][0])
    assert rows == [], "what was refused left nothing"


async def test_too_many_at_once_are_refused_before_anybody_is_invited(house: Installation, there: Acme) -> None:
    before = await house.rows("select count(*) from tenantry.invites")
    for number in (0, INVITES_AT_ONCE + 1):
        body = {"invites": [{"email": new_address(), "role": "member"} for _ in range(number)]}
        assert (await there.owner.post(f"{there.path}/bulk", body)).status == 422
    assert await house.rows("select count(*) from tenantry.invites") == before


async def test_one_organization_has_only_so_many_invites_waiting(house: Installation) -> None:
    there = await acme(house)
    await house.rows(
        "insert into tenantry.invites (org_id, id, email, email_key, role, muted, invited_by, expires_at)"
        " select org_id, gen_random_uuid(), 'n' || n, 'n' || n, 'member', false, invited_by, expires_at"
        " from tenantry.invites, generate_series(1, $1::integer) as n where email = $2 returning id",
        MOST_PENDING - 1,
        there.member.email,
    )
    sent = await invited(there, new_address())
    answers = await asyncio.gather(
        *(there.owner.post(there.path, {"email": new_address(), "role": "member"}) for _ in range(5))
    )
    assert {answer.code for answer in answers} == {"too_many_invites"}
    again = await there.owner.post(there.path, {"email": sent["email"], "role": "member"})
    assert again.status == 200, "what waits already can be renewed"


@pytest.fixture
async def limited(
    databases: Databases, registry: Registry, tmp_path: Path, clock: HandClock
) -> AsyncIterator[Installation]:
    """An installation that counts, and follows the clock set by hand."""
    environ = {"TENANTRY_RATE_LIMITS": "remote"} | clock.environ
    async with databases.fresh() as url, installed(url, tmp_path, registry=registry, environ=environ) as running:
        yield running


async def test_an_address_gets_three_mails_a_day_from_one_organization(limited: Installation, clock: HandClock) -> None:
    there, email = await acme(limited), new_address()
    answers = [await there.owner.post(there.path, {"email": email, "role": "member"}) for _ in range(5)]
    assert [answer.status for answer in answers] == [201, 200, 200, 429, 429]
    assert 7 * 3600 < int(answers[-1].headers["retry-after"]) <= 8 * 3600
    sent = await row_of(limited, {"email": email})
    assert sent["generation"] == 2, "what was refused rotated nothing"
    assert (await there.owner.post(f"{there.path}/{answers[0].json['id']}/resend")).code == "rate_limited"
    [item] = (await there.owner.post(f"{there.path}/bulk", {"invites": [{"email": email, "role": "member"}]})).json[
        "items"
    ]
    assert (item["status"], item["problem"]["code"]) == (429, "rate_limited")
    clock.advance(hours=24)
    there.owner = await signed_in_again(limited, there.owner.email)
    assert (await there.owner.post(there.path, {"email": email, "role": "member"})).status == 200


async def test_an_address_that_everybody_writes_to_is_left_alone_and_nobody_is_told(limited: Installation) -> None:
    email = new_address()
    answers = []
    for _ in range(12):
        boss = await limited.person()
        org = (await boss.post("/v1/orgs", {"name": "One of many"})).json["id"]
        answers.append(await boss.post(f"/v1/orgs/{org}/invites", {"email": email, "role": "member"}))
    assert {answer.status for answer in answers} == {201}
    assert {frozenset(answer.json) for answer in answers} == {frozenset(answers[0].json)}
    assert await mails_to(limited, email) == 10


async def test_an_organization_sends_two_hundred_a_day(limited: Installation) -> None:
    there = await acme(limited)
    statuses: list[int] = []
    for _ in range(5):
        body = {"invites": [{"email": new_address(), "role": "member"} for _ in range(INVITES_AT_ONCE)]}
        statuses += [one["status"] for one in (await there.owner.post(f"{there.path}/bulk", body)).json["items"]]
    assert statuses.count(201) == 198, "two went to the admin and the member"
    assert statuses.count(429) == 52
    assert (await there.owner.post(there.path, {"email": new_address(), "role": "member"})).code == "rate_limited"


async def test_two_organizations_invite_the_same_crowd_at_once_and_neither_waits_in_a_ring(
    limited: Installation,
) -> None:
    both = [await acme(limited), await acme(limited)]
    crowd = [new_address() for _ in range(30)]
    asked = []
    for there, order in zip(both, (crowd, crowd[::-1]), strict=True):
        body = {"invites": [{"email": email, "role": "member"} for email in order]}
        asked.append(there.owner.post(f"{there.path}/bulk", body))
    for answer in await asyncio.gather(*asked):
        assert answer.status == 200, answer
        assert {one["status"] for one in answer.json["items"]} == {201}


async def test_an_expired_invite_lets_nobody_in_and_can_be_sent_again_or_anew(
    clocked: Installation, clock: HandClock
) -> None:
    there, people = await acme(clocked), [await clocked.person() for _ in range(2)]
    sent = [await invited(there, person.email) for person in people]
    tokens = [await clocked.mailed_token(person.email) for person in people]
    clock.advance(days=7, seconds=1)
    there.owner = await signed_in_again(clocked, there.owner.email)
    people = [await signed_in_again(clocked, person.email) for person in people]
    listed = {one["id"]: one["status"] for one in (await there.owner.get(there.path)).json["items"]}
    assert {listed[one["id"]] for one in sent} == {"expired"}, "before anybody swept them"
    for person, token in zip(people, tokens, strict=True):
        assert (await accept(person, token)).status == 410
        assert (await person.get("/v1/invites")).json["items"] == []
    await on_schedule(clocked, "orgs.expire_invites")
    rows = await clocked.rows("select status from tenantry.invites where user_id is null")
    assert {row["status"] for row in rows} == {"expired"}
    assert len(await clocked.recorded("orgs.invite_expired")) == 2
    resent = await there.owner.post(f"{there.path}/{sent[0]['id']}/resend")
    assert (resent.status, resent.json["status"]) == (200, "pending")
    assert (await invited(there, people[1].email))["id"] != sent[1]["id"]
    assert (await there.owner.post(f"{there.path}/{sent[1]['id']}/resend")).code == "already_invited"
    for person in people:
        assert (await accept(person, await clocked.mailed_token(person.email))).status == 200
    assert (await roles(there)).keys() >= {person.email for person in people}


async def test_what_is_left_of_an_invite_goes_a_month_after_its_end(clocked: Installation, clock: HandClock) -> None:
    there = await acme(clocked)
    await invited(there, new_address())
    clock.advance(days=8)
    await on_schedule(clocked, "orgs.expire_invites")
    assert len(await clocked.rows("select from tenantry.invites")) == 3
    clock.advance(days=29)
    await on_schedule(clocked, "orgs.expire_invites")
    assert len(await clocked.rows("select from tenantry.invites")) == 1
    clock.advance(days=2)
    await on_schedule(clocked, "orgs.expire_invites")
    assert await clocked.rows("select from tenantry.invites") == []
