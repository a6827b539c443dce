"""What many do at the same moment ends as if they had done it one after the other."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import msgspec
from people import patiently

from tenantry.accounts import actions, exchanges
from tenantry.accounts.exchanges import VERIFY
from tenantry.foundation.call import NOBODY, Call
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.domain import Registry
from tenantry.foundation.net.address import read_address
from tenantry.foundation.security.passwords import Cost, Passwords, Verdict
from tenantry.foundation.security.secret import Secret
from tenantry.foundation.work import SystemWork
from tenantry.testing import Client, Installation, installed
from tenantry.testing.installation import CHEAP, PASSWORD

# one address as twenty people spell it: case, full-width letters, a composed and a decomposed accent
SPELLINGS = [
    "".join(letter.upper() if (number >> (place % 5)) & 1 else letter for place, letter in enumerate("rené")) + domain
    for number, domain in zip(
        range(16), ["@example.com", "@EXAMPLE.com", "@Example.COM", "@example.Com"] * 4, strict=True
    )
] + ["ｒｅｎé@example.com", "rene\u0301@example.com", "RENE\u0301@example.com", "ｒené@EXAMPLE.COM"]


async def test_parallel_registrations_of_one_address_in_many_spellings_end_in_one_account(
    installation: Installation,
) -> None:
    async def ask(spelling: str) -> str:
        body = {"email": spelling, "password": PASSWORD, "name": "René"}
        answer = await patiently(lambda: installation.client.post("/v1/auth/register", body))
        assert answer.status == 202, answer
        return str(answer.json["registration"])

    proofs = await asyncio.gather(*map(ask, SPELLINGS))
    one_time = installation.runtime.one_time
    tokens = [one_time.issue(VERIFY, one_time.read(proof), 0) for proof in proofs]
    answers = await asyncio.gather(
        *(
            installation.client.post("/v1/auth/verify-email", {"token": token, "registration": proof})
            for token, proof in zip(tokens, proofs, strict=True)
        )
    )
    assert Counter(answer.status for answer in answers) == {200: 1, 410: 19}
    assert len(await installation.rows("select from tenantry.users")) == 1
    assert len(await installation.rows("select from tenantry.sessions")) == 1
    assert await installation.rows("select from tenantry.registrations") == []


async def test_one_link_used_twenty_times_at_once_makes_one_account_and_one_session(installation: Installation) -> None:
    proof = await installation.register("ada@example.com")
    body = {"token": await installation.mailed_token("ada@example.com"), "registration": proof}
    answers = await asyncio.gather(*(installation.client.post("/v1/auth/verify-email", body) for _ in range(20)))
    assert Counter(answer.status for answer in answers) == {200: 1, 410: 19}
    assert len(await installation.recorded("accounts.user_joined")) == 1
    assert len(await installation.rows("select from tenantry.sessions")) == 1


async def test_registrations_proven_while_the_address_is_being_taken_end_in_one_account(
    installation: Installation,
) -> None:
    one_time = installation.runtime.one_time

    async def join(number: int) -> int:
        proof = await installation.register("ada@example.com", name=f"Ada {number}")
        body = {"token": one_time.issue(VERIFY, one_time.read(proof), 0), "registration": proof}
        return (await installation.client.post("/v1/auth/verify-email", body)).status

    outcomes = Counter(await asyncio.gather(*map(join, range(6))))
    assert outcomes[200] == 1
    assert set(outcomes) <= {200, 409, 410}
    assert len(await installation.rows("select from tenantry.users")) == 1


async def test_parallel_mails_to_one_address_never_exceed_three_an_hour(installation: Installation) -> None:
    call = Call(installation.runtime, NOBODY, "race")

    async def ask() -> bool:
        async with SystemWork(call, reason="a test") as work:
            return await actions.may_mail(work, job=new_id(), email_key="flooded@example.com")

    assert sum(await asyncio.gather(*(ask() for _ in range(8)))) == 3


class MeetingPasswords(Passwords):
    """Lets so many callers go on only once all of them have verified what was stored when they began."""

    def __init__(self, callers: int) -> None:
        super().__init__(threads=2, queue=callers, cost=CHEAP)
        self._barrier = asyncio.Barrier(callers)
        self._expected = callers

    async def verify(self, stored: str | None, password: str | Secret[str]) -> Verdict:
        verdict = await super().verify(stored, password)
        if self._expected:
            self._expected -= 1
            await self._barrier.wait()
        return verdict


async def test_parallel_logins_with_an_old_hash_all_succeed_and_rehash_once(installation: Installation) -> None:
    ada = await installation.person()
    await asyncio.gather(*(ada.get("/v1/users/me") for _ in range(8)))  # connections, so that all go at once
    old = await Passwords(cost=Cost(memory_kib=32, passes=1)).hash(PASSWORD)
    await installation.rows("update tenantry.credentials set password_hash = $1", old)
    runtime = msgspec.structs.replace(installation.runtime, passwords=MeetingPasswords(5))
    call = Call(runtime, NOBODY, "race")
    address = read_address(ada.email)
    outcomes = await asyncio.gather(
        *(exchanges.login(call, address=address, password=PASSWORD) for _ in range(5)), return_exceptions=True
    )
    assert Counter(map(type, outcomes)) == {exchanges.SignedIn: 5}
    assert len(await installation.recorded("accounts.password_rehashed")) == 1


async def test_forty_parallel_refreshes_over_two_processes_give_one_successor_and_no_logout(
    installation: Installation, registry: Registry, tmp_path: Path
) -> None:
    ada = await installation.person()
    url = installation.runtime.database.url
    # one installation: both processes name the same origin, and so the same issuer
    same = {"TENANTRY_PUBLIC_URL": installation.origin}
    async with installed(url, tmp_path, registry=registry, environ=same) as second:
        body = {"refresh_token": ada.tokens["refresh_token"]}
        doors = (installation.client, second.client)
        answers = await asyncio.gather(*(doors[number % 2].post("/v1/auth/refresh", body) for number in range(40)))
        assert Counter(answer.status for answer in answers) == {200: 40}
        (successor,) = {answer.json["refresh_token"] for answer in answers}
        newest = second.client.signed_in(answers[0].json)
        assert (await newest.get("/v1/users/me")).status == 200
        assert (await second.client.post("/v1/auth/refresh", {"refresh_token": successor})).status == 200
    assert [row["counter"] for row in await installation.rows("select counter from tenantry.sessions")] == [2]


async def test_a_refresh_and_a_logout_at_once_leave_nothing_alive(house: Installation) -> None:
    for _ in range(5):
        ada = await house.person()
        refreshing = house.client.post("/v1/auth/refresh", {"refresh_token": ada.tokens["refresh_token"]})
        refreshed, left = await asyncio.gather(refreshing, ada.post("/v1/auth/logout", {"scope": "all"}))
        assert left.status == 204
        assert (await ada.get("/v1/users/me")).status == 401
        if refreshed.status == 200:
            after = house.client.signed_in(refreshed.json)
            assert (await after.get("/v1/users/me")).status == 401
            assert (await _refresh(after)).status == 401


async def test_of_parallel_changes_to_one_version_one_wins(house: Installation) -> None:
    ada = await house.person()
    tag = {"if-match": (await ada.get("/v1/users/me")).headers["etag"]}
    answers = await asyncio.gather(*(ada.patch("/v1/users/me", {"name": f"Ada {n}"}, headers=tag) for n in range(8)))
    assert Counter(answer.status for answer in answers) == {200: 1, 412: 7}


async def test_two_hundred_wrong_logins_at_once_are_refused_or_told_to_come_back_and_probes_are_answered(
    database_url: str, registry: Registry, tmp_path: Path
) -> None:
    async with installed(database_url, tmp_path, registry=registry, cost=Cost(memory_kib=2048, passes=1)) as busy:
        ada = await busy.person()
        wrong = {"email": ada.email, "password": "not the right one"}
        # each at an address of its own: one alone would be held back long before the house is busy
        storm = asyncio.gather(
            *(
                busy.client.post("/v1/auth/login", wrong | {"email": f"nobody{number}@example.com"})
                for number in range(200)
            )
        )
        probes = [(await busy.client.get("/livez")).status for _ in range(10)]
        answers = await storm
        assert set(probes) == {200}
        assert {answer.status for answer in answers} <= {401, 503}
        refused = [answer for answer in answers if answer.status == 503]
        assert refused
        assert {answer.code for answer in refused} <= {"busy", "database_busy"}
        assert all("retry-after" in answer.headers for answer in refused)
        right = await patiently(lambda: busy.client.post("/v1/auth/login", wrong | {"password": PASSWORD}))
        assert right.status == 200


async def test_two_hundred_refreshes_of_one_session_get_through_a_small_pool(
    database_url: str, registry: Registry, tmp_path: Path
) -> None:
    async with installed(database_url, tmp_path, registry=registry, environ={"TENANTRY_DATABASE_POOL": "5"}) as small:
        ada = await small.person()
        async with asyncio.timeout(10):
            answers = await asyncio.gather(*(_refresh(ada) for _ in range(200)))
        assert Counter(answer.status for answer in answers) == {200: 200}


async def _refresh(person: Client):  # type: ignore[no-untyped-def]
    return await person.post("/v1/auth/refresh", {"refresh_token": person.tokens["refresh_token"]})


async def test_devices_that_sign_each_other_out_do_not_wait_in_a_ring(house: Installation) -> None:
    ada = await house.person()
    login = {"email": ada.email, "password": PASSWORD}
    for _ in range(4):
        devices = [house.client.signed_in((await house.client.post("/v1/auth/login", login)).json) for _ in range(6)]
        ends = await asyncio.gather(*(device.post("/v1/auth/logout", {"scope": "all"}) for device in devices))
        assert sorted({end.status for end in ends}) in ([204], [204, 401])
        assert Counter(end.status for end in ends)[204] == 1
