"""What the house asks of whoever keeps people's devices."""

from __future__ import annotations

from collections.abc import Sequence

from tenantry.foundation.question import Question


def _nothing(answers: Sequence[None]) -> None:
    return None


device_used: Question[[], None] = Question(
    "device_used", "Write down that the browser that asks is still in use.", settle=_nothing
)
