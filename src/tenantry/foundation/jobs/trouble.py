"""What may go wrong between the queue and its database, and how long to wait before trying again."""

from __future__ import annotations

import asyncio
import random

from asyncpg.exceptions import PostgresError

from tenantry.foundation.data.database import LOST
from tenantry.foundation.problems import Problem

# all that a transaction of the queue can raise without a mistake of ours; the worker outlives each of them
TROUBLE = (Problem, PostgresError, *LOST)


async def breath(seconds: float = 0.5) -> None:
    """A short pause, never the same for two processes."""
    await asyncio.sleep(jittered(seconds))


def jittered(seconds: float) -> float:
    """About so long: between three quarters and five quarters of it."""
    return seconds * random.uniform(0.75, 1.25)  # noqa: S311  (spreads load, hides nothing)
