"""Passwords cost the same work whoever asks, in a pool that refuses before it drowns."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import argon2
import pytest

from tenantry.foundation.problems import Problem
from tenantry.foundation.security import passwords as module
from tenantry.foundation.security.passwords import Busy, Cost, Passwords, UnusableHash, Verdict, check_stored
from tenantry.foundation.security.secret import Secret

CHEAP = Cost(memory_kib=64, passes=1)
RIGHT = Verdict(ok=True, needs_rehash=False)
WRONG = Verdict(ok=False, needs_rehash=False)


@pytest.fixture
def pool() -> Iterator[Passwords]:
    pool = Passwords(threads=1, queue=2, cost=CHEAP)
    yield pool
    pool.close()


class Gate:
    """Hashes that wait until they are let through, so that a test decides when a thread ends."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open, self.running = threading.Event(), 0
        original = argon2.PasswordHasher.hash

        def waiting(hasher: Any, password: Any) -> str:
            self.running += 1
            assert self.open.wait(20)
            return original(hasher, password)

        monkeypatch.setattr(argon2.PasswordHasher, "hash", waiting)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate(monkeypatch)
    yield gate
    gate.open.set()


async def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, "the condition never held"
        await asyncio.sleep(0)


def test_the_default_cost_is_the_documented_one() -> None:
    assert Cost() == Cost(memory_kib=19456, passes=2, lanes=1, salt_bytes=16, tag_bytes=32)


async def test_a_stored_hash_carries_the_cost_and_a_fresh_salt() -> None:
    pool = Passwords(threads=1)
    stored = await pool.hash("correct horse")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    found = argon2.extract_parameters(stored)
    assert (found.salt_len, found.hash_len) == (16, 32)
    assert await pool.verify(stored, "correct horse") == RIGHT
    pool.close()


async def test_two_hashes_of_one_password_differ(pool: Passwords) -> None:
    assert await pool.hash("same") != await pool.hash("same")


@pytest.mark.parametrize(
    ("password", "others"),
    [
        ("x" * 100, ["x" * 72, "x" * 99, "x" * 101, "x" * 99 + "y"]),
        ("trailing space ", ["trailing space", " trailing space "]),
        ("caf\u00e9-noir-42", ["cafe\u0301-noir-42", "cafe-noir-42", "CAF\u00c9-noir-42"]),
        ("\U0001f511" * 64, ["\U0001f511" * 63, "\U0001f512" * 64]),
        ("nul\0byte-here", ["nul", "nul\0byte-her"]),
    ],
)
async def test_exactly_the_bytes_of_a_password_count(pool: Passwords, password: str, others: list[str]) -> None:
    stored = await pool.hash(password)
    assert await pool.verify(stored, password) == RIGHT
    assert await pool.verify(stored, Secret(password)) == RIGHT
    assert [await pool.verify(stored, other) for other in others] == [WRONG] * len(others)


async def test_a_hash_of_another_cost_is_right_and_wants_to_be_made_anew(pool: Passwords) -> None:
    older = Passwords(threads=1, cost=Cost(memory_kib=32, passes=1))
    stored = await older.hash("correct horse")
    assert await pool.verify(stored, "correct horse") == Verdict(ok=True, needs_rehash=True)
    assert await pool.verify(stored, "wrong horse") == WRONG
    older.close()


async def test_an_unknown_account_costs_one_hash_in_todays_parameters(
    pool: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    original = argon2.PasswordHasher.verify

    def noted(hasher: Any, stored: str, password: bytes) -> bool:
        asked.append(stored)
        return original(hasher, stored, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", noted)
    real = await pool.hash("correct horse")
    assert await pool.verify(None, "correct horse") == WRONG
    assert await pool.verify(real, "wrong horse") == WRONG
    assert argon2.extract_parameters(asked[0]) == argon2.extract_parameters(asked[1])
    assert pool.completed == 3


async def test_nothing_is_the_password_of_an_unknown_account(pool: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [await pool.verify(None, text) for text in ("", "password", "\0")] == [WRONG] * 3
    monkeypatch.setattr(pool, "_nobody", await pool.hash("guessed"))
    assert await pool.verify(None, "guessed") == WRONG


async def test_a_giant_password_is_refused_without_any_work(pool: Passwords) -> None:
    stored = await pool.hash("x" * 1024)
    assert await pool.verify(stored, "x" * 1024) == RIGHT
    done = pool.submitted
    assert await pool.verify(stored, "x" * 1025) == WRONG
    assert await pool.verify(None, "x" * 2**20) == WRONG
    with pytest.raises(ValueError, match="too long"):
        await pool.hash("x" * 1025)
    assert pool.submitted == done


def stored_with(m: int = 64, t: int = 1, p: int = 1, kind: str = "argon2id", salt: int = 16, tag: int = 32) -> str:
    return f"${kind}$v=19$m={m},t={t},p={p}${'A' * -(-salt * 4 // 3)}${'A' * -(-tag * 4 // 3)}"


@pytest.mark.parametrize("stored", [stored_with(), stored_with(m=1024**2), stored_with(t=20), stored_with(p=16, m=128)])
def test_a_hash_within_bounds_may_be_imported(stored: str) -> None:
    check_stored(stored)


@pytest.mark.parametrize(
    "stored",
    [
        stored_with(m=1024**2 + 1),
        stored_with(t=21),
        stored_with(p=17, m=1024),
        stored_with(kind="argon2i"),
        stored_with(kind="argon2d"),
        stored_with(salt=4),
        stored_with(tag=12),
        stored_with(tag=600),
        "",
        "plain",
        "$2b$12$abcdefghijklmnopqrstuv",
        "$argon2id$v=19$m=x,t=1,p=1$AAAA$AAAA",
        "$argon2id$",
        "$" * 6,
        "!",
        stored_with(m=-1),
        stored_with(m=2**70),
    ],
)
async def test_a_hash_that_would_be_a_weapon_or_a_joke_is_refused_before_it_runs(pool: Passwords, stored: str) -> None:
    with pytest.raises(UnusableHash) as refusal:
        await pool.verify(stored, "correct horse")
    assert pool.submitted == 0
    assert not stored or stored not in str(refusal.value)


async def test_a_full_queue_refuses_at_once_and_takes_again_when_there_isroom(pool: Passwords, gate: Gate) -> None:
    waiting = [asyncio.ensure_future(pool.hash("x")) for _ in range(3)]
    await until(lambda: pool.in_flight == 3)
    for ask in (pool.hash("x"), pool.verify(None, "x")):
        with pytest.raises(Busy) as refusal:
            await ask
        assert (refusal.value.status, refusal.value.code) == (503, "busy")
        assert refusal.value.headers == {"retry-after": "1"}
    assert (pool.submitted, pool.refused, pool.completed) == (3, 2, 0)
    gate.open.set()
    assert len(await asyncio.gather(*waiting)) == 3
    assert (pool.submitted, pool.refused, pool.completed, pool.in_flight) == (3, 2, 3, 0)
    assert await pool.verify(None, "x") == WRONG


def test_busy_is_a_refusal_that_the_problem_list_knows() -> None:
    assert issubclass(Busy, Problem)
    assert Busy().document("r")["status"] == 503


async def test_no_more_run_at_once_than_there_are_threads(gate: Gate) -> None:
    pool = Passwords(threads=2, queue=8, cost=CHEAP)
    waiting = [asyncio.ensure_future(pool.hash("x")) for _ in range(10)]
    await until(lambda: pool.in_flight == 10 and gate.running == 2)
    gate.open.set()
    await asyncio.gather(*waiting)
    pool.close()


async def test_callers_that_hang_up_keep_their_slot_until_their_hash_is_done(pool: Passwords, gate: Gate) -> None:
    waiting = [asyncio.ensure_future(pool.hash("x")) for _ in range(3)]
    await until(lambda: pool.in_flight == 3)
    for task in waiting:
        task.cancel()
    assert {type(end) for end in await asyncio.gather(*waiting, return_exceptions=True)} == {asyncio.CancelledError}
    with pytest.raises(Busy):
        await pool.hash("x")
    gate.open.set()
    await until(lambda: pool.in_flight == 0)
    assert (pool.submitted, pool.completed) == (3, 3)


async def test_a_hash_that_fails_frees_its_slot(pool: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> str:
        raise MemoryError

    monkeypatch.setattr(argon2.PasswordHasher, "hash", broken)
    for _ in range(5):
        with pytest.raises(MemoryError):
            await pool.hash("x")
    assert pool.in_flight == 0


async def test_the_loop_goes_on_while_passwords_are_hashed(pool: Passwords, gate: Gate) -> None:
    hashing = asyncio.ensure_future(pool.hash("x"))
    await until(lambda: gate.running == 1)
    for _ in range(100):
        await asyncio.sleep(0)
    assert not hashing.done()
    gate.open.set()
    assert (await hashing).startswith("$argon2id$")


async def test_a_closed_pool_takes_nothing_and_counts_nothing(pool: Passwords) -> None:
    pool.close()
    with pytest.raises(RuntimeError):
        await pool.hash("x")
    assert (pool.submitted, pool.in_flight) == (0, 0)


def test_there_are_as_many_threads_as_cores_and_four_times_as_many_wait() -> None:
    pool = Passwords(cost=CHEAP)
    assert pool.threads == module.cores()
    assert pool.room == 5 * module.cores()
    pool.close()


async def test_who_finds_no_room_waits_a_moment_and_is_then_let_in_or_told_to_come_back() -> None:
    passwords = Passwords(threads=1, queue=0, cost=Cost(memory_kib=256 * 1024, passes=4))
    hashing = asyncio.create_task(passwords.hash("the only one there is room for"))
    await asyncio.sleep(0)
    started = time.monotonic()
    waiting = [asyncio.create_task(passwords.admit()) for _ in range(20)]
    told = await asyncio.gather(*waiting, return_exceptions=True)
    assert time.monotonic() - started >= 0.25
    assert all(answer is None or isinstance(answer, Busy) for answer in told)
    await hashing
    await passwords.admit()
    passwords.close()
