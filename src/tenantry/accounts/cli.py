"""What the command line does with accounts: the people of the demo."""

from __future__ import annotations

from tenantry.accounts import exchanges, queries
from tenantry.foundation.call import Call
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
