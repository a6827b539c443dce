"""Asking for flags: what somebody has of each, by one snapshot for all that is done in one request. Nothing is raised.

Who asks is taken from the work, never from what a client sent beside it. Code may add attributes that rules can ask
for; what the house knows itself they do not replace.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from tenantry.flags.exchanges.keeping import FlagsKept, flags_kept
from tenantry.flags.models import Context, Details, Fault, Snapshot
from tenantry.foundation.flag import KIND_OF, FlagKind
from tenantry.foundation.work import SystemWork, Work
from tenantry.plans import queries as plans

NOTHING: Mapping[str, Any] = {}
_SNAPSHOT, _PLANS = "flags.snapshot", "flags.plans"


class Flags:
    """The flags of one moment, as somebody has them."""

    __slots__ = ("_flags", "_kept", "context", "snapshot")

    def __init__(self, kept: FlagsKept, snapshot: Snapshot, context: Context) -> None:
        self._kept = kept
        self._flags = snapshot.flags
        self.snapshot = snapshot
        self.context = context

    def is_on(self, key: str, *, default: bool = False) -> bool:
        """Whether a flag of kind boolean is on."""
        return self.details(key, default).value is True

    def value(self, key: str, default: Any = None) -> Any:
        """What a flag gives; the default where it gives nothing of the default's kind."""
        return self.details(key, default).value

    def details(self, key: str, default: Any = None) -> Details:
        """What a flag gives, and why. A default of None is of any kind."""
        try:
            flag = self._flags.get(key)
            if flag is None:
                return self._without(key, default)
            flag.times[0] += 1
            if flag.decide is None:
                return self._undecided(key, default)
            if default is not None and KIND_OF.get(type(default)) != flag.kind:
                return _fallen(default, "TYPE_MISMATCH")
            found = flag.decide(self.context)
        except Exception as error:  # noqa: BLE001  (a flag that breaks must not break what asks for it)
            self._kept.complain(str(key), error)
            return _fallen(default, "GENERAL")
        if self.snapshot.loaded:
            return found
        # a declared flag, of which nobody knows yet what operators made
        return Details(found.value, found.variant, "ERROR", "PROVIDER_NOT_READY")

    def visible(self) -> Iterator[tuple[str, FlagKind, Details]]:
        """Each flag that members see: its key, its kind, and what it gives."""
        for key, flag in sorted(self._flags.items()):
            if flag.visible:
                yield key, flag.kind, self.details(key)

    def _without(self, key: str, default: Any) -> Details:
        return _fallen(default, "FLAG_NOT_FOUND" if self.snapshot.loaded else "PROVIDER_NOT_READY")

    def _undecided(self, key: str, default: Any) -> Details:
        return _fallen(default, "PARSE_ERROR") if key in self.snapshot.broken else Details(default, None, "DISABLED")


def _fallen(default: Any, fault: Fault) -> Details:
    return Details(default, None, "ERROR", fault)


async def flags_of(work: Work, *, attributes: Mapping[str, Any] = NOTHING) -> Flags:
    """All flags as whoever the work acts for has them; the same snapshot for all works of one call."""
    kept = flags_kept(work.runtime)
    snapshot = await _snapshot(work, kept)
    org = work.call.actor.org
    plan = await _plan(work, org) if snapshot.needs_plan else None
    return Flags(kept, snapshot, _context(work, org, plan, attributes))


async def flag_is_on(work: Work, key: str, *, default: bool = False, attributes: Mapping[str, Any] = NOTHING) -> bool:
    """Whether a flag of kind boolean is on for whoever the work acts for."""
    return await flag_value(work, key, default, attributes=attributes) is True


async def flag_value(work: Work, key: str, default: Any = None, *, attributes: Mapping[str, Any] = NOTHING) -> Any:
    """What a flag gives to whoever the work acts for; the plan is looked up only if this flag's rules ask for it."""
    kept = flags_kept(work.runtime)
    snapshot = await _snapshot(work, kept)
    flag, org = snapshot.flags.get(key), work.call.actor.org
    plan = await _plan(work, org) if flag is not None and flag.needs_plan else None
    return Flags(kept, snapshot, _context(work, org, plan, attributes)).value(key, default)


async def flags_for(work: SystemWork, org_id: UUID, *, attributes: Mapping[str, Any] = NOTHING) -> Flags:
    """All flags as an organization has them, asked by the house for nobody in it."""
    kept = flags_kept(work.runtime)
    snapshot = await _snapshot(work, kept)
    plan = await _plan(work, org_id) if snapshot.needs_plan else None
    context = Context(
        clock=work.runtime.clock.seconds, org=org_id, plan=plan, actor=work.call.actor.kind, attributes=attributes
    )
    return Flags(kept, snapshot, context)


async def _snapshot(work: Work, kept: FlagsKept) -> Snapshot:
    # one that was never read is not held on to: what comes later in the call may be answered by the rules
    found: Snapshot | None = work.call.kept.get(_SNAPSHOT)
    if found is None:
        found = await kept.first()
        if found.loaded:
            work.call.kept[_SNAPSHOT] = found
    return found


async def _plan(work: Work, org: UUID | None) -> str | None:
    if org is None:
        return None
    known: dict[UUID, str] = work.call.kept.setdefault(_PLANS, {})
    if org not in known:
        known |= await plans.plans_of(work, [org])
    return known[org]


def _context(work: Work, org: UUID | None, plan: str | None, attributes: Mapping[str, Any]) -> Context:
    actor = work.call.actor
    return Context(
        clock=work.runtime.clock.seconds, org=org, user=actor.person, plan=plan,
        role=getattr(work, "role", None) or actor.role, actor=actor.kind, key=actor.key, attributes=attributes,
    )  # fmt: skip
