"""Sending a letter from a job: tried again when the post is late, given up when it says never."""

from __future__ import annotations

from tenantry.foundation.jobs.run import GiveUp, Job
from tenantry.foundation.net.letters import Letter
from tenantry.foundation.net.mail import Undeliverable


async def post(job: Job, letter: Letter) -> None:
    """Send a letter with no connection held; a retry sends the same mail under the same Message-ID."""
    try:
        await job.runtime.mailer.send(letter)
    except Undeliverable as error:
        raise GiveUp(f"undeliverable: {error}") from error
