"""Steering consumers: an operator has one rebuilt, held, let go on, or passed over what it is stuck on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal
from uuid import UUID

import msgspec

from tenantry.foundation.events import standing
from tenantry.foundation.events.consumer import Consumer
from tenantry.foundation.events.log import Position
from tenantry.foundation.problems import Conflict, NotFound
from tenantry.foundation.work import Work


class NoSuchConsumer(NotFound):
    """No consumer of this name has ever read the event log here."""

    code = "no_such_consumer"


class CannotRebuild(Conflict):
    """This consumer cannot be rebuilt now."""

    code = "cannot_rebuild"


class NotStuck(Conflict):
    """This consumer is not stuck on an event."""

    code = "consumer_not_stuck"


class Steered(msgspec.Struct, frozen=True):
    """What became of a consumer: what was done, to which generation, and the event that it passed over."""

    consumer: str
    became: Literal["rebuilding", "as it was", "paused", "running", "past the event"]
    generation: int | None = None
    event: UUID | None = None


async def rebuild(work: Work, consumers: Iterable[Consumer], name: str) -> Steered:
    """Have a consumer's rows made anew from the beginning of the log, beside those that are read meanwhile."""
    known = {one.name: one for one in consumers}
    if name not in known:
        raise NoSuchConsumer
    if known[name].clear is None:
        raise CannotRebuild("It keeps no rows in generations: what it has done would be done twice.")
    if not await standing.rebuild(work, name=name):
        raise CannotRebuild("It has not begun to read the log, or is being rebuilt already.")
    return Steered(name, "rebuilding")


async def cancel_rebuild(work: Work, name: str) -> Steered:
    """Give up the generation that is being built; its rows are removed."""
    if not await standing.give_up_building(work, name=name):
        raise CannotRebuild("It is not being rebuilt.")
    return Steered(name, "as it was")


async def pause(work: Work, name: str) -> Steered:
    """Hold a consumer where it stands until it is resumed."""
    await _make_sure(work, name)
    await standing.pause(work, name=name)
    return Steered(name, "paused")


async def resume(work: Work, name: str) -> Steered:
    """Let a consumer go on that was held."""
    await _make_sure(work, name)
    await standing.resume(work, name=name)
    return Steered(name, "running")


async def skip(work: Work, name: str) -> Steered:
    """Have a consumer pass over the one event that it is stuck on, which its row remembers."""
    await _make_sure(work, name)
    stuck = await standing.take_stuck(work, name=name)
    if stuck is None:
        raise NotStuck
    at = Position.read(stuck.failed_at)
    await standing.pass_over(work, name=name, generation=stuck.generation, epoch=at.epoch, tx=at.tx, id=at.id)
    return Steered(name, "past the event", stuck.generation, stuck.failed_event)


async def _make_sure(work: Work, name: str) -> None:
    if not await standing.known(work, names=[name]):
        raise NoSuchConsumer
