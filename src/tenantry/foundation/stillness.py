"""Collections of garbage that would find none: spared by every process that stays, once it is assembled."""

from __future__ import annotations

import gc

YOUNG = 10_000
"""Objects more than before a collection of the youngest begins; Python's own 700 are what one request makes."""


def keep_still() -> None:
    """Leave what is here by now out of every collection, and look at what is young less often.

    A walk over all that was imported holds up a loop for a tenth of a second; walks of the youngest took a tenth of a
    webhook sender's time.
    """
    gc.freeze()
    gc.set_threshold(YOUNG)
