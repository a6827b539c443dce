"""The verbs of accounts: what each changes, records and refuses, on one transaction."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest

from tenantry.accounts import actions, exchanges, queries
from tenantry.accounts.events import SessionEnded
from tenantry.accounts.models import Credential
from tenantry.accounts.problems import AddressTaken, LinkInvalid
from tenantry.foundation.action import Refusal
from tenantry.foundation.call import NOBODY, Actor, Call
from tenantry.foundation.data.ids import SESSION_ID, USER_ID, new_id
from tenantry.foundation.net.address import read_address
from tenantry.foundation.problems import Forbidden, Unavailable, VersionMismatch
from tenantry.foundation.refusals import SessionEnded as SessionHasEnded
from tenantry.foundation.security.refresh import RefreshClaim
from tenantry.foundation.work import PersonWork, SystemWork
from tenantry.testing import Client, Installation
from tenantry.testing.installation import PASSWORD


def _nobody(house: Installation) -> Call:
    return Call(house.runtime, NOBODY, "request-of-a-test")


async def _as_person(house: Installation, ada: Client) -> Call:
    claims = await house.runtime.keys.verify(ada.tokens["access_token"])
    return Call(
        house.runtime, Actor("person", USER_ID.read(claims.sub), SESSION_ID.read(claims.sid)), "request-of-a-test"
    )


async def _history(house: Installation) -> list[str]:
    return [row["kind"] for row in await house.rows("select kind from tenantry.events order by tx, id")]


async def test_the_way_of_a_person_is_written_as_a_history(installation: Installation) -> None:
    ada = await installation.person("ada@example.com")
    await ada.patch("/v1/users/me", {"name": "Ada King"})
    await installation.client.post("/v1/auth/login", {"email": ada.email, "password": "not the right one"})
    await installation.client.post("/v1/auth/refresh", {"refresh_token": ada.tokens["refresh_token"]})
    await ada.post("/v1/auth/logout", {})
    assert await _history(installation) == [
        "accounts.registration_asked",
        "accounts.user_joined",
        "accounts.session_started",
        "accounts.profile_changed",
        "accounts.login_refused",
        "accounts.session_refreshed",
        "accounts.session_ended",
    ]


async def test_a_history_names_the_actor_the_person_and_the_request(installation: Installation) -> None:
    ada = await installation.person("ada@example.com")
    answer = await ada.patch("/v1/users/me", {"name": "Ada King", "locale": "de"})
    (event,) = await installation.rows("select * from tenantry.events where kind = 'accounts.profile_changed'")
    user = str(USER_ID.read(ada.user_id))
    assert str(event["person_id"]) == user
    assert event["request_id"] == answer.headers["x-request-id"]
    assert json.loads(event["actor"])["person"] == user
    assert json.loads(event["payload"]) == {"user_id": user, "fields": ["name", "locale"], "version_after": 2}


async def test_a_history_holds_no_address_name_or_password(installation: Installation) -> None:
    ada = await installation.person("ada@example.com", name="Ada Lovelace")
    await ada.patch("/v1/users/me", {"name": "Ada King"})
    written = str(await installation.rows("select payload::text, actor::text from tenantry.events"))
    for personal in ("ada@example.com", "Lovelace", "King", PASSWORD):
        assert personal not in written


async def test_a_person_cannot_use_the_verbs_of_the_house(house: Installation) -> None:
    call = await _as_person(house, await house.person())
    with pytest.raises(Forbidden):
        async with PersonWork(call) as work:
            await actions.remove_expired_registrations(work)  # type: ignore[type-var]


async def test_nobody_has_no_profile_to_change(house: Installation) -> None:
    with pytest.raises(Forbidden):
        async with SystemWork(_nobody(house), reason="a test") as work:
            await actions.change_profile(work, name="Eve")  # type: ignore[type-var]


async def test_a_profile_is_changed_for_oneself_alone(house: Installation) -> None:
    ada, eve = await house.person(), await house.person(name="Eve")
    async with PersonWork(await _as_person(house, ada)) as work:
        changed = await actions.change_profile(work, name="Ada King", version=1)
    assert (changed.name, changed.version) == ("Ada King", 2)
    assert (await eve.get("/v1/users/me")).json["name"] == "Eve"


async def test_a_stale_version_changes_and_records_nothing(house: Installation) -> None:
    ada = await house.person()
    before = await _history(house)
    with pytest.raises(VersionMismatch):
        async with PersonWork(await _as_person(house, ada)) as work:
            await actions.change_profile(work, name="Ada King", version=7)
    assert await _history(house) == before


async def test_a_hash_that_was_replaced_meanwhile_lets_nobody_in(house: Installation) -> None:
    ada = await house.person()
    user_id = USER_ID.read(ada.user_id)
    assert user_id is not None
    for fresh in (None, "a hash in today's parameters"):
        async with SystemWork(_nobody(house), reason="a test") as work:
            let_in = await actions.let_in(work, credential=Credential(user_id, ada.email, "an old hash"), fresh=fresh)
        assert let_in is None
    (session,) = await house.rows("select count(*) from tenantry.sessions where user_id = $1", user_id)
    assert session["count"] == 1


async def test_an_account_disabled_while_its_password_was_checked_lets_nobody_in(house: Installation) -> None:
    ada = await house.person()
    async with SystemWork(_nobody(house), reason="a test") as work:
        credential = await actions.guess(work, email_key=ada.email)
    assert credential is not None
    await house.rows("update tenantry.users set disabled_at = tenantry.now() where id = $1", credential.user_id)
    async with SystemWork(_nobody(house), reason="a test") as work:
        assert await actions.let_in(work, credential=credential, fresh=None) is None


async def test_a_generation_that_was_never_given_out_is_refused_and_harms_nobody(house: Installation) -> None:
    ada = await house.person()
    call = await _as_person(house, ada)
    assert call.actor.session is not None
    async with SystemWork(_nobody(house), reason="a test") as work:
        answer = await actions.refresh_session(work, claim=RefreshClaim(call.actor.session, 5))
    assert isinstance(answer, Refusal)
    assert answer.problem.code == "refresh_refused"
    assert (await ada.get("/v1/users/me")).status == 200


async def test_an_ended_session_signs_nobody_else_out(house: Installation) -> None:
    ada = await house.person()
    call = await _as_person(house, ada)
    await ada.post("/v1/auth/logout", {})
    other = await house.client.post("/v1/auth/login", {"email": ada.email, "password": PASSWORD})
    with pytest.raises(SessionHasEnded):
        await exchanges.logout(call, scope="all", refresh_token=None)
    assert (await house.client.signed_in(other.json).get("/v1/users/me")).status == 200


async def test_ending_a_session_twice_is_recorded_once(house: Installation) -> None:
    call = await _as_person(house, await house.person())
    before = len(await house.recorded(SessionEnded.kind))
    given: dict[str, Any] = {"session_id": call.actor.session, "user_id": call.actor.person, "why": "revoked"}
    for _ in range(2):
        async with SystemWork(_nobody(house), reason="a test") as work:
            await actions.end_session(work, **given)
    assert len(await house.recorded(SessionEnded.kind)) == before + 1


async def test_without_a_signing_key_nothing_is_used_up(installation: Installation) -> None:
    ada = await installation.person("ada@example.com")
    proof = await installation.register("bob@example.com")
    token = await installation.mailed_token("bob@example.com")
    ring = installation.runtime.keys
    signing, ring._signing = ring._signing, None
    call = _nobody(installation)
    try:
        for attempt in (
            exchanges.refresh(call, token=ada.tokens["refresh_token"]),
            exchanges.login(call, address=read_address(ada.email), password=PASSWORD),
            exchanges.verify_with_registration(call, token=token, proof=proof),
        ):
            with pytest.raises(Unavailable):
                await attempt
    finally:
        ring._signing = signing
    rows = await installation.rows("select counter from tenantry.sessions")
    assert [row["counter"] for row in rows] == [0]
    body = {"token": token, "registration": proof}
    assert (await installation.client.post("/v1/auth/verify-email", body)).status == 200


async def test_only_expired_registrations_are_removed(installation: Installation) -> None:
    await installation.register("fresh@example.com")
    await installation.register("stale@example.com")
    await installation.rows(
        "update tenantry.registrations set expires_at = tenantry.now() - interval '1 s'"
        " where email = 'stale@example.com'"
    )
    async with SystemWork(_nobody(installation), reason="a test") as work:
        assert await actions.remove_expired_registrations(work) == 1
    assert [row["email"] for row in await installation.rows("select email from tenantry.registrations")] == [
        "fresh@example.com"
    ]


async def test_asking_to_join_keeps_a_registration_and_joining_takes_it(installation: Installation) -> None:
    address = read_address("Grace@Example.com")
    async with SystemWork(_nobody(installation), reason="a test") as work:
        asked = await actions.ask_to_join(work, address=address, name="Grace", password_hash="a hash")
        registration = await queries.pending_registration(work, registration_id=asked)
        assert registration is not None
        assert (registration.email, registration.email_key) == ("Grace@example.com", "grace@example.com")
        user = await actions.join(work, registration=registration)
        with pytest.raises(LinkInvalid):
            await actions.join(work, registration=registration)
    assert (user.email, user.name, user.version) == ("Grace@example.com", "Grace", 1)
    (joined,) = await installation.recorded("accounts.user_joined")
    assert joined == {"user_id": str(user.id), "registration_id": str(asked)}


async def test_asking_for_the_mail_again_is_about_the_newest_registration(installation: Installation) -> None:
    address = read_address("grace@example.com")
    for name in ("first", "second"):
        await installation.register(address.typed, name=name)
    async with SystemWork(_nobody(installation), reason="a test") as work:
        await actions.ask_verification_again(work, address=address)
        await actions.ask_verification_again(work, address=read_address("nobody@example.com"))
    known, unknown = await installation.recorded("accounts.verification_asked_again")
    (newest,) = await installation.rows("select id from tenantry.registrations order by id desc limit 1")
    assert known["registration_id"] == str(newest["id"])
    assert unknown["registration_id"] != str(newest["id"])


async def test_an_operator_adds_a_person_who_can_sign_in_at_once(installation: Installation) -> None:
    call = Call(installation.runtime, Actor("cli", name="test"), "test-request")
    address = read_address("grace@example.com")
    with pytest.raises(Forbidden):
        await exchanges.add_person(_nobody(installation), address=address, name="Eve", password=PASSWORD)
    user = await exchanges.add_person(call, address=address, name="Grace", password=PASSWORD)
    assert user.email == "grace@example.com"
    login = {"email": user.email, "password": PASSWORD}
    assert (await installation.client.post("/v1/auth/login", login)).status == 200
    with pytest.raises(AddressTaken):
        await exchanges.add_person(call, address=address, name="Eve", password=PASSWORD)
    assert await installation.mails() == []


async def test_a_person_cannot_add_people(house: Installation) -> None:
    call = await _as_person(house, await house.person())
    with pytest.raises(Forbidden):
        async with PersonWork(call) as work:
            await actions.add_person(work, address=read_address("x@example.com"), name="X", password_hash="x")  # type: ignore[type-var]


async def test_a_session_remembers_where_it_was_started_within_bounds(house: Installation) -> None:
    ada = await house.person()
    user_id = USER_ID.read(ada.user_id)
    assert user_id is not None
    call = Call(house.runtime, NOBODY, "request-of-a-test", source="1.2.3.4", agent="a" * 5000)
    async with SystemWork(call, reason="a test") as work:
        started = await actions.start_session(work, user_id=user_id)
    (row,) = await house.rows("select source, agent from tenantry.sessions where id = $1", started.session_id)
    assert (row["source"], row["agent"]) == ("1.2.3.4", "a" * 300)


async def test_a_refused_login_is_committed_for_known_and_unknown(installation: Installation) -> None:
    known = USER_ID.read((await installation.person()).user_id)
    for user_id in (known, None):
        async with SystemWork(_nobody(installation), reason="a test") as work:
            refusal = await actions.refuse_login(work, user_id=user_id)
        assert (refusal.problem.status, refusal.problem.code) == (401, "invalid_credentials")
    assert await installation.recorded("accounts.login_refused") == [{"user_id": str(known)}, {"user_id": None}]


@pytest.mark.parametrize(("scope", "left"), [("local", 2), ("others", 1), ("all", 0)])
async def test_logging_out_ends_and_records_each_session_of_its_scope(
    installation: Installation, scope: Literal["local", "others", "all"], left: int
) -> None:
    ada = await installation.person()
    call = await _as_person(installation, ada)
    assert call.actor.person is not None
    assert call.actor.session is not None
    async with SystemWork(_nobody(installation), reason="a test") as work:
        for _ in range(2):
            await actions.start_session(work, user_id=call.actor.person)
        await actions.log_out(work, user_id=call.actor.person, session_id=call.actor.session, scope=scope)
    assert len(await installation.rows("select from tenantry.sessions where ended_at is null")) == left
    ended = await installation.recorded(SessionEnded.kind)
    assert len({event["session_id"] for event in ended}) == len(ended) == 3 - left
    assert {event["why"] for event in ended} == {"logout"}


async def test_the_steps_of_proving_and_asking_again_work_without_http(installation: Installation) -> None:
    call, address = _nobody(installation), read_address("grace@example.com")
    await exchanges.register(call, address=address, name="Grace", password=PASSWORD)
    await exchanges.resend_verification(call, address=address)
    token = await installation.mailed_token(address.typed)
    assert len(await installation.mails()) == 2
    signed_in = await exchanges.verify_with_password(call, token=token, password=PASSWORD)
    assert signed_in.user.email == address.typed
    with pytest.raises(LinkInvalid):
        await exchanges.verify_with_password(call, token=token, password=PASSWORD)


async def test_a_retried_mail_is_counted_once(installation: Installation) -> None:
    job = new_id()
    for _ in range(5):
        async with SystemWork(_nobody(installation), reason="a test") as work:
            assert await actions.may_mail(work, job=job, email_key="ada@example.com")
    assert len(await installation.rows("select from tenantry.registration_mails")) == 1
