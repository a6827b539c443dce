"""What the command line does with billing: shows what Stripe told, has it applied once more, and compares."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from tenantry.billing import actions, exchanges, queries, stripe
from tenantry.billing.models import SUBJECTS, Notice
from tenantry.billing.settings import BillingSettings
from tenantry.foundation.call import Call
from tenantry.foundation.command import BadUsage, Command, Option
from tenantry.foundation.problems import NotFound, Unavailable
from tenantry.foundation.work import SystemWork

OPERATOR = "an operator looks after what Stripe told about anybody"
MOST_SHOWN = 1000
STATES = ("waiting", "applied", "orphaned", "failed")
Id = Annotated[str, Option("Which notice (`evt_...`).")]


class Notices(msgspec.Struct, frozen=True):
    """Notices, the newest first."""

    notices: list[Notice]


class Types(msgspec.Struct, frozen=True):
    """What an endpoint at Stripe is to tell of."""

    types: list[str]


class Replayed(msgspec.Struct, frozen=True):
    """How many notices will be applied once more."""

    asked: int


class Whole(msgspec.Struct, frozen=True):
    """A notice with what it said, which is kept until it is applied."""

    id: str
    type: str
    api_version: str | None
    about: str
    customer: str | None
    state: str
    attempts: int
    last_error: str | None
    received_at: datetime
    handled_at: datetime | None
    payload: str | None


class Reconciled(msgspec.Struct, frozen=True):
    """What was compared with Stripe: `differed` rows are mended, `lost` notices are kept and will be applied."""

    looked: int
    differed: int
    lost: int
    replayed: int
    unknown: int
    unread: int


class ToDo(msgspec.Struct, frozen=True):
    """What a sync would do, and in which of the two worlds of a Stripe account, `live` or `test`."""

    mode: str
    warnings: list[str]
    to_do: list[str]


class Synced(msgspec.Struct, frozen=True):
    """What a sync did."""

    mode: str
    warnings: list[str]
    done: list[str]


async def show_notices(
    call: Call,
    *,
    state: Annotated[str | None, Option("Only those that are `waiting`, `applied`, `orphaned` or `failed`.")] = None,
    limit: Annotated[int, Option("Notices at most, up to 1000.")] = 50,
) -> Notices:
    """Show what Stripe told, the newest first."""
    if not 1 <= limit <= MOST_SHOWN:
        raise BadUsage(f"--limit is 1 to {MOST_SHOWN}")
    _check_state(state)
    async with SystemWork(call, reason=OPERATOR, reading=True) as work:
        return Notices(await queries.notices_newest_first(work, state=state, rows=limit))


async def show_types(_: Call) -> Types:
    """Show which types of events an endpoint at Stripe is made for; what else it tells is counted and let go."""
    return Types(sorted(SUBJECTS))


async def show_notice(call: Call, *, id: Id) -> Whole:
    """Show one notice, with what it said as long as it is not applied."""
    async with SystemWork(call, reason=OPERATOR, reading=True) as work:
        found = await queries.notice(work, id=id)
        payload = await queries.notice_payload(work, id=id)
    if found is None:
        raise NotFound(f"There is no notice {id}.")
    return Whole(
        id=found.id, type=found.type, api_version=found.api_version, about=f"{found.subject} {found.subject_id}",
        customer=found.customer_id, state=found.state, attempts=found.attempts, last_error=found.last_error,
        received_at=found.received_at, handled_at=found.handled_at, payload=payload,
    )  # fmt: skip


async def replay(
    call: Call,
    *,
    id: Annotated[str | None, Option("Which notice (`evt_...`).")] = None,
    state: Annotated[str | None, Option("Instead: all that are `failed` or `orphaned`, up to 1000 of them.")] = None,
) -> Replayed:
    """Have a notice applied once more that failed, or all of a state; Stripe is asked anew what is true."""
    if (id is None) is (state is None):
        raise BadUsage("say --id or --state")
    if state is not None and state not in {"failed", "orphaned"}:
        raise BadUsage("--state is failed or orphaned")
    ids = [id] if id is not None else [one.id for one in (await show_notices(call, state=state, limit=1000)).notices]
    async with SystemWork(call, reason=OPERATOR) as work:
        for notice_id in ids:
            await actions.replay_notice(work, notice_id=notice_id)
    return Replayed(len(ids))


async def reconcile(
    call: Call,
    *,
    all: Annotated[bool, Option("Also what is cancelled, and all that Stripe still remembers that it told.")] = False,
) -> Reconciled:
    """Compare what is kept with Stripe, mend what differs, and keep what Stripe told and nobody heard."""
    try:
        now = await exchanges.begin_round(call, whole=all)
        while not now.over:
            now = await exchanges.go_on(call, round_=now)
    except stripe.StripeFailed as error:
        raise Unavailable(f"{error}; what was mended until then stays") from error
    return Reconciled(now.looked, now.differed, now.lost, now.replayed, now.unknown, now.unread)


async def diff(call: Call) -> ToDo:
    """Show what Stripe lacks of the plan file, and what it sells that is in it no more; exits with 1 if anything."""
    return ToDo(*_mode(call), [step.sentence for step in await exchanges.compare_plans(call)])


async def sync(
    call: Call,
    *,
    dry_run: Annotated[bool, Option("Say what would be done, and do nothing.")] = False,
) -> ToDo | Synced:
    """Put the plan file's products, prices and features into Stripe; once more, and nothing is left to do."""
    if dry_run:
        return await diff(call)
    return Synced(*_mode(call), [step.sentence for step in await exchanges.sync_plans(call)])


def _mode(call: Call) -> tuple[str, list[str]]:
    if call.runtime.section(BillingSettings).live:
        return "live", ["The key is live: this is what real people see and pay for."]
    return "test", []


def _differs(answer: msgspec.Struct) -> bool:
    return isinstance(answer, ToDo) and bool(answer.to_do)


def _check_state(state: str | None) -> None:
    if state is not None and state not in STATES:
        raise BadUsage(f"--state is one of {', '.join(STATES)}")


commands = (
    Command("billing", "reconcile", reconcile),
    Command("billing notices", "list", show_notices),
    Command("billing notices", "types", show_types),
    Command("billing notices", "show", show_notice),
    Command("billing notices", "replay", replay),
    Command("plans", "diff", diff, failed=_differs),
    Command("plans", "sync", sync),
)
