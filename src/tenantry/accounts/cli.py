"""What the command line does with accounts: the people of the demo, and signing people out."""

from __future__ import annotations

from typing import Annotated

import msgspec

from tenantry.accounts import actions, exchanges, queries
from tenantry.foundation.call import Call
from tenantry.foundation.command import BadUsage, Command, Option
from tenantry.foundation.net.address import read_address
from tenantry.foundation.work import SystemWork

DEMO = "demo@example.com"
DEMO_PASSWORD = "a demo is not a secret"  # noqa: S105  (printed, and refused outside development)


async def seed(call: Call) -> list[str]:
    """A person to sign in as; made once, however often the demo is seeded."""
    address = read_address(DEMO)
    async with SystemWork(call, reason="the demo belongs to nobody yet") as work:
        known = await queries.address_of_account(work, email_key=address.key)
    if known is None:
        await exchanges.add_person(call, address=address, name="Demo Person", password=DEMO_PASSWORD)
    return [f"sign in as {DEMO} with the password: {DEMO_PASSWORD}"]


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


commands = (Command("tokens", "revoke", revoke), Command("people", "forget-address", forget_address))
