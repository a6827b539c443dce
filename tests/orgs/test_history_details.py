"""What is personal about an organization's history: said beside it, erased with the person, and provable until then."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Any

import pytest
from inviting import on_schedule, signed_in_again
from org_closing import Place, as_house, founded, user_of

from tenantry.accounts import actions as accounts
from tenantry.accounts.problems import AddressTaken
from tenantry.foundation.events.details import digest_of
from tenantry.foundation.forgetting import ForgettingWork
from tenantry.foundation.net.address import read_address
from tenantry.foundation.problems import Forbidden
from tenantry.foundation.work import PersonWork, SystemWork
from tenantry.orgs import actions
from tenantry.testing import Client, HandClock, Installation
from tenantry.testing.installation import PASSWORD

COLUMNS = """
    select relname, attname
      from pg_attribute
      join pg_class on pg_class.oid = attrelid
     where relnamespace = 'tenantry'::regnamespace
       and relkind in ('r', 'p')
       and not relispartition
       and attnum > 0
       and not attisdropped
       and has_column_privilege('tenantry_system', pg_class.oid, attname, 'select')
"""
DETAILS_OF = """
    select events.digest, details.salt, details.named::text, details.person_id, details.email_key
      from tenantry.events
      left join tenantry.details on row_id = public_id and about = 'subject'
     where kind = $1
     order by events.id
"""


async def _holding(house: Installation, *needles: str) -> set[str]:
    """The columns, of any table, in which any row says one of these; bytes are read as text too."""
    found = set()
    for table, column in await house.rows(COLUMNS):
        said = " or ".join(
            f'strpos(lower("{column}"::text), lower(${n}::text)) > 0'
            f" or strpos(\"{column}\"::text, encode(convert_to(${n}::text, 'utf8'), 'hex')) > 0"
            for n in range(1, len(needles) + 1)
        )
        if await house.rows(f'select from tenantry."{table}" where {said} limit 1', *needles):
            found.add(f"{table}.{column}")
    return found


async def _details(house: Installation, kind: str) -> list[dict[str, Any]]:
    """What stands beside the events of a kind, in their order."""
    rows = await house.rows(DETAILS_OF, kind)
    return [dict(row) | {"named": row["named"] and json.loads(row["named"])} for row in rows]


async def _invite(place: Place, email: str, role: str = "member") -> dict[str, Any]:
    answer = await place.owner.post(f"{place.path}/invites", {"email": email, "role": role})
    assert answer.status == 201, answer
    sent: dict[str, Any] = answer.json
    return sent


async def _move(house: Installation, person: Client, email: str) -> Client:
    """The same person with another address that they proved."""
    asked = await person.post("/v1/users/me/email", {"email": email, "password": PASSWORD})
    assert asked.status == 202, asked
    proof = {"token": await house.mailed_token(email)}
    assert (await person.post("/v1/users/me/email/confirmation", proof)).status == 200
    return await signed_in_again(house, email)


async def _close(person: Client) -> None:
    assert (await person.post("/v1/users/me/closure", {"password": PASSWORD})).status == 200


async def _purge(house: Installation, clock: HandClock) -> None:
    clock.advance(days=30, hours=1)
    await on_schedule(house, "accounts.ask_for_purges")


# what is said


async def test_an_invites_address_stands_beside_its_events_and_not_in_them(house: Installation) -> None:
    place = await founded(house)
    sent = await _invite(place, "Said.Beside@Example.com")
    again = await place.owner.post(f"{place.path}/invites/{sent['id']}/resend")
    assert again.status == 200, again
    for kind in ("orgs.invite_sent", "orgs.invite_resent"):
        *_, last = await _details(house, kind)
        assert last["named"] == {"email": "Said.Beside@example.com"}
        assert (last["person_id"], last["email_key"]) == (None, "said.beside@example.com")
    assert "events.payload" not in await _holding(house, "said.beside@")


async def test_a_profile_says_what_it_says_now_and_what_it_said_before(house: Installation) -> None:
    ada = await house.person(name="Ada Byron")
    for body in ({"name": "Ada Lovelace", "locale": "fr"}, {"timezone": "Europe/Paris"}):
        assert (await ada.patch("/v1/users/me", body, headers={"if-match": "*"})).status == 200
    first, second = (await _details(house, "accounts.profile_changed"))[-2:]
    assert first["named"] == {"name": "Ada Lovelace", "name_was": "Ada Byron", "locale": "fr", "locale_was": "en"}
    assert second["named"] == {"timezone": "Europe/Paris", "timezone_was": "UTC"}
    assert {first["person_id"], second["person_id"]} == {user_of(ada)}


async def test_a_joining_and_a_proven_address_say_which_and_one_that_is_only_asked_for_does_not(
    installation: Installation,
) -> None:
    ada = await installation.person("first@example.com", name="Ada Byron")
    [joined] = await _details(installation, "accounts.user_joined")
    assert joined["named"] == {"email": "first@example.com", "name": "Ada Byron"}
    assert (joined["person_id"], joined["email_key"]) == (user_of(ada), "first@example.com")
    await ada.post("/v1/users/me/email", {"email": "somebody.elses@example.com", "password": PASSWORD})
    await _move(installation, ada, "Second@example.com")
    assert [one["named"] for one in await _details(installation, "accounts.address_change_asked")] == [None, None]
    [moved] = await _details(installation, "accounts.address_changed")
    assert moved["named"] == {"email": "Second@example.com", "email_was": "first@example.com"}
    # by the one that was given up
    assert (moved["person_id"], moved["email_key"]) == (user_of(ada), "first@example.com")


async def test_a_person_takes_the_details_about_them_away(house: Installation) -> None:
    place, ada, eve = await founded(house), await house.person(name="Ada Byron"), await house.person()
    assert (await ada.patch("/v1/users/me", {"name": "Ada King"}, headers={"if-match": "*"})).status == 200
    for invited in (ada, eve):
        await _invite(place, invited.email)
    assert (await ada.post("/v1/users/me/exports")).status == 202
    token = await house.mailed_token(ada.email)
    answer = await ada.post("/v1/users/me/exports/download", {"token": token})
    held = answer.json["sections"]
    said = {one["kind"]: one["details"] for one in held["history"]}
    assert said["accounts.profile_changed"] == {"name": "Ada King", "name_was": "Ada Byron"}
    assert said["accounts.session_started"] is None
    assert [one["details"] for one in held["noted"] if one["about"] == "subject"] == [{"email": ada.email}]
    assert eve.email not in answer.body.decode()


# what is erased


async def _with_a_past(house: Installation) -> tuple[Client, Place]:
    """A person who was invited before they joined, belongs to an organization, and changed name and address."""
    place = await founded(house)
    await _invite(place, "ottoline@example.com", "admin")
    other = await founded(house, "Other")
    await _invite(other, "ottoline@example.com")
    # sent before, so that the newest mail is the one that they join with
    await house.drain_jobs()
    person = await house.person("ottoline@example.com", name="Ottoline Quux")
    token = await house.mailed_token("ottoline@example.com")
    for offer in (await person.get("/v1/invites")).json["items"]:
        if offer["org"] == place.id:
            assert (await person.post("/v1/invites/acceptance", {"invite": offer["id"]})).status == 200
    assert token
    assert (await person.patch("/v1/users/me", {"name": "Xenia Quux"}, headers={"if-match": "*"})).status == 200
    return await _move(house, person, "xenia@example.com"), place


async def test_a_purge_leaves_no_value_of_a_person_and_all_of_what_happened(
    clocked: Installation, clock: HandClock
) -> None:
    person, place = await _with_a_past(clocked)
    values = ("ottoline", "xenia", "quux")
    assert {"details.named", "details.email_key", "users.name"} <= await _holding(clocked, *values)
    kinds = ("orgs.invite_sent", "accounts.user_joined", "accounts.profile_changed", "accounts.address_changed")
    kept = {kind: await _details(clocked, kind) for kind in kinds}
    history = await clocked.rows("select id, digest from tenantry.events order by id")
    await _close(person)
    await _purge(clocked, clock)
    assert await _holding(clocked, *values) == set()
    left = await clocked.rows("select id, digest from tenantry.events order by id")
    assert left[: len(history)] == history
    for kind, before in kept.items():
        after = await _details(clocked, kind)
        for was, now in zip(before, after, strict=True):
            assert was["digest"] == now["digest"] is not None
            gone = any(value in json.dumps(was["named"]).lower() for value in values)
            assert gone is (now["named"] is None), (kind, was, now)
    # nobody else's went with them
    assert place.owner.email in json.dumps([one["named"] for one in await _details(clocked, "accounts.user_joined")])


async def test_a_copy_that_somebody_kept_proves_itself_after_the_erasure_and_a_changed_one_does_not(
    clocked: Installation, clock: HandClock
) -> None:
    place = await founded(clocked)
    await _invite(place, "copied@example.com")
    [kept] = await clocked.rows(DETAILS_OF, "orgs.invite_sent")
    async with SystemWork(as_house(clocked), reason="a test") as work:
        await accounts.forget_address(work, address=read_address("copied@example.com"))
    [left] = await clocked.rows(DETAILS_OF, "orgs.invite_sent")
    assert left["salt"] is left["named"] is None
    text = json.dumps(json.loads(kept["named"]), separators=(",", ":"))
    assert digest_of(kept["salt"], text) == left["digest"]
    assert digest_of(kept["salt"], text.replace("copied", "forged")) != left["digest"]
    # and from the address alone nobody finds it again
    assert digest_of(b"", text) != left["digest"]


async def test_an_address_that_never_had_an_account_is_forgotten_when_it_is_asked(house: Installation) -> None:
    place, other = await founded(house), await founded(house)
    for one in (place, other):
        await _invite(one, "never.had@example.com")
    await _invite(place, "stays.here@example.com")
    await house.register("never.had@example.com", name="Never Had")
    async with SystemWork(as_house(house), reason="a test") as work:
        await accounts.forget_address(work, address=read_address("Never.Had@example.com"))
    assert await _holding(house, "never.had", "never had") == set()
    assert "invites.email" in await _holding(house, "stays.here")
    gone = [one for one in await house.recorded("orgs.invite_forgotten") if one["why"] == "purged"]
    assert {str(place.uuid), str(other.uuid)} <= {one["org_id"] for one in gone}
    assert (await house.recorded("accounts.address_forgotten"))[-1] == {}


async def test_the_address_of_an_account_is_not_forgotten_beside_it(house: Installation) -> None:
    ada = await house.person()
    with pytest.raises(AddressTaken):
        async with SystemWork(as_house(house), reason="a test") as work:
            await accounts.forget_address(work, address=read_address(ada.email))
    assert "users.email" in await _holding(house, ada.email)


async def test_nobody_but_the_house_forgets_an_address_or_parts_with_a_person(house: Installation) -> None:
    ada = await house.person()
    for verb, given in (
        (accounts.forget_address, {"address": read_address("x@example.com")}),
        (actions.part_with, {"user_id": user_of(ada), "email_key": ada.email}),
    ):
        with pytest.raises(Forbidden):
            async with await _as_person(house, ada) as work:
                await verb(work, **given)  # type: ignore[operator]


async def _as_person(house: Installation, person: Client) -> PersonWork:
    from_newest = "select id from tenantry.sessions where user_id = $1 order by created_at desc"
    [session, *_] = await house.rows(from_newest, user_of(person))
    call = as_house(house)
    actor = type(call.actor)("person", user_of(person), session["id"])
    return PersonWork(type(call)(house.runtime, actor, "a-test"))


async def test_what_was_said_of_an_address_after_it_was_given_up_is_its_next_holders(
    clocked: Installation, clock: HandClock
) -> None:
    place = await founded(clocked)
    first = await clocked.person("shared@example.com")
    clock.advance(seconds=10)
    await _invite(place, "shared@example.com")
    clock.advance(seconds=10)
    first = await _move(clocked, first, "elsewhere@example.com")
    clock.advance(seconds=10)
    await clocked.person("shared@example.com", name="Next Holder")
    other = await founded(clocked, "Other", place.owner)
    await _invite(other, "shared@example.com")
    await _close(first)
    await _purge(clocked, clock)
    sent = await _details(clocked, "orgs.invite_sent")
    assert [one["named"] for one in sent] == [None, {"email": "shared@example.com"}]
    assert len(await clocked.rows("select from tenantry.invites")) == 2
    assert [
        one["name"] for one in await clocked.rows("select name from tenantry.users where email like 'shared@%'")
    ] == ["Next Holder"]


async def test_an_address_that_a_person_only_asked_for_is_not_theirs_to_have_erased(
    clocked: Installation, clock: HandClock
) -> None:
    place, mallory = await founded(clocked), await clocked.person()
    await _invite(place, "victim@example.com")
    clock.advance(seconds=10)
    await mallory.post("/v1/users/me/email", {"email": "victim@example.com", "password": PASSWORD})
    await _close(mallory)
    await _purge(clocked, clock)
    assert [one["named"] for one in await _details(clocked, "orgs.invite_sent")] == [{"email": "victim@example.com"}]


# what organizations say when a person is purged


async def test_every_organization_says_that_a_purged_person_is_no_member_and_their_invites_are_gone(
    clocked: Installation, clock: HandClock
) -> None:
    person, place = await _with_a_past(clocked)
    at: datetime = clock.now
    await _close(person)
    await _purge(clocked, clock)
    left = {"org_id": str(place.uuid), "user_id": str(user_of(person)), "why": "purged"}
    assert left in await clocked.recorded("orgs.member_left")
    gone = await clocked.recorded("orgs.invite_forgotten")
    # one was accepted, the other was to the address that was theirs before
    assert {one["why"] for one in gone} == {"purged"}
    assert len({one["org_id"] for one in gone}) == len(gone) == 2
    found = await clocked.rows("select org_id from tenantry.events where kind = 'orgs.member_left' and at > $1", at)
    assert [row["org_id"] for row in found] == [place.uuid]


async def test_an_organization_that_is_purged_at_the_same_moment_keeps_nothing_of_it(
    clocked: Installation, clock: HandClock
) -> None:
    place = await founded(clocked)
    second = await place.joined("owner")
    await place.close()
    await _close(second)
    clock.advance(days=31)
    async with SystemWork(as_house(clocked), reason="a test") as work:
        await accounts.purge_person(work, user_id=user_of(second))
        purging = asyncio.create_task(_purge_org(clocked, place))
        async with asyncio.timeout(10):
            while not await clocked.rows("select from pg_locks where not granted"):
                assert not purging.done()
                await asyncio.sleep(0.01)
    await purging
    assert await clocked.rows("select from tenantry.events where org_id = $1", place.uuid) == []
    assert await clocked.rows("select from tenantry.orgs where id = $1", place.uuid) == []


async def _purge_org(house: Installation, place: Place) -> None:
    done = False
    while not done:
        async with ForgettingWork(as_house(house), reason="a test") as work:
            done = await actions.purge_org(work, org_id=place.uuid)
