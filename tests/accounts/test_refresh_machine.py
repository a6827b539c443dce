"""The life of a refresh token: each is good once, a lost answer is given again, a stolen one ends the session."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenantry.accounts import exchanges
from tenantry.accounts.exchanges import PROOF, VERIFY, SignedIn
from tenantry.assemble import build_runtime
from tenantry.foundation.action import Refusal
from tenantry.foundation.call import NOBODY, Call
from tenantry.foundation.data.clock import Clock
from tenantry.foundation.data.database import Database, system_context
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.domain import Registry
from tenantry.foundation.net.address import read_address
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.passwords import Passwords
from tenantry.settings import read_settings
from tenantry.testing import Client, HandClock, Installation, Response, installed
from tenantry.testing.installation import CHEAP, MASTER_KEYS, PASSWORD


async def _refresh(client: Client, token: str) -> Response:
    return await client.post("/v1/auth/refresh", {"refresh_token": token})


async def _rotate(client: Client, token: str) -> str:
    answer = await _refresh(client, token)
    assert answer.status == 200, answer
    return str(answer.json["refresh_token"])


async def test_a_refresh_gives_a_new_pair_that_works(house: Installation) -> None:
    ada = await house.person()
    answer = await _refresh(house.client, ada.tokens["refresh_token"])
    assert answer.status == 200
    assert answer.json.keys() == ada.tokens.keys()
    assert answer.json["refresh_token"] != ada.tokens["refresh_token"]
    assert (await house.client.signed_in(answer.json).get("/v1/users/me")).status == 200


async def test_a_lost_answer_is_given_again_within_the_grace(clocked: Installation, clock: HandClock) -> None:
    ada = await clocked.person()
    first = ada.tokens["refresh_token"]
    lost = await _rotate(clocked.client, first)
    clock.advance(seconds=9)
    assert await _rotate(clocked.client, first) == lost
    assert await _rotate(clocked.client, lost) != lost


async def test_the_token_before_the_last_ends_the_session_even_within_the_grace(house: Installation) -> None:
    ada = await house.person()
    first = ada.tokens["refresh_token"]
    newest = await _rotate(house.client, await _rotate(house.client, first))
    stolen = await _refresh(house.client, first)
    assert (stolen.status, stolen.code) == (401, "refresh_reused")
    assert (await _refresh(house.client, newest)).code == "refresh_refused"
    assert (await ada.get("/v1/users/me")).code == "session_ended"


async def test_a_session_killed_by_reuse_stays_killed_although_the_answer_was_a_refusal(
    installation: Installation,
) -> None:
    ada = await installation.person()
    first = ada.tokens["refresh_token"]
    await _rotate(installation.client, await _rotate(installation.client, first))
    assert (await _refresh(installation.client, first)).status == 401
    # looked up on a connection of its own: it was committed
    (session,) = await installation.rows("select ended_at is not null as ended, ended_why from tenantry.sessions")
    assert (session["ended"], session["ended_why"]) == (True, "reuse")
    (ended,) = await installation.recorded("accounts.session_ended")
    assert ended["why"] == "reuse"


async def test_the_last_token_used_again_after_the_grace_ends_the_session(
    clocked: Installation, clock: HandClock
) -> None:
    ada = await clocked.person()
    first = ada.tokens["refresh_token"]
    newest = await _rotate(clocked.client, first)
    clock.advance(seconds=11)
    assert (await _refresh(clocked.client, first)).code == "refresh_reused"
    assert (await _refresh(clocked.client, newest)).code == "refresh_refused"


async def test_a_thief_and_its_victim_taking_turns_are_found_out_at_the_first_turn_after_the_grace(
    clocked: Installation, clock: HandClock
) -> None:
    ada = await clocked.person()
    victims = thiefs = ada.tokens["refresh_token"]
    thiefs = await _rotate(clocked.client, thiefs)
    clock.advance(minutes=4)
    assert (await _refresh(clocked.client, victims)).code == "refresh_reused"
    assert (await _refresh(clocked.client, thiefs)).status == 401


async def test_another_device_lives_on_when_a_stolen_token_ends_one(house: Installation) -> None:
    ada = await house.person()
    first = ada.tokens["refresh_token"]
    phone = await house.client.post("/v1/auth/login", {"email": ada.email, "password": PASSWORD})
    await _rotate(house.client, await _rotate(house.client, first))
    assert (await _refresh(house.client, first)).code == "refresh_reused"
    assert (await _refresh(house.client, phone.json["refresh_token"])).status == 200


async def test_an_idle_session_cannot_be_refreshed_after_thirty_days(clocked: Installation, clock: HandClock) -> None:
    ada = await clocked.person()
    clock.advance(days=30, seconds=1)
    assert (await _refresh(clocked.client, ada.tokens["refresh_token"])).code == "refresh_refused"


async def test_a_session_ends_after_ninety_days_however_often_it_is_refreshed(
    clocked: Installation, clock: HandClock
) -> None:
    ada = await clocked.person()
    token = ada.tokens["refresh_token"]
    for _ in range(3):
        clock.advance(days=29)
        token = await _rotate(clocked.client, token)
    clock.advance(days=3, seconds=1)
    assert (await _refresh(clocked.client, token)).code == "refresh_refused"


async def test_a_disabled_account_is_refused_at_the_very_next_request(house: Installation) -> None:
    ada = await house.person()
    assert (await ada.get("/v1/users/me")).status == 200
    await house.rows("update tenantry.users set disabled_at = tenantry.now() where email = $1", ada.email)
    assert (await ada.get("/v1/users/me")).code == "session_ended"
    assert (await ada.patch("/v1/users/me", {"name": "Eve"})).status == 401
    assert (await _refresh(house.client, ada.tokens["refresh_token"])).code == "refresh_refused"


async def test_an_access_token_is_refused_once_it_has_expired(clocked: Installation, clock: HandClock) -> None:
    ada = await clocked.person()
    assert 285 <= ada.tokens["expires_in"] <= 300
    clock.advance(seconds=ada.tokens["expires_in"] - 1)
    assert (await ada.get("/v1/users/me")).status == 200
    clock.advance(seconds=1)
    assert (await ada.get("/v1/users/me")).code == "unauthenticated"


def _garbage(genuine: str) -> list[str]:
    flipped = genuine[:-1] + ("A" if genuine[-1] != "A" else "B")
    random = base64.urlsafe_b64encode(bytes(range(41))).rstrip(b"=").decode()
    return ["x", "tnr_", "tnr_" + random, flipped, genuine + "A", genuine[:-1], genuine.upper(), " " + genuine, "tnr_ü"]


async def test_garbage_never_reaches_the_database(house: Installation) -> None:
    ada = await house.person()
    genuine = ada.tokens["refresh_token"]
    asked: list[str] = []
    begin = house.runtime.database.begin

    async def counting(context: str, **rest: Any) -> Any:
        asked.append(context)
        return await begin(context, **rest)

    house.runtime.database.begin = counting  # type: ignore[method-assign]
    try:
        for garbage in _garbage(genuine):
            assert (await _refresh(house.client, garbage)).code == "refresh_refused", garbage
            leaving = await house.client.post("/v1/auth/logout", {"refresh_token": garbage})
            assert leaving.code == "refresh_refused", garbage
            for proof in ({"registration": garbage}, {"password": garbage}):
                verifying = await house.client.post("/v1/auth/verify-email", {"token": garbage} | proof)
                assert verifying.code == "link_invalid", garbage
            bearer = {"authorization": f"Bearer {garbage.strip()}".encode().decode("latin-1")}
            assert (await house.client.get("/v1/users/me", headers=bearer)).status in {400, 401}
        # that it was tried is written down, once for all that was tried within a second; it is looked up nowhere
        assert set(asked) <= {system_context()}
        assert len(asked) < len(_garbage(genuine))
        asked.clear()
        assert (await ada.get("/v1/users/me")).status == 200
        assert len(asked) == 1
    finally:
        house.runtime.database.begin = begin  # type: ignore[method-assign]


async def test_a_token_of_one_kind_is_never_taken_for_another(house: Installation) -> None:
    ada = await house.person()
    one_time, pending = house.runtime.one_time, new_id()
    kinds = {
        "access": ada.tokens["access_token"],
        "refresh": ada.tokens["refresh_token"],
        "verify": one_time.issue(VERIFY, pending, 0),
        "proof": one_time.issue(PROOF, pending, 0),
    }
    for kind, token in kinds.items():
        as_access = await house.client.get("/v1/users/me", headers={"authorization": f"Bearer {token}"})
        assert (as_access.status == 200) is (kind == "access"), kind
        if kind != "refresh":
            assert (await _refresh(house.client, token)).status in {401, 422}, kind
        if kind != "verify":
            proven = {"token": token, "registration": kinds["proof"]}
            assert (await house.client.post("/v1/auth/verify-email", proven)).status in {410, 422}, kind
    assert (await ada.get("/v1/users/me")).status == 200


async def test_the_verify_link_and_the_proof_of_registering_do_not_stand_in_for_each_other(house: Installation) -> None:
    proof = await house.register("swap@example.com")
    token = await house.mailed_token("swap@example.com")
    for body in (
        {"token": proof, "registration": token},
        {"token": token, "registration": token},
        {"token": proof, "registration": proof},
    ):
        assert (await house.client.post("/v1/auth/verify-email", body)).code == "link_invalid"


async def test_tokens_of_another_installation_mean_nothing_here(
    house: Installation, databases: Any, registry: Registry, tmp_path: Path
) -> None:
    other_keys = {"TENANTRY_MASTER_KEYS": "other:" + base64.b64encode(bytes(range(32))).decode()}
    async with databases.fresh() as url, installed(url, tmp_path, registry=registry, environ=other_keys) as other:
        eve = await other.person()
    assert (await house.client.signed_in(eve.tokens).get("/v1/users/me")).status == 401
    assert (await _refresh(house.client, eve.tokens["refresh_token"])).code == "refresh_refused"


class MovableClock(Clock):
    """A clock without a file, for many steps in little time."""

    def __init__(self) -> None:
        self.moved = 0.0
        self.start = super().now()

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.moved)

    def seconds(self) -> float:
        return self.now().timestamp()

    def statement(self) -> str:
        return f"set local tenantry.clock = '{self.now().isoformat()}';"


@asynccontextmanager
async def _runtime(url: str, folder: Path, registry: Registry, clock: Clock) -> AsyncIterator[Runtime]:
    environ = {
        "TENANTRY_ENVIRONMENT": "development",
        "TENANTRY_DATABASE_URL": url,
        "TENANTRY_MASTER_KEYS": MASTER_KEYS,
        "TENANTRY_DATA": str(folder),
    }
    built = build_runtime(read_settings(registry.sections, environ=environ, dotenv=None), registry)
    runtime = msgspec.structs.replace(
        built, clock=clock, database=Database(url, clock=clock, size=2), passwords=Passwords(cost=CHEAP)
    )
    await runtime.start()
    try:
        yield runtime
    finally:
        await runtime.stop()


STEPS = st.lists(st.one_of(st.integers(-4, -1), st.sampled_from([1.0, 9.0, 11.0])), min_size=1, max_size=14)


def test_any_history_of_refreshes_follows_the_rules(database_url: str, registry: Registry, tmp_path: Path) -> None:
    """Negative steps present the newest token (-1) or an older one; positive steps let seconds pass."""
    clock = MovableClock()

    async def follow(runtime: Runtime, steps: list[int | float]) -> None:
        call = Call(runtime, NOBODY, "machine")
        signed_in = await exchanges.login(call, address=read_address("ada@example.com"), password=PASSWORD)
        assert isinstance(signed_in, SignedIn)
        issued, rotated_at, alive = [signed_in.refresh_token], clock.moved, True
        for step in steps:
            if step > 0:
                clock.moved += step
                continue
            at = max(len(issued) + int(step), 0)
            behind = len(issued) - 1 - at
            answer = await exchanges.refresh(call, token=issued[at])
            if not alive:
                assert _code(answer) == "refresh_refused"
            elif behind == 0:
                assert isinstance(answer, SignedIn)
                assert answer.refresh_token not in issued
                issued.append(answer.refresh_token)
                rotated_at = clock.moved
            elif behind == 1 and clock.moved - rotated_at <= 10:
                assert isinstance(answer, SignedIn)
                assert answer.refresh_token == issued[-1]
            else:
                assert _code(answer) == "refresh_reused"
                alive = False

    with asyncio.Runner() as runner:
        opened = _runtime(database_url, tmp_path, registry, clock)
        runtime = runner.run(opened.__aenter__())
        try:
            runner.run(_join(runtime))

            @settings(
                max_examples=60,
                deadline=None,
                database=None,
                derandomize=True,
                suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
            )
            @given(steps=STEPS)
            def histories(steps: list[int | float]) -> None:
                runner.run(follow(runtime, steps))

            histories()
        finally:
            runner.run(opened.__aexit__(None, None, None))


async def _join(runtime: Runtime) -> None:
    call = Call(runtime, NOBODY, "machine")
    address = read_address("ada@example.com")
    proof = await exchanges.register(call, address=address, name="Ada", password=PASSWORD)
    token = runtime.one_time.issue(VERIFY, runtime.one_time.read(proof), 0)
    await exchanges.verify_with_registration(call, token=token, proof=proof)


def _code(answer: object) -> str | None:
    return answer.problem.code if isinstance(answer, Refusal) else None
