"""What keeps a local Stripe over its end, however that comes: one file, written anew before a change is answered.

Kept are the books, the clock's lead, the idempotency keys and the notices that wait. Not kept is ordered trouble.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import msgspec
from msgspec import Meta

from tenantry.foundation.logs import get_logger
from tenantry.testing.stripe.books import Books, Rules, Thing
from tenantry.testing.stripe.clock import DEEDS, Clock
from tenantry.testing.stripe.deliveries import Deliveries, Mode, Sent, Waiting
from tenantry.testing.stripe.idempotency import Answers, Kept

SENT = 200
"""How many delivery attempts are kept, the newest ones."""
LOOK_EVERY = 0.5
# a holder that was just killed may need a moment to be gone
PATIENCE, TRY_AGAIN = 5.0, 0.05
_log = get_logger("local_stripe")


class InUse(Exception):
    """Another local Stripe has the folder."""


class Attempt(msgspec.Struct, frozen=True):
    """An attempt that was made, as the desk shows it."""

    event: str
    url: str
    status: int
    attempt: int


class Ahead(msgspec.Struct, frozen=True):
    """An attempt that is to be made."""

    event: str
    endpoint: str
    attempt: int
    at: float


class State(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that is kept."""

    version: Literal[1] = 1
    kinds: dict[str, dict[str, Thing]]
    secrets: dict[str, Any]
    agendas: dict[str, list[tuple[int, int, int, str, str]]]
    ahead: Annotated[int, Meta(ge=0)]
    answers: dict[str, Kept]
    mode: Mode
    held: list[str]
    dropped: list[str]
    waiting: list[Ahead]
    sent: list[Attempt]


class Stateful(Protocol):
    """What has a state that can be kept."""

    books: Books
    clock: Clock
    answers: Answers
    deliveries: Deliveries


class Keeper:
    """Keeps one local Stripe in one file."""

    def __init__(self, file: Path, stripe: Stateful) -> None:
        self._file, self._stripe = file, stripe
        self._written = -1
        self._asked, self._running = asyncio.Event(), False
        self._waiting: list[asyncio.Future[bool]] = []

    async def kept(self, changes: int) -> bool:
        """Whether so many changes of the books are in the file; has them written where they are not."""
        if self._written >= changes or not self._running:
            return self._written >= changes
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        self._asked.set()
        return bool(await answer)

    async def run(self) -> None:
        """Write whenever something changed, until told to end."""
        self._running = True
        while self._running:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self._asked.wait()
            self._asked.clear()
            await self._write_changes()
        # asked for while the last time was under way
        await self._write_changes()

    def end(self) -> None:
        """Write for the last time."""
        self._running = False
        self._asked.set()

    async def _write_changes(self) -> None:
        waiting, self._waiting = self._waiting, []
        changes, kept = self._stripe.books.changes, True
        if changes != self._written:
            # encoded here and not in the thread: no request may change it half-way
            kept = await asyncio.to_thread(_written, self._file, msgspec.json.encode(state_of(self._stripe)))
            self._written = changes if kept else self._written
        for one in waiting:
            if not one.done():
                one.set_result(kept)


def _written(file: Path, text: bytes) -> bool:
    draft = file.with_suffix(".new")
    try:
        with open(draft, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        draft.replace(file)
        _sync_folder(file.parent)
    except OSError as error:
        _log.error("the state of the local Stripe cannot be written", file=str(file), reason=str(error))
        return False
    return True


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def state_of(stripe: Stateful) -> State:
    """All that is to be kept."""
    books, deliveries = stripe.books, stripe.deliveries
    return State(
        kinds={kind: things for kind, things in books.kinds.items() if things},
        secrets=books.secrets,
        agendas={clock: dues for clock, dues in books.agendas.items() if dues},
        ahead=stripe.clock.ahead,
        answers=stripe.answers.all(),
        mode=deliveries.mode,
        held=[one["id"] for one in deliveries.held],
        dropped=[one["id"] for one in deliveries.dropped],
        waiting=[
            Ahead(one.event["id"], one.endpoint["id"], one.attempt, one.at) for one in deliveries.waiting.values()
        ],
        sent=[Attempt(one.event["id"], one.url, one.status, one.attempt) for one in deliveries.sent[-SENT:]],
    )


def read(file: Path) -> State | None:
    """What was kept; nothing where there is no file, or one that cannot be read, which is put aside."""
    try:
        state = msgspec.json.decode(file.read_bytes(), type=State)
        _check(state)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        aside = file.with_name(f"{file.stem}.unreadable-{int(time.time())}{file.suffix}")
        file.replace(aside)
        _log.error(
            "the state of the local Stripe cannot be read: it begins anew", kept_as=str(aside), reason=str(error)
        )
        return None
    return state


def _check(state: State) -> None:
    """Raise ValueError for what would be stumbled over later."""
    for kind, things in state.kinds.items():
        for id_, thing in things.items():
            if (thing.get("id"), thing.get("object")) != (id_, kind):
                raise ValueError(f"{id_} is not what it is kept as")
    deeds = {due[3] for dues in state.agendas.values() for due in dues}
    if unknown := sorted(deeds - DEEDS.keys()):
        raise ValueError(f"nobody can do {unknown[0]}")
    try:
        _restored(Books(lambda: 0, Rules()), state)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"its parts do not fit together ({error!r})") from error


def restore(stripe: Stateful, state: State) -> None:
    """Go on where this state was kept."""
    books, deliveries = stripe.books, stripe.deliveries
    _restored(books, state)
    stripe.clock.ahead = state.ahead
    stripe.answers.restore(state.answers)
    events, endpoints = books.kinds["event"], books.kinds["webhook_endpoint"]
    deliveries.mode = state.mode
    deliveries.held = [events[id_] for id_ in state.held if id_ in events]
    deliveries.dropped = [events[id_] for id_ in state.dropped if id_ in events]
    known = [one for one in state.sent if one.event in events]
    deliveries.sent = [Sent(events[one.event], one.url, one.status, one.attempt) for one in known]
    for one in state.waiting:
        if one.event in events and one.endpoint in endpoints:
            deliveries.wait(Waiting(events[one.event], endpoints[one.endpoint], one.attempt, one.at))


def _restored(books: Books, state: State) -> None:
    books.restore({"kinds": state.kinds, "secrets": state.secrets, "agendas": state.agendas})


class Hold:
    """The right to keep a state in a folder: one process at a time, until it ends, however that comes."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + PATIENCE
        while not self._locked():
            if time.monotonic() > deadline:
                raise InUse(f"{folder} is in use by another local Stripe")
            time.sleep(TRY_AGAIN)

    def _locked(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
