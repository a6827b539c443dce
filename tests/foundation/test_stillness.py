"""A process that stays leaves what it was assembled from out of its collections of garbage."""

from __future__ import annotations

import sys

from commands import run
from tenantry.foundation.stillness import YOUNG
from tenantry.testing import Installation

ASSEMBLED = "import gc; from tenantry.assemble import web; web(); print(gc.get_freeze_count(), *gc.get_threshold())"


async def test_a_web_process_does_not_walk_what_it_was_assembled_from(installation: Installation) -> None:
    done = await run([sys.executable, "-c", ASSEMBLED], installation)
    frozen, young, *_ = map(int, done.stdout.split())
    assert frozen > 10_000, done.stderr
    assert young == YOUNG
