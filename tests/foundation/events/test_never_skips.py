"""No event is skipped and none is read twice, however the transactions of its writers overlap."""

from __future__ import annotations

import os

import pytest
from adversary import hunt

WRITTEN = "TENANTRY_EVENTS_WRITTEN"


@pytest.fixture
def events(request: pytest.FixtureRequest) -> int:
    """How many: as many as that variable says, a million with --all-faults, else 20,000."""
    every = request.config.getoption("--all-faults")
    return int(os.environ.get(WRITTEN, "1000000" if every else "20000"))


@pytest.mark.timeout(900)
async def test_no_event_is_skipped_or_doubled_where_numbers_skip(
    dsn: str, events: int, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = await hunt(dsn, events)
    with capsys.disabled():
        print(f"\n{counts.sentence}")
    assert counts.committed == counts.read >= events
    assert (counts.skipped, counts.doubled, counts.never_committed) == (0, 0, 0)
    assert (counts.out_of_order, counts.transactions_split) == (0, 0)
    # or the adversary would prove nothing
    assert counts.naive_skipped > 0
