"""What the house asks of whoever keeps people's devices."""

from __future__ import annotations

from tenantry.foundation.question import Question, nothing

device_used: Question[[], None] = Question(
    "device_used", "Write down that the browser that asks is still in use.", settle=nothing
)
