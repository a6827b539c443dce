"""Accounts as their clients see them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tenantry.accounts.exchanges import VERIFY
from tenantry.foundation.domain import Registry
from tenantry.foundation.security.passwords import Cost, Passwords
from tenantry.testing import Client, HandClock, Installation, installed
from tenantry.testing.installation import PASSWORD


async def test_a_person_registers_verifies_and_sees_themselves(installation: Installation) -> None:
    ada = await installation.person("ada@example.com", name="Ada Lovelace")
    me = await ada.get("/v1/users/me")
    assert me.status == 200
    assert me.json["email"] == "ada@example.com"
    assert me.json["name"] == "Ada Lovelace"
    assert me.headers["etag"].startswith('"v1-')


# registering


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("k9#xQ", "too_short"),
        ("password123456", "breached"),
        ("Weatherwax.1", "contains_context"),
        ("aaaaaaaaaaaaaaaa", "too_guessable"),
    ],
)
async def test_a_weak_password_is_refused_with_typed_reasons_and_nothing_is_stored(
    house: Installation, password: str, reason: str
) -> None:
    before = await house.rows("select from tenantry.registrations")
    body = {"email": "granny@example.com", "password": password, "name": "Granny Weatherwax"}
    answer = await house.client.post("/v1/auth/register", body)
    assert (answer.status, answer.code) == (422, "weak_password")
    assert reason in answer.json["reasons"]
    assert {error["at"] for error in answer.json["errors"]} == {"body.password"}
    assert len(answer.json["errors"]) == len(answer.json["reasons"])
    assert password not in answer.body.decode()
    assert await house.rows("select from tenantry.registrations") == before


@pytest.mark.parametrize("length", [1025, 4097])
async def test_a_giant_password_is_refused_before_it_is_hashed(house: Installation, length: int) -> None:
    hashed = house.runtime.passwords.submitted
    for path in ("/v1/auth/register", "/v1/auth/login"):
        body = {"email": "a@example.com", "password": "x" * length} | ({"name": "A"} if "register" in path else {})
        assert (await house.client.post(path, body)).status == 422
    assert house.runtime.passwords.submitted == hashed


@pytest.mark.parametrize("password", ["😀" * 20 + "unlikely words here", " leading and trailing ", "x7!kQ-" * 160])
async def test_every_character_of_a_password_counts(house: Installation, password: str) -> None:
    ada = await house.person(password=password)
    for given, status in (
        (password, 200),
        (password[:72], 200 if len(password) <= 72 else 401),
        (password[:-1], 401),
        (password + " ", 401),
        (password.strip(), 200 if password == password.strip() else 401),
    ):
        assert (await house.client.post("/v1/auth/login", {"email": ada.email, "password": given})).status == status


@pytest.mark.parametrize("field", ["role", "is_verified", "user_id", "org_id", "id", "email_verified", "disabled_at"])
async def test_nobody_can_give_themselves_what_the_house_gives(house: Installation, field: str) -> None:
    ada = await house.person()
    body = {"email": "eve@example.com", "password": PASSWORD, "name": "Eve", field: "x"}
    for answer in (
        await house.client.post("/v1/auth/register", body),
        await ada.patch("/v1/users/me", {"name": "Eve", field: "x"}),
        await house.client.post("/v1/auth/login", {"email": ada.email, "password": PASSWORD, field: "x"}),
    ):
        assert answer.status == 422
        assert {"at": f"body.{field}", "message": "is not known here"} in answer.json["errors"]
    assert await house.rows("select from tenantry.registrations where email = 'eve@example.com'") == []


async def test_nobody_changes_their_address_in_passing(house: Installation) -> None:
    ada = await house.person()
    assert (await ada.patch("/v1/users/me", {"email": "other@example.com"})).status == 422
    assert (await ada.get("/v1/users/me")).json["email"] == ada.email


@pytest.mark.parametrize(
    "email",
    [
        "ada",
        "ada@",
        "@example.com",
        "a b@example.com",
        "ada@exa mple.com",
        "a@b@c.de",
        "ada@example.com\r\nBcc: eve@example.com",
        "ada@-example.com",
        "<ada@example.com>",
    ],
)
async def test_what_is_no_address_is_refused_by_name(house: Installation, email: str) -> None:
    for path, rest in (
        ("register", {"password": PASSWORD, "name": "Ada"}),
        ("login", {"password": PASSWORD}),
        ("resend", {}),
    ):
        answer = await house.client.post(f"/v1/auth/{path}", {"email": email, **rest})
        assert answer.status == 422
        assert answer.json["errors"] == [{"at": "body.email", "message": "is not an e-mail address"}]


# proving an address


async def _pending(house: Installation, email: str, **rest: Any) -> tuple[str, str]:
    proof = await house.register(email, **rest)
    return await house.mailed_token(email), proof


async def _verify(house: Installation, token: str, **proof: str) -> Any:
    return await house.client.post("/v1/auth/verify-email", {"token": token, **proof})


async def test_the_mailed_token_and_the_password_prove_an_address(house: Installation) -> None:
    token, _ = await _pending(house, "by-password@example.com")
    assert (await _verify(house, token, password="another password")).code == "invalid_credentials"
    signed_in = await _verify(house, token, password=PASSWORD)
    assert signed_in.status == 200
    assert signed_in.json["user"]["email"] == "by-password@example.com"


async def test_a_link_works_once(house: Installation) -> None:
    token, proof = await _pending(house, "once@example.com")
    assert (await _verify(house, token, registration=proof)).status == 200
    assert (await _verify(house, token, registration=proof)).code == "link_invalid"
    assert (await _verify(house, token, password=PASSWORD)).code == "link_invalid"


async def test_proving_takes_exactly_one_proof(house: Installation) -> None:
    token, proof = await _pending(house, "two@example.com")
    for body in ({}, {"registration": proof, "password": PASSWORD}):
        assert (await _verify(house, token, **body)).status == 422
    assert (await _verify(house, token, registration=proof)).status == 200


async def test_proving_one_registration_removes_the_others_of_its_address(house: Installation) -> None:
    first_token, first_proof = await _pending(house, "many@example.com")
    second_proof = await house.register("MANY@example.com")
    second_token = house.runtime.one_time.issue(VERIFY, house.runtime.one_time.read(second_proof), 0)
    assert (await _verify(house, first_token, registration=first_proof)).status == 200
    assert (await _verify(house, second_token, registration=second_proof)).code == "link_invalid"
    assert await house.rows("select from tenantry.registrations where email_key = 'many@example.com'") == []


async def test_a_link_expires_after_a_day(clocked: Installation, clock: HandClock) -> None:
    token, proof = await _pending(clocked, "late@example.com")
    clock.advance(hours=24, seconds=1)
    assert (await _verify(clocked, token, registration=proof)).code == "link_invalid"
    assert (await _verify(clocked, token, password=PASSWORD)).code == "link_invalid"
    assert await clocked.rows("select from tenantry.users") == []


async def test_a_stranger_who_registers_a_victims_address_never_gets_in_by_the_victims_click(
    house: Installation,
) -> None:
    strangers = "the stranger knows these words"
    strangers_token, strangers_proof = await _pending(house, "victim@example.com", password=strangers)
    victims_proof = await house.register("victim@example.com")
    victims_token = house.runtime.one_time.issue(VERIFY, house.runtime.one_time.read(victims_proof), 0)
    # the victim may open either mail: both prove the mailbox, and the victim's own proof picks their own registration
    assert (await _verify(house, strangers_token, registration=victims_proof)).status == 200
    assert (await _verify(house, victims_token, registration=victims_proof)).code == "link_invalid"
    assert (await _verify(house, strangers_token, registration=strangers_proof)).code == "link_invalid"
    login = {"email": "victim@example.com", "password": strangers}
    assert (await house.client.post("/v1/auth/login", login)).status == 401


async def test_nobody_signs_in_before_the_address_is_proven(house: Installation) -> None:
    await house.register("unproven@example.com")
    login = {"email": "unproven@example.com", "password": PASSWORD}
    assert (await house.client.post("/v1/auth/login", login)).code == "invalid_credentials"


# signing in


async def _log_in(house: Installation, ada: Client, password: str = PASSWORD) -> Any:
    return await house.client.post("/v1/auth/login", {"email": ada.email, "password": password})


async def test_the_right_password_signs_in_on_a_device_of_its_own(house: Installation) -> None:
    ada = await house.person()
    signed_in = await _log_in(house, ada)
    assert signed_in.status == 200
    assert signed_in.json["token_type"] == "Bearer"
    assert signed_in.json["user"] == ada.tokens["user"]
    assert signed_in.json["refresh_token"] != ada.tokens["refresh_token"]


async def test_any_spelling_of_the_address_signs_in(house: Installation) -> None:
    await house.person("Élise@example.com")
    for spelling in ("élise@example.com", "ÉLISE@EXAMPLE.COM", "e\u0301lise@example.com"):
        answer = await house.client.post("/v1/auth/login", {"email": spelling, "password": PASSWORD})
        assert answer.status == 200, spelling
        assert answer.json["user"]["email"] == "Élise@example.com"


async def test_a_hash_with_older_parameters_is_replaced_at_login(house: Installation) -> None:
    ada = await house.person()
    old = await Passwords(cost=Cost(memory_kib=32, passes=1)).hash(PASSWORD)
    await house.rows("update tenantry.credentials set password_hash = $1", old)
    assert (await _log_in(house, ada, "not the right one")).status == 401
    assert await _stored(house, ada) == old
    assert (await _log_in(house, ada)).status == 200
    assert "m=64,t=1" in await _stored(house, ada)
    assert (await _log_in(house, ada)).status == 200
    assert len(await house.recorded("accounts.password_rehashed")) == 1


async def _stored(house: Installation, ada: Client) -> str:
    (row,) = await house.rows(
        "select password_hash from tenantry.credentials join tenantry.users on id = user_id where email = $1", ada.email
    )
    return str(row["password_hash"])


async def test_a_bearer_in_any_case_is_understood(house: Installation) -> None:
    ada = await house.person()
    for scheme in ("bearer", "BEARER", "Bearer"):
        headers = {"authorization": f"{scheme} {ada.tokens['access_token']}"}
        assert (await house.client.get("/v1/users/me", headers=headers)).status == 200


async def test_a_token_in_the_address_is_not_a_credential(house: Installation) -> None:
    ada = await house.person()
    assert (await house.client.get(f"/v1/users/me?access_token={ada.tokens['access_token']}")).status == 401


# signing out


async def _alive(client: Client) -> bool:
    return (await client.get("/v1/users/me")).status == 200


async def _devices(house: Installation, count: int = 3) -> list[Client]:
    ada = await house.person()
    return [ada, *[house.client.signed_in((await _log_in(house, ada)).json) for _ in range(count - 1)]]


@pytest.mark.parametrize(
    ("scope", "left"), [("local", [False, True, True]), ("others", [True, False, False]), ("all", [False] * 3)]
)
async def test_signing_out_ends_this_device_the_others_or_all(
    house: Installation, scope: str, left: list[bool]
) -> None:
    devices = await _devices(house)
    assert (await devices[0].post("/v1/auth/logout", {"scope": scope})).status == 204
    assert [await _alive(device) for device in devices] == left
    for device, lives in zip(devices, left, strict=True):
        refreshed = await house.client.post("/v1/auth/refresh", {"refresh_token": device.tokens["refresh_token"]})
        assert (refreshed.status == 200) is lives


async def test_a_refresh_token_alone_signs_its_device_out(house: Installation) -> None:
    laptop, phone = await _devices(house, 2)
    body = {"refresh_token": laptop.tokens["refresh_token"]}
    assert (await house.client.post("/v1/auth/logout", body)).status == 204
    assert [await _alive(laptop), await _alive(phone)] == [False, True]
    assert (await house.client.post("/v1/auth/logout", body)).code == "refresh_refused"


async def test_signing_out_needs_to_say_who(house: Installation) -> None:
    assert (await house.client.post("/v1/auth/logout", {"scope": "all"})).code == "unauthenticated"


async def test_signing_out_somebody_touches_nobody_else(house: Installation) -> None:
    ada, eve = await house.person(), await house.person()
    assert (await eve.post("/v1/auth/logout", {"scope": "all"})).status == 204
    assert await _alive(ada)


async def test_an_ended_session_is_refused_at_once_on_another_node(
    installation: Installation, registry: Registry, tmp_path: Path
) -> None:
    ada = await installation.person()
    same = {"TENANTRY_PUBLIC_URL": installation.origin}
    async with installed(installation.runtime.database.url, tmp_path, registry=registry, environ=same) as second:
        there = second.client.signed_in(ada.tokens)
        assert await _alive(there)
        assert (await ada.post("/v1/auth/logout", {"scope": "local"})).status == 204
        assert not await _alive(there)


# oneself


async def test_a_person_changes_name_language_and_time_zone(house: Installation) -> None:
    ada = await house.person()
    changes = {"name": "Ada King", "locale": "en-GB", "timezone": "Europe/London"}
    changed = await ada.patch("/v1/users/me", changes)
    assert changed.status == 200
    assert changed.json == ada.tokens["user"] | changes
    assert changed.headers["etag"].startswith('"v2-')
    assert (await ada.get("/v1/users/me")).json == changed.json


async def test_what_is_left_out_of_a_change_stays(house: Installation) -> None:
    ada = await house.person(name="Ada Lovelace")
    await ada.patch("/v1/users/me", {"timezone": "Asia/Tokyo"})
    changed = await ada.patch("/v1/users/me", {"locale": "de"})
    assert (changed.json["name"], changed.json["timezone"]) == ("Ada Lovelace", "Asia/Tokyo")


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"timezone": "Mars/Olympus"}, "body.timezone"),
        ({"timezone": "../../etc/passwd"}, "body.timezone"),
        ({"locale": "not a language"}, "body.locale"),
        ({"name": ""}, "body.name"),
        ({"name": " \u3000 "}, "body.name"),
        ({"name": "x" * 121}, "body.name"),
        ({"name": "two\r\nlines"}, "body.name"),
        ({"name": None}, "body.name"),
        ({}, "body"),
    ],
)
async def test_a_bad_change_is_refused_by_field_and_changes_nothing(
    house: Installation, change: dict[str, Any], at: str
) -> None:
    ada = await house.person()
    answer = await ada.patch("/v1/users/me", change)
    assert (answer.status, answer.code) == (422, "invalid")
    assert [error["at"] for error in answer.json["errors"]] == [at]
    assert (await ada.get("/v1/users/me")).headers["etag"].startswith('"v1-')


async def test_every_bad_field_is_named_in_one_answer(house: Installation) -> None:
    ada = await house.person()
    answer = await ada.patch("/v1/users/me", {"name": 5, "locale": "?", "surprise": True})
    assert {error["at"] for error in answer.json["errors"]} == {"body.name", "body.locale", "body.surprise"}


async def test_a_change_to_an_old_version_is_refused(house: Installation) -> None:
    ada = await house.person()
    tag = (await ada.get("/v1/users/me")).headers["etag"]
    assert (await ada.patch("/v1/users/me", {"name": "First"}, headers={"if-match": tag})).status == 200
    late = await ada.patch("/v1/users/me", {"name": "Second"}, headers={"if-match": tag})
    assert (late.status, late.code) == (412, "version_mismatch")
    assert (await ada.get("/v1/users/me")).json["name"] == "First"
    assert (await ada.patch("/v1/users/me", {"name": "Third"}, headers={"if-match": "*"})).status == 200


@pytest.mark.parametrize(
    "tag",
    ["v1-5f0c1a2b", '"1"', '"v1"', 'W/"v1-5f0c1a2b"', '"v-5f0c1a2b"', '"v99999999999-5f0c1a2b"', '"v١-5f0c1a2b"', ""],
)
async def test_what_is_no_version_is_refused_and_changes_nothing(house: Installation, tag: str) -> None:
    ada = await house.person()
    answer = await ada.patch("/v1/users/me", {"name": "Eve"}, headers={"if-match": tag})
    assert (answer.status, answer.code) == (400, "malformed")
    assert (await ada.get("/v1/users/me")).headers["etag"].startswith('"v1-')


async def test_an_unchanged_person_is_not_sent_twice(house: Installation) -> None:
    ada = await house.person()
    tag = (await ada.get("/v1/users/me")).headers["etag"]
    again = await ada.get("/v1/users/me", headers={"if-none-match": tag})
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    await ada.patch("/v1/users/me", {"name": "Ada King"})
    assert (await ada.get("/v1/users/me", headers={"if-none-match": tag})).status == 200


async def test_the_tag_of_one_person_tells_nothing_about_another(house: Installation) -> None:
    ada, eve = await house.person(), await house.person()
    tag = (await ada.get("/v1/users/me")).headers["etag"]
    answer = await house.client.get("/v1/users/me", headers={"if-none-match": tag})
    assert answer.status == 401
    # the same version of another row: neither unchanged nor a licence to change it
    assert (await eve.get("/v1/users/me", headers={"if-none-match": tag})).json["email"] == eve.email
    assert (await eve.patch("/v1/users/me", {"name": "Eve"}, headers={"if-match": tag})).code == "version_mismatch"


async def test_strangers_who_register_an_address_are_in_nobodys_way(house: Installation) -> None:
    # they come first and use up the mails of the hour; each of those mails goes to the address's owner all the same
    email = "flooded@example.com"
    for _ in range(3):
        await house.register(email, password="the stranger's own words")
    await house.drain_jobs()
    proof = await house.register(email)
    token = await house.mailed_token(email)
    joined = await house.client.post("/v1/auth/verify-email", {"token": token, "registration": proof})
    assert joined.status == 200
    login = {"email": email, "password": PASSWORD}
    assert (await house.client.post("/v1/auth/login", login)).status == 200
    stranger = {"email": email, "password": "the stranger's own words"}
    assert (await house.client.post("/v1/auth/login", stranger)).status == 401


async def test_a_password_proves_which_of_an_addresss_registrations_is_meant(house: Installation) -> None:
    email = "shared@example.com"
    await house.register(email, password="the stranger's own words")
    token = await house.mailed_token(email)
    await house.register(email)
    joined = await house.client.post("/v1/auth/verify-email", {"token": token, "password": PASSWORD})
    assert joined.status == 200
    assert (await house.client.post("/v1/auth/login", {"email": email, "password": PASSWORD})).status == 200


async def test_a_mailed_token_proves_no_other_address(house: Installation) -> None:
    await house.register("one@example.com")
    token = await house.mailed_token("one@example.com")
    proof = await house.register("two@example.com")
    refused = await house.client.post("/v1/auth/verify-email", {"token": token, "registration": proof})
    assert (refused.status, refused.code) == (410, "link_invalid")
    refused = await house.client.post("/v1/auth/verify-email", {"token": token, "password": "somebody else's words"})
    assert (refused.status, refused.code) == (401, "invalid_credentials")
