"""Checkups: what `tenantry doctor` looks at beyond what every process does, and what to do about what it finds."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import msgspec
from asyncpg.exceptions import PostgresError

from tenantry.foundation.data.database import LOST, system_context
from tenantry.foundation.net.mail import MailDelayed
from tenantry.foundation.problems import Unavailable
from tenantry.foundation.runtime import Runtime

MOST_APART = 2.0
"""Seconds by which the clocks of this machine and of the database may differ."""
WELL = ("ok", "off")


class Finding(msgspec.Struct, frozen=True):
    """How something stands, in a word or two, and what to do about it where it is neither `ok` nor `off`."""

    check: str
    state: str
    advice: str = ""


Checkup = Callable[[Runtime], Awaitable[Finding]]

READINESS = {
    ("database", "unreachable"): "Start PostgreSQL, or set TENANTRY_DATABASE_URL to where it listens.",
    ("migrations", "unknown"): "Mend the database first.",
    ("migrations", "missing"): "Run `tenantry migrate`.",
    ("migrations", "behind"): "Run `tenantry migrate` with this version's code.",
    ("migrations", "ahead"): "Deploy the code that migrated last; this one serves until then.",
    (
        "keys",
        "missing",
    ): "Give TENANTRY_MASTER_KEYS the key that sealed them, or run `tenantry tokens rotate-keys --now`.",
}
"""What to do about what is not ready, by check and state."""


async def check_clock(runtime: Runtime) -> Finding:
    """Whether this machine and the database agree on the time, by which tokens and leases end."""
    try:
        began = time.time()
        async with runtime.database.transaction(system_context()) as connection:
            there = await connection.fetchval("select extract(epoch from tenantry.tick())::double precision")
        ended = time.time()
    except (*LOST, PostgresError, Unavailable):
        return Finding("clock", "unknown", "Mend the database first.")
    # it was read at some moment between the two
    apart = max(began - there, there - ended, 0.0)
    if apart <= MOST_APART:
        return Finding("clock", "ok")
    return Finding(
        "clock", f"{apart:.0f} s apart", "Let both machines follow a time server (chrony, systemd-timesyncd)."
    )


async def check_mail(runtime: Runtime) -> Finding:
    """Whether the mail server lets this process in."""
    try:
        await runtime.mailer.post.try_out()
    except MailDelayed as error:
        return Finding(
            "mail", str(error), "Look at TENANTRY_SMTP_URL: the host, the port, the password and `starttls`."
        )
    return Finding("mail", "ok")


CHECKUPS: tuple[Checkup, ...] = (check_clock, check_mail)
"""Those of the house; domains bring their own."""
