"""One attempt at one job: its handler called within its limits, and what comes of whatever it raises.

Neither arguments nor the text of an exception is logged or stored: both may hold what is personal or secret.
"""

from __future__ import annotations

import asyncio
import random
import traceback
from collections.abc import Mapping

import msgspec

from tenantry.foundation.events.versions import TooNew
from tenantry.foundation.jobs import metrics
from tenantry.foundation.jobs.ending import Again, Dead, Done, Ending, Withdrawn
from tenantry.foundation.jobs.handler import Handler
from tenantry.foundation.jobs.lease import Claimed
from tenantry.foundation.jobs.run import GiveUp, Job, LeaseLost, Retry, Snooze
from tenantry.foundation.logs import get_logger

log = get_logger("tenantry.jobs")

FIRST_WAIT, LONGEST_WAIT = 2.0, 3 * 3600.0
"""Seconds before the second attempt at a job, and at most between two; doubled each time, with jitter."""
# a kind that nobody knows here may belong to a release that is being rolled out
NEWCOMER_WAIT, NEWCOMER_PATIENCE = 10.0, 600.0
"""Seconds between looks at a job that this release does not know, and until it is given up."""
LONGEST_REASON = 500


async def attempt(handlers: Mapping[str, Handler], claimed: Claimed, job: Job) -> Ending | None:
    """Do the job; None when nothing is left to write, because it is complete or no longer ours."""
    handler = handlers.get(claimed.kind)
    if handler is None:
        return _unknown(claimed, "no handler for this kind")
    try:
        given = handler.given(claimed.args, claimed.version)
    except TooNew:
        return _unknown(claimed, "no handler for this version")
    # beside what cannot be decoded, whatever a check of the arguments' own raises
    except Exception:  # noqa: BLE001
        return _dead(claimed, "its arguments do not fit its kind")
    return await _perform(handler, claimed, job, given)


async def _perform(handler: Handler, claimed: Claimed, job: Job, given: tuple[msgspec.Struct, ...]) -> Ending | None:
    try:
        async with asyncio.timeout(handler.timeout):
            await handler.function(job, *given)
    except LeaseLost:
        metrics.ended.labels(claimed.kind, "lost").inc()
        log.warning("job lost to another worker, or cancelled", **_names(claimed))
        # fenced: it takes away what is still ours, which is what was cancelled before it could complete
        return Withdrawn(claimed.id, claimed.attempt, claimed.group)
    except asyncio.CancelledError as error:
        if job.cancelled:
            return _withdrawn(claimed)
        if _told_to_end():
            raise
        # something that the handler waited for was cancelled, and not the run
        return _failed(claimed, job, error)
    # whatever a handler raises is the failure of its job alone; sys.exit() in one must not stop the others
    except (Exception, SystemExit) as error:  # noqa: BLE001
        return _withdrawn(claimed) if job.cancelled and not job.completed else _failed(claimed, job, error)
    if job.cancelled and not job.completed:
        return _withdrawn(claimed)
    metrics.ended.labels(claimed.kind, "done").inc()
    log.debug("job done", **_names(claimed))
    return None if job.completed else Done(claimed.id, claimed.attempt, job.group)


def _told_to_end() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _withdrawn(claimed: Claimed) -> Ending:
    metrics.ended.labels(claimed.kind, "cancelled").inc()
    log.info("job cancelled", **_names(claimed))
    return Withdrawn(claimed.id, claimed.attempt, claimed.group)


def _failed(claimed: Claimed, job: Job, error: BaseException) -> Ending | None:
    if job.completed:
        # what it committed stands and the run is gone: there is nothing to repeat
        log.error("job failed after it was complete", error=describe(error), **_names(claimed))
        metrics.ended.labels(claimed.kind, "done").inc()
        return None
    if isinstance(error, GiveUp):
        return _dead(claimed, plain(str(error)))
    if isinstance(error, Snooze):
        metrics.ended.labels(claimed.kind, "snoozed").inc()
        return Again(claimed.id, claimed.attempt, error.after, "snoozed", free=True, group=claimed.group)
    if claimed.attempt >= claimed.max_attempts:
        return _dead(claimed, f"failed {claimed.attempt} times, last: {describe(error)}")
    wait = error.after if isinstance(error, Retry) else backoff(claimed.attempt - claimed.spared)
    why = "asked for another attempt" if isinstance(error, Retry) else describe(error)
    metrics.ended.labels(claimed.kind, "retried").inc()
    log.warning("job will be tried again", error=why, after=round(wait, 1), **_names(claimed))
    return Again(claimed.id, claimed.attempt, wait, why, group=claimed.group)


def _unknown(claimed: Claimed, why: str) -> Ending:
    if claimed.age >= NEWCOMER_PATIENCE:
        return _dead(claimed, why, label="unknown")
    log.warning("job of a kind or version that nobody knows here", **_names(claimed))
    return Again(claimed.id, claimed.attempt, NEWCOMER_WAIT, f"{why} yet", free=True, group=claimed.group)


def _dead(claimed: Claimed, why: str, *, label: str | None = None) -> Dead:
    metrics.ended.labels(label or claimed.kind, "dead").inc()
    log.error("job is a dead letter", reason=why, **_names(claimed))
    return Dead(claimed.id, claimed.attempt, why, claimed.group)


def backoff(attempt: int) -> float:
    """How long to wait after a failed attempt: about 2, 4, 8 ... seconds, at most three hours."""
    wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(max(attempt, 1) - 1, 20))
    return wait * random.uniform(0.5, 1.0)  # noqa: S311  (spreads load, hides nothing)


def describe(error: BaseException) -> str:
    """An exception without its text: what it was and where."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = next((frame for frame in reversed(frames) if "site-packages" not in frame.filename), None)
    place = f" at {'/'.join(ours.filename.split('/')[-2:])}:{ours.lineno}" if ours else ""
    return plain(f"{type(error).__name__}{place}")


def plain(text: str) -> str:
    """Text that the database takes for certain: no NUL, no lone surrogate, not too long."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")[:LONGEST_REASON]


def _names(claimed: Claimed) -> dict[str, str | int]:
    return {
        "kind": claimed.kind,
        "job": str(claimed.id),
        "attempt": claimed.attempt,
        "request_id": claimed.request_id,
    }
