"""Wraps: before and after a verb in its transaction; one that fails or is late refuses it, an optional one does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from tenantry.accounts import actions as accounts
from tenantry.accounts import exchanges
from tenantry.accounts.events import LoginRefused
from tenantry.assemble import DOMAINS
from tenantry.foundation import wrapping
from tenantry.foundation.action import Refusal, action, exchange
from tenantry.foundation.around import Wrap, around
from tenantry.foundation.call import NOBODY, Actor, Call
from tenantry.foundation.data.ids import SESSION_ID, USER_ID, new_id
from tenantry.foundation.domain import Domain, Registry
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.permission import ANYONE, HOUSE
from tenantry.foundation.problems import Conflict, Forbidden, Problem
from tenantry.foundation.work import PersonWork, SystemWork, Work
from tenantry.foundation.wrapping import PluginFailed
from tenantry.testing import Databases, Installation, installed

Story = list[str]
story: Story = []


class NotToday(Conflict):
    """Not today."""

    code = "not_today"


@pytest.fixture(autouse=True)
def _a_new_story() -> None:
    story.clear()


async def _write(work: Work, text: str) -> None:
    await work.connection.execute(
        "insert into tenantry.registration_mails (id, email_key) values ($1, $2)", new_id(), text
    )


@action(requires=ANYONE, records=LoginRefused)
async def note(work: Work, *, text: str, loud: bool = False) -> str:
    """Write something down."""
    story.append(f"note {text}")
    await _write(work, text)
    work.record(LoginRefused(user_id=None))
    if text == "fail":
        raise NotToday
    return text.upper()


@exchange(requires=ANYONE)
async def ask(call: Call, *, text: str) -> str:
    """Ask somebody far away."""
    story.append(f"ask {text}")
    return text.upper()


@around(note)
async def watch(work: Work, *, text: str, loud: bool) -> AsyncGenerator[None, Any]:
    """Look at what is written."""
    story.append(f"before {text} {loud}")
    answer = yield
    story.append(f"after {answer}")


@around(note)
async def watch_more(work: Work, **given: Any) -> AsyncGenerator[None, Any]:
    """Look closer."""
    story.append(f"before {sorted(given)}")
    yield
    story.append("after")


async def _done(house: Installation, verb: Any, *wraps: Wrap, text: str = "hello", **more: Any) -> Any:
    """What a verb answers with these wraps around it."""
    call = _call(house, *wraps)
    if verb is ask:
        return await ask(call, text=text)
    async with SystemWork(call, reason="a test") as work:
        return await verb(work, text=text, **more)


def _call(house: Installation, *wraps: Wrap) -> Call:
    known = Registry((Domain(name="trial", around=wraps),)).wraps
    return Call(msgspec.structs.replace(house.runtime, wraps=known), NOBODY, "request-of-a-test")


async def _written(house: Installation) -> tuple[set[str], int]:
    rows = await house.rows("select email_key from tenantry.registration_mails")
    return {row["email_key"] for row in rows}, len(await house.recorded(LoginRefused.kind))


async def test_wraps_run_in_the_order_of_their_domains_before_and_in_the_opposite_after(
    installation: Installation,
) -> None:
    assert await _done(installation, note, watch, watch_more) == "HELLO"
    assert story == ["before hello False", "before ['loud', 'text']", "note hello", "after", "after HELLO"]


async def test_a_wrap_takes_what_it_names_whichever_way_the_verb_was_given_it(installation: Installation) -> None:
    assert await _done(installation, note, watch, loud=True) == "HELLO"
    assert story[0] == "before hello True"

    @action(requires=ANYONE)
    async def mumble(work: Work, text: str) -> None:
        """Say something."""

    @around(mumble)
    async def hear(work: Work, text: str) -> AsyncGenerator[None, Any]:
        story.append(f"heard {text}")
        yield

    async with SystemWork(_call(installation, hear), reason="a test") as work:
        await mumble(work, "by position")
    assert story[-1] == "heard by position"


async def test_a_wrap_writes_in_the_commit_of_its_verb(installation: Installation) -> None:
    @around(note)
    async def add(work: Work, *, text: str) -> AsyncGenerator[None, Any]:
        await _write(work, f"before {text}")
        yield
        await _write(work, f"after {text}")

    await _done(installation, note, add)
    assert await _written(installation) == ({"before hello", "hello", "after hello"}, 1)
    with pytest.raises(NotToday):
        await _done(installation, note, add, text="fail")
    assert await _written(installation) == ({"before hello", "hello", "after hello"}, 1)


@pytest.mark.parametrize("part", ["before", "after"])
async def test_a_wrap_refuses_with_a_problem_of_its_own(installation: Installation, part: str) -> None:
    @around(note)
    async def refuse(work: Work) -> AsyncGenerator[None, Any]:
        await _write(work, "by the wrap")
        if part == "before":
            raise NotToday
        yield
        raise NotToday

    with pytest.raises(NotToday):
        await _done(installation, note, refuse)
    assert await _written(installation) == (set(), 0)
    assert ("note hello" in story) is (part == "after")


async def _raises() -> None:
    raise RuntimeError("a mistake of the plugin")


async def _times_out() -> None:
    raise TimeoutError


async def _is_away() -> None:
    raise ConnectionRefusedError


async def _is_late() -> None:
    await asyncio.Event().wait()


FAILURES: dict[str, Callable[[], Awaitable[None]]] = {
    "raises": _raises, "times out": _times_out, "is away": _is_away, "is late": _is_late,
}  # fmt: skip


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrapping, "WRAP_WITHIN", 0.05)


def _failing(verb: Any, how: str, part: str, *, optional: bool = False) -> Wrap:
    @around(verb, optional=optional)
    async def failing(subject: Any) -> AsyncGenerator[None, Any]:
        if isinstance(subject, Work):
            await _write(subject, "by the wrap")
        if part == "before":
            await FAILURES[how]()
        yield
        if part == "after":
            await FAILURES[how]()

    return failing


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("part", ["before", "after"])
@pytest.mark.parametrize("how", FAILURES)
async def test_a_wrap_that_fails_refuses_the_verb_and_nothing_is_left(
    installation: Installation, how: str, part: str
) -> None:
    with pytest.raises(PluginFailed) as refused:
        await _done(installation, note, _failing(note, how, part))
    assert (refused.value.status, refused.value.code) == (503, "plugin_failed")
    assert await _written(installation) == (set(), 0)
    assert installation.runtime.database.pool.in_use == 0


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("part", ["before", "after"])
@pytest.mark.parametrize("how", FAILURES)
async def test_an_optional_wrap_that_fails_is_undone_alone(installation: Installation, how: str, part: str) -> None:
    assert await _done(installation, note, _failing(note, how, part, optional=True), watch) == "HELLO"
    before_the_yield = {"by the wrap"} if part == "after" else set()
    assert await _written(installation) == ({"hello"} | before_the_yield, 1)
    assert story[-1] == "after HELLO"


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("optional", [True, False])
async def test_a_wrap_that_is_late_in_the_database_is_cut_off_there(installation: Installation, optional: bool) -> None:
    @around(note, optional=optional)
    async def sleeping(work: Work) -> AsyncGenerator[None, Any]:
        await work.connection.fetchval("select pg_sleep(4)")
        yield

    async with asyncio.timeout(3):
        if optional:
            assert await _done(installation, note, sleeping) == "HELLO"
        else:
            with pytest.raises(PluginFailed):
                await _done(installation, note, sleeping)
    assert await _written(installation) == (({"hello"}, 1) if optional else (set(), 0))


async def test_an_optional_wrap_takes_no_event_and_no_job_with_it_into_the_commit(installation: Installation) -> None:
    @around(note, optional=True)
    async def failing(work: Work) -> AsyncGenerator[None, Any]:
        work.record(LoginRefused(user_id=None))
        work.enqueue(NewJob("accounts.remove_expired_registrations"))
        work.after_rollback(LoginRefused(user_id=None))
        await work.connection.execute("select 1 / 0")
        yield

    await _done(installation, note, failing)
    assert await _written(installation) == ({"hello"}, 1)
    assert not await installation.rows("select from tenantry.jobs where kind like '%remove_expired_reg%'")
    with pytest.raises(NotToday):
        await _done(installation, note, failing, text="fail")
    assert await _written(installation) == ({"hello"}, 1)


async def test_an_optional_wrap_cannot_refuse(installation: Installation) -> None:
    @around(note, optional=True)
    async def refuse(work: Work) -> AsyncGenerator[None, Any]:
        raise NotToday
        yield

    assert await _done(installation, note, refuse) == "HELLO"


async def test_an_optional_wrap_that_works_is_committed(installation: Installation) -> None:
    @around(note, optional=True)
    async def add(work: Work) -> AsyncGenerator[None, Any]:
        await _write(work, "before")
        yield
        await _write(work, "after")

    await _done(installation, note, add)
    assert await _written(installation) == ({"before", "hello", "after"}, 1)


@pytest.mark.parametrize("times", [0, 2])
async def test_a_wrap_yields_once(installation: Installation, times: int) -> None:
    @around(note)
    async def odd(work: Work) -> AsyncGenerator[None, Any]:
        for _ in range(times):
            yield

    with pytest.raises(PluginFailed):
        await _done(installation, note, odd)
    assert await _written(installation) == (set(), 0)


async def test_what_postgresql_refuses_in_a_wrap_means_what_it_means_anywhere(installation: Installation) -> None:
    @around(note)
    async def wait(work: Work) -> AsyncGenerator[None, Any]:
        await work.connection.execute("set local statement_timeout = '10ms'; select pg_sleep(5)")
        yield

    with pytest.raises(Problem) as refused:
        await _done(installation, note, wait)
    assert refused.value.code == "overloaded"


async def test_a_wrap_is_let_go_of_when_its_verb_fails_or_another_wrap_does(installation: Installation) -> None:
    @around(note)
    async def tidy(work: Work) -> AsyncGenerator[None, Any]:
        try:
            yield
            story.append("never")
        finally:
            story.append("tidied")

    with pytest.raises(NotToday):
        await _done(installation, note, tidy, text="fail")
    with pytest.raises(PluginFailed):
        await _done(installation, note, tidy, _failing(note, "raises", "before"))
    assert story == ["note fail", "tidied", "tidied"]


async def test_a_wrap_that_fails_while_it_is_let_go_of_hides_nothing(installation: Installation) -> None:
    @around(note)
    async def untidy(work: Work) -> AsyncGenerator[None, Any]:
        try:
            yield
        finally:
            raise RuntimeError("a mistake of the plugin")

    with pytest.raises(NotToday):
        await _done(installation, note, untidy, text="fail")


async def test_a_wrap_has_one_time_for_both_its_parts(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wrapping, "WRAP_WITHIN", 0.3)

    @around(note)
    async def slow(work: Work) -> AsyncGenerator[None, Any]:
        await asyncio.sleep(0.2)
        yield
        await asyncio.sleep(0.2)

    with pytest.raises(PluginFailed):
        await _done(installation, note, slow)


async def test_the_time_of_the_verb_is_not_the_wraps(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wrapping, "WRAP_WITHIN", 0.1)

    @action(requires=ANYONE)
    async def linger(work: Work, *, text: str) -> str:
        """Take one's time."""
        await asyncio.sleep(0.2)
        return text

    @around(linger)
    async def quick(work: Work) -> AsyncGenerator[None, Any]:
        yield
        story.append("after")

    assert await _done(installation, linger, quick) == "hello"
    assert story == ["after"]


async def test_whoever_may_not_use_a_verb_reaches_no_wrap(installation: Installation) -> None:
    @action(requires=HOUSE)
    async def clean(work: Work) -> None:
        """Clean the house."""

    @around(clean)
    async def see(work: Work) -> AsyncGenerator[None, Any]:
        story.append("seen")
        yield

    ada = await installation.person()
    claims = await installation.runtime.keys.verify(ada.tokens["access_token"])
    actor = Actor("person", USER_ID.read(claims.sub), SESSION_ID.read(claims.sid))
    with pytest.raises(Forbidden):
        async with PersonWork(msgspec.structs.replace(_call(installation, see), actor=actor)) as work:
            await clean(work)
    assert story == []


async def test_a_refusal_is_an_answer(installation: Installation) -> None:
    @action(requires=ANYONE)
    async def decline(work: Work, *, text: str) -> Refusal:
        """Say no, and keep what was done."""
        await _write(work, text)
        return Refusal(NotToday())

    @around(decline)
    async def see(work: Work) -> AsyncGenerator[None, Any]:
        answer = yield
        story.append(answer.problem.code)

    assert isinstance(await _done(installation, decline, see), Refusal)
    assert story == ["not_today"]
    assert await _written(installation) == ({"hello"}, 0)


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("part", ["before", "after"])
@pytest.mark.parametrize("how", FAILURES)
async def test_around_an_exchange_a_failure_refuses_and_an_optional_one_does_not(
    installation: Installation, how: str, part: str
) -> None:
    with pytest.raises(PluginFailed):
        await _done(installation, ask, _failing(ask, how, part))
    assert ("ask hello" in story) is (part == "after")
    assert await _done(installation, ask, _failing(ask, how, part, optional=True)) == "HELLO"


def test_only_a_generator_can_stand_around_only_a_verb_and_take_only_what_that_takes() -> None:
    async def plain(work: Work) -> None: ...

    async def curious(work: Work, *, colour: str) -> AsyncGenerator[None, Any]:
        yield

    with pytest.raises(TypeError, match="not a verb"):
        around(plain)
    with pytest.raises(TypeError, match="yield"):
        around(note)(plain)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="colour"):
        around(note)(curious)


@around(accounts.change_profile)
async def forbid_shouting(work: Work, *, name: str | None) -> AsyncGenerator[None, Any]:
    """Nobody is called in capitals."""
    if name == "BROKEN":
        raise RuntimeError("a mistake of the plugin")
    if name and name.isupper():
        raise NotToday
    yield


@around(exchanges.register)
async def forbid_known(call: Call, *, name: str) -> AsyncGenerator[None, Any]:
    """Not everybody may join."""
    if name == "Mallory":
        raise NotToday
    yield


async def test_a_wrap_of_a_plugin_holds_for_whoever_comes_in_by_http(databases: Databases, tmp_path: Path) -> None:
    trial = Domain(name="trial", around=(forbid_shouting, forbid_known))
    async with (
        databases.fresh() as url,
        installed(url, tmp_path, registry=Registry((*DOMAINS, trial))) as house,
    ):
        ada = await house.person()
        assert (await ada.patch("/v1/users/me", {"name": "Ada L."})).status == 200
        shouted = await ada.patch("/v1/users/me", {"name": "ADA"})
        assert (shouted.status, shouted.code) == (409, "not_today")
        broken = await ada.patch("/v1/users/me", {"name": "BROKEN"})
        assert (broken.status, broken.code) == (503, "plugin_failed")
        assert "retry-after" in broken.headers
        assert (await ada.get("/v1/users/me")).json["name"] == "Ada L."
        joining = {"email": "m@example.com", "password": "correct horse battery staple", "name": "Mallory"}
        assert (await house.client.post("/v1/auth/register", joining)).code == "not_today"


async def test_a_verb_without_wraps_pays_one_look(installation: Installation) -> None:
    """Not a measurement: no generator machinery is entered for a verb that nothing stands around."""
    entered: list[UUID] = []

    async def entering(*_: Any) -> None:
        entered.append(new_id())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tenantry.foundation.action.wrapped", entering)
        assert await _done(installation, note) == "HELLO"
        assert await _done(installation, note, _failing(ask, "raises", "before")) == "HELLO"
    assert entered == []
