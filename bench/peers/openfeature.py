"""OpenFeature's client on our provider and on its own in-memory one, with the same flags and the same decisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any

from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagResolutionDetails, Reason
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

from tenantry.flags import Flags
from tenantry.flags.exchanges.openfeature import TenantryProvider
from tenantry.foundation.runtime import Runtime

Ask = Callable[[str], object]
HALF, WHOLE = 50_000, 100_000
# ruff: noqa: FBT003  (its client takes defaults by their place)


async def asking(runtime: Runtime, flags: Flags, keys: Sequence[str]) -> tuple[Ask, Ask, Ask]:
    """Ways to ask: its client on ours, its own provider by itself, and its client on that."""
    theirs = InMemoryProvider({key: _flag(key) for key in keys})
    told = flags.context.told()
    context = EvaluationContext(told["org"], told)
    api.set_provider_and_wait(await TenantryProvider.of(runtime), "ours")
    api.set_provider_and_wait(theirs, "theirs")
    mine, yours = api.get_client("ours"), api.get_client("theirs")
    return (
        lambda key: mine.get_boolean_value(key, False, context),
        lambda key: theirs.resolve_boolean_details(key, False, context),
        lambda key: yours.get_boolean_value(key, False, context),
    )


def _flag(key: str) -> InMemoryFlag[bool]:
    evaluators = {"by_plan": _by_plan, "by_share": _by_share}
    return InMemoryFlag("off", {"on": True, "off": False}, context_evaluator=evaluators.get(key))


def _by_plan(flag: Any, context: EvaluationContext) -> FlagResolutionDetails[bool]:
    return _decided(flag, on=context.attributes.get("plan") in ("pro", "free"))


def _by_share(flag: Any, context: EvaluationContext) -> FlagResolutionDetails[bool]:
    hashed = blake2b(b"by_share\0\0" + (context.targeting_key or "").encode(), digest_size=8).digest()
    return _decided(flag, on=int.from_bytes(hashed) % WHOLE < HALF)


def _decided(flag: Any, *, on: bool) -> FlagResolutionDetails[bool]:
    variant = "on" if on else "off"
    return FlagResolutionDetails(flag.variants[variant], reason=Reason.TARGETING_MATCH, variant=variant)
