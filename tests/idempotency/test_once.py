"""What is asked under an idempotency key is done once, and answered the same, byte by byte, from then on."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from uuid import UUID

import pytest

from patience import until
from tenantry.foundation.answers import KEPT_FOR, LONGEST_KEY, claim_answer, claim_of, fingerprint_of, open_answer
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import ORG_ID, USER_ID
from tenantry.foundation.domain import Registry
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.work import SystemWork
from tenantry.testing import Client, Installation, Response, Team, installed
from tenantry.testing.installation import PASSWORD

INVITE = {"email": "grace@example.com", "role": "member"}
ALTERED = "update tenantry.kept_answers set sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1) returning at"
AGES = "select tenantry.now()::date - at::date as days from tenantry.kept_answers order by at desc"
ROWS = "select sealed, at from tenantry.kept_answers"


@pytest.fixture(autouse=True)
async def nothing_kept(house: Installation) -> None:
    await house.rows("delete from tenantry.kept_answers returning at")


@pytest.fixture
async def team(house: Installation) -> Team:
    return await house.team()


async def invited(person: Client, team: Team, key: str, body: object = INVITE) -> Response:
    return await person.post(f"{team.path}/invites", body, headers={"idempotency-key": key})


def user_id(person: Client) -> UUID:
    found = USER_ID.read(person.user_id)
    assert found is not None
    return found


async def sent(house: Installation, team: Team) -> int:
    """How often somebody was invited there."""
    return [event["org_id"] for event in await house.recorded("orgs.invite_sent")].count(str(ORG_ID.read(team.org)))


async def test_asking_again_is_answered_with_the_same_bytes_and_does_nothing(house: Installation, team: Team) -> None:
    first = await invited(team.admin, team, "once")
    again = await invited(team.admin, team, "once")
    assert (first.status, again.status) == (201, 201)
    assert again.body == first.body
    assert again.headers["content-type"] == first.headers["content-type"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert await sent(house, team) == 1


async def test_another_key_is_another_request(house: Installation, team: Team) -> None:
    assert (await invited(team.admin, team, "one")).json == (await invited(team.admin, team, "one")).json
    await invited(team.admin, team, "two", INVITE | {"email": "alan@example.com"})
    assert await sent(house, team) == 2


@pytest.mark.parametrize("body", [INVITE | {"role": "admin"}, INVITE | {"email": "alan@example.com"}])
async def test_a_key_means_what_it_was_first_used_for(house: Installation, team: Team, body: object) -> None:
    await invited(team.admin, team, "once")
    again = await invited(team.admin, team, "once", body)
    assert (again.status, again.code) == (422, "idempotency_key_reused")
    assert await sent(house, team) == 1


async def test_a_key_means_one_operation_and_one_precondition(team: Team) -> None:
    await invited(team.admin, team, "once")
    headers = {"idempotency-key": "once"}
    for changed in (headers, headers | {"if-match": "*"}):
        again = await team.admin.patch(team.path, {"name": "Bcme"}, headers=changed)
        assert (again.status, again.code) == (422, "idempotency_key_reused")
    assert (await team.admin.get(team.path)).json["name"] == "Acme"


async def test_nobody_is_answered_what_somebody_else_was(house: Installation, team: Team) -> None:
    await invited(team.admin, team, "once")
    other = await house.team("Other")
    assert (await invited(other.admin, other, "once", INVITE | {"role": "admin"})).status == 201
    assert (await invited(team.owner, team, "once", INVITE | {"email": "alan@example.com"})).status == 201
    assert (await sent(house, team), await sent(house, other)) == (2, 1)


async def test_an_api_key_is_the_same_caller_with_its_next_secret(house: Installation, team: Team) -> None:
    given = {"name": "Inviter", "scopes": ["members:invite"]}
    made = (await team.admin.post(f"{team.path}/api-keys", given)).json
    rotated = (await team.admin.post(f"{team.path}/api-keys/{made['id']}/rotation")).json
    old, new = (house.client.signed_in({"access_token": one["secret"]}) for one in (made, rotated))
    first, again = await invited(old, team, "once"), await invited(new, team, "once")
    assert (first.status, again.status, again.body) == (201, 201, first.body)
    assert await sent(house, team) == 1
    another = (await team.admin.post(f"{team.path}/api-keys", given)).json
    third = await invited(house.client.signed_in({"access_token": another["secret"]}), team, "once")
    assert "idempotency-replayed" not in third.headers
    assert await sent(house, team) == 2


async def test_many_at_once_have_one_effect_and_one_answer(house: Installation, team: Team) -> None:
    answers = await asyncio.gather(*(invited(team.admin, team, "once") for _ in range(20)))
    done = [answer for answer in answers if answer.status == 201]
    assert {answer.body for answer in done} == {done[0].body}
    assert {answer.code for answer in answers if answer.status != 201} <= {"idempotency_key_in_flight"}
    assert await sent(house, team) == 1
    assert len(await house.rows(ROWS)) == 1


async def test_who_asks_while_another_process_does_it_is_told_so_soon(house: Installation, team: Team) -> None:
    claim = claim_of(team.org, user_id(team.admin), None, "once")
    call = Call(house.runtime, Actor("job"), "request-of-a-test")
    async with SystemWork(call, reason="a test is another process") as work:
        await claim_answer(work, claim=claim)
        started = time.monotonic()
        again = await invited(team.admin, team, "once")
        assert (again.status, again.code) == (409, "idempotency_key_in_flight")
        assert time.monotonic() - started < 4
    assert (await invited(team.admin, team, "once")).status == 201


async def test_behind_a_pooler_it_is_told_so_as_soon(database_url: str, tmp_path: Path, registry: Registry) -> None:
    environ = {"TENANTRY_DATABASE_POOLER": "transaction"}
    async with installed(database_url, tmp_path, registry=registry, environ=environ) as pooled:
        await test_who_asks_while_another_process_does_it_is_told_so_soon(pooled, await pooled.team())


async def test_what_waits_behind_another_request_holds_no_connection(house: Installation, team: Team) -> None:
    claim = claim_of(team.org, user_id(team.admin), None, "once")
    call = Call(house.runtime, Actor("job"), "request-of-a-test")
    async with SystemWork(call, reason="a test is another process") as work:
        await claim_answer(work, claim=claim)
        many = [asyncio.create_task(invited(team.admin, team, "once")) for _ in range(50)]
        await until(lambda: bool(house.runtime.in_flight))
        # with fifty that each held one, nobody would get another
        assert (await team.owner.get(team.path)).status == 200
        answers = await asyncio.gather(*many)
    assert {answer.code for answer in answers} == {"idempotency_key_in_flight"}


async def test_a_refusal_is_looked_at_anew(team: Team) -> None:
    me = await team.member.get("/v1/users/me")
    refused = await invited(team.admin, team, "once", {"email": me.json["email"], "role": "member"})
    assert refused.status == 409
    assert (await team.member.delete(f"{team.path}/members/me")).status == 204
    again = await invited(team.admin, team, "once", {"email": me.json["email"], "role": "member"})
    assert again.status == 201


async def test_whoever_may_not_ask_any_more_is_not_answered_either(team: Team) -> None:
    assert (await invited(team.admin, team, "once")).status == 201
    demoted = await team.owner.patch(
        f"{team.path}/members/{team.admin.user_id}", {"role": "member"}, headers={"if-match": "*"}
    )
    assert demoted.status == 200
    assert (await invited(team.admin, team, "once")).status == 403
    assert (await team.owner.delete(f"{team.path}/members/{team.admin.user_id}")).status == 204
    assert (await invited(team.admin, team, "once")).status == 404


async def test_an_answer_without_a_body_and_one_with_a_tag_come_again(team: Team) -> None:
    headers = {"idempotency-key": "rename"}
    first = await team.owner.patch(team.path, {"name": "Bcme"}, headers=headers)
    again = await team.owner.patch(team.path, {"name": "Bcme"}, headers=headers)
    assert (again.body, again.headers["etag"]) == (first.body, first.headers["etag"])
    headers = {"idempotency-key": "leave"}
    path = f"{team.path}/members/{team.member.user_id}"
    gone = await team.owner.delete(path, headers=headers)
    twice = await team.owner.delete(path, headers=headers)
    assert [(answer.status, answer.body) for answer in (gone, twice)] == [(204, b""), (204, b"")]


async def test_what_a_person_does_outside_organizations_is_done_once_too(house: Installation) -> None:
    person = await house.person()
    headers = {"idempotency-key": "found"}
    first, again = [await person.post("/v1/orgs", {"name": "Acme"}, headers=headers) for _ in range(2)]
    assert first.body == again.body
    assert len((await person.get("/v1/orgs")).json["items"]) == 1


async def test_what_is_kept_cannot_be_read_at_rest(house: Installation, team: Team) -> None:
    answer = await invited(team.admin, team, "once")
    [row] = await house.rows(ROWS)
    assert answer.body not in row["sealed"]
    assert b"grace@example.com" not in row["sealed"]


async def test_a_password_that_was_asked_with_cannot_be_tried_out_on_what_is_kept(house: Installation) -> None:
    person = await house.person()
    body = {"password": PASSWORD, "new_password": "another-long-passphrase-4711"}
    changed = await person.post("/v1/users/me/password", body, headers={"idempotency-key": "change"})
    assert changed.status in {200, 204}, changed
    [row] = await house.rows("select to_jsonb(kept_answers) - 'sealed' as open, sealed from tenantry.kept_answers")
    assert set(json.loads(row["open"])) == {"slot", "digest", "at"}
    claim = claim_of("", user_id(person), None, "change")
    answer = open_answer(house.runtime.sealer, claim, row["sealed"])
    asked = json.dumps(body).encode()
    assert answer.fingerprint == fingerprint_of("POST", "/v1/users/me/password", b"", b"", asked)


async def test_an_answer_that_was_altered_is_not_given(house: Installation, team: Team) -> None:
    await invited(team.admin, team, "once")
    await house.rows(
        "update tenantry.kept_answers set sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1) returning at"
    )
    again = await invited(team.admin, team, "once")
    assert (again.status, again.code) == (409, "answer_lost")
    assert await sent(house, team) == 1


@pytest.mark.parametrize("key", ["", "with a space", "é", "x" * (LONGEST_KEY + 1)])
async def test_a_key_that_is_none_is_refused_and_nothing_done(house: Installation, team: Team, key: str) -> None:
    answer = await invited(team.admin, team, key)
    assert (answer.status, answer.code) == (400, "malformed")
    assert await sent(house, team) == 0


async def test_the_longest_key_is_one(team: Team) -> None:
    assert (await invited(team.admin, team, "x" * LONGEST_KEY)).status == 201


async def test_reading_and_signing_in_know_no_keys(house: Installation, team: Team) -> None:
    headers = {"idempotency-key": "with a space"}
    assert (await team.admin.get(team.path, headers=headers)).status == 200
    body = {"email": "nobody@example.com", "password": "wrong-wrong-wrong"}
    assert (await house.client.post("/v1/auth/login", body, headers=headers)).status == 401
    assert await house.rows(ROWS) == []


@pytest.mark.parametrize(("age", "times"), [(KEPT_FOR - 60, 1), (KEPT_FOR, 2)])
async def test_an_answer_is_kept_for_a_day(house: Installation, team: Team, age: int, times: int) -> None:
    await invited(team.admin, team, "once")
    await house.rows("update tenantry.kept_answers set at = at - $1 * interval '1 second' returning at", age)
    assert (await invited(team.admin, team, "once")).status == {1: 201, 2: 200}[times]
    assert await sent(house, team) == times


async def test_what_is_older_than_a_day_is_emptied_and_no_younger_one(house: Installation) -> None:
    person = await house.person()
    await person.post("/v1/orgs", {"name": "Acme"}, headers={"idempotency-key": "new"})
    old = """
        insert into tenantry.kept_answers (slot, digest, at, sealed)
        select tenantry.answer_slot(ago), gen_random_uuid(), tenantry.now() - ago * interval '1 day', 'x'
          from generate_series(1, 2) as ago
     returning digest
    """
    await house.rows(old)
    assert await _ages(house) == [0, 1, 2]
    await _sweep(house)
    assert await _ages(house) == [0, 1]
    await _sweep(house)
    assert await _ages(house) == [0, 1]


async def _ages(house: Installation) -> list[int]:
    rows = await house.rows(
        "select tenantry.now()::date - at::date as days from tenantry.kept_answers order by at desc"
    )
    return [row["days"] for row in rows]


async def _sweep(house: Installation) -> None:
    await house.ask(NewJob("foundation.sweep_answers"))
    await house.drain_jobs()
