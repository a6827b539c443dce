"""What a worker does beside its jobs, brought by a domain: something that goes on until the worker is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from tenantry.foundation.jobs.ear import Ear
from tenantry.foundation.runtime import Runtime

Beside = Callable[[Runtime, Ear, asyncio.Event], Coroutine[Any, Any, None]]
"""Goes on until the event is set, and ends within seconds of that; the ear tells when there may be something to do."""
