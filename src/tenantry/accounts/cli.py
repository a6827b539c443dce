"""What the command line does with accounts: the people of the demo, looking, keeping somebody out, signing out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec

from tenantry.accounts import actions, exchanges, queries
from tenantry.accounts.models import SESSION_IDLE, Account
from tenantry.foundation.call import Call
from tenantry.foundation.command import BadUsage, Command, Option
from tenantry.foundation.crowd import Company
from tenantry.foundation.data.ids import USER_ID
from tenantry.foundation.instants import read_instant
from tenantry.foundation.net.address import read_address
from tenantry.foundation.problems import NotFound
from tenantry.foundation.story import DAYS, DEMO, DEMO_PASSWORD, Story
from tenantry.foundation.work import SystemWork


async def seed(call: Call) -> list[str]:
    """A person to sign in as; made once, however often the demo is seeded."""
    address = read_address(DEMO)
    async with SystemWork(call, reason="the demo belongs to nobody yet") as work:
        known = await queries.address_of_account(work, email_key=address.key)
    if known is None:
        with Story(call.runtime).days_ago(DAYS):
            await exchanges.add_person(call, address=address, name="Demo Person", password=DEMO_PASSWORD)
    return [f"sign in as {DEMO} with the password: {DEMO_PASSWORD}"]


async def scale(work: SystemWork, companies: Sequence[Company]) -> Mapping[str, int]:
    """The people of a crowd; the founders of its first organizations have the demo's password."""
    return {"people": await actions.join_crowd(work, companies=companies)}


class Revoked(msgspec.Struct, frozen=True):
    """How many sessions were ended."""

    sessions: int


async def revoke(
    call: Call,
    *,
    user: Annotated[str | None, Option("Address or id of the person to sign out.")] = None,
    everybody: Annotated[bool, Option("Sign out everybody.", flag="--all")] = False,
) -> Revoked:
    """End the sessions of one person or of everybody: every token is refused from the next request on."""
    if everybody == (user is not None):
        raise BadUsage("give either --user or --all")
    if user is None:
        return Revoked(await exchanges.sign_out_everybody(call))
    return Revoked(await exchanges.sign_out(call, person=user))


OPERATOR = "an operator looks after anybody's account"
MOST_SHOWN = 1000
User = Annotated[str, Option("Address or id of the person.")]


class Shown(msgspec.Struct, frozen=True):
    """A person with an account, and how it stands with it."""

    user: str
    email: str
    name: str
    status: str
    created_at: datetime
    purge_at: datetime | None
    disabled_until: datetime | None
    disabled_why: str | None
    sessions: int
    last_used_at: datetime | None


class Users(msgspec.Struct, frozen=True):
    """People, the newest first."""

    users: list[Shown]


class Enabled(msgspec.Struct, frozen=True):
    """The person that was meant, and whether this is what let them in again."""

    user: str
    enabled: bool


async def show_users(
    call: Call,
    *,
    search: Annotated[str | None, Option("Only those with this in their address or name.")] = None,
    disabled: Annotated[bool, Option("Only those who are kept out.")] = False,
) -> Users:
    """Show people with an account, the newest first, a thousand at most."""
    given: dict[str, Any] = {"search": search, "disabled": disabled, "idle": SESSION_IDLE}
    async with SystemWork(call, reason=OPERATOR, reading=True) as work:
        found = await queries.accounts_of_anybody(work, **given, after_key=None, after_id=None, rows=MOST_SHOWN)
    return Users([_shown(one) for one in found])


async def show_user(call: Call, *, user: User) -> Shown:
    """Show one person: whether they may sign in, and on how many devices they are."""
    async with SystemWork(call, reason=OPERATOR, reading=True) as work:
        return _shown(await _found(work, user))


async def disable(
    call: Call,
    *,
    user: User,
    why: Annotated[str, Option("The reason, in one line; the person may ask for it.")],
    until: Annotated[str | None, Option("A moment such as 2026-12-31T00:00:00Z; none: until enabled.")] = None,
) -> Shown:
    """Keep a person out: every device is signed out, their API keys are refused, nobody signs in."""
    async with SystemWork(call, reason=OPERATOR) as work:
        found = await _found(work, user)
        await actions.disable_user(work, user_id=found.id, why=why, until=_moment(until))
        return _shown(await _found(work, user))


async def enable(call: Call, *, user: User) -> Enabled:
    """Let a person sign in again who was kept out."""
    async with SystemWork(call, reason=OPERATOR) as work:
        found = await _found(work, user)
        return Enabled(USER_ID.text(found.id), await actions.enable_user(work, user_id=found.id))


async def _found(work: SystemWork, named: str) -> Account:
    user_id = USER_ID.read(named)
    key = None if user_id else exchanges.key_of(named)
    found = await queries.account_of_anybody(work, user_id=user_id, email_key=key, idle=SESSION_IDLE)
    if found is None:
        raise NotFound("There is no such person.")
    return found


def _shown(one: Account) -> Shown:
    status = "disabled" if one.disabled_at else "closed" if one.closed_at else "active"
    return Shown(
        USER_ID.text(one.id), one.email, one.name, status, one.created_at, one.purge_at, one.disabled_until,
        one.disabled_why, one.sessions, one.last_used_at,
    )  # fmt: skip


def _moment(given: str | None) -> datetime | None:
    if given is None:
        return None
    try:
        return read_instant(given)
    except ValueError as error:
        raise BadUsage("--until is a moment such as 2026-12-31T00:00:00Z") from error


class Forgotten(msgspec.Struct, frozen=True):
    """Which address was forgotten."""

    address: str


async def forget_address(
    call: Call, *, address: Annotated[str, Option("The address, which has no account.")]
) -> Forgotten:
    """Forget an address that has no account: invites to it, registrations, and what the history says of it."""
    known = read_address(address)
    async with SystemWork(call, reason="an address without an account is nobody's, and every domain knows it") as work:
        await actions.forget_address(work, address=known)
    return Forgotten(known.typed)


commands = (
    Command("tokens", "revoke", revoke),
    Command("people", "forget-address", forget_address),
    Command("users", "list", show_users),
    Command("users", "show", show_user),
    Command("users", "disable", disable),
    Command("users", "enable", enable),
)
