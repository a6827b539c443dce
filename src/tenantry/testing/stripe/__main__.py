"""The local Stripe as a process of its own: `python -m tenantry.testing.stripe --port 12111 --folder FOLDER`.

Its key and webhook secret are those of TENANTRY_STRIPE_SECRET_KEY and TENANTRY_STRIPE_WEBHOOK_SECRETS, its clock is
TENANTRY_TEST_CLOCK's where that is set. `bin/dev` runs it so.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from tenantry.foundation.data.clock import FileClock
from tenantry.foundation.logs import configure_logs, get_logger
from tenantry.testing.stripe.keeping import Hold, InUse
from tenantry.testing.stripe.running import local_stripe
from tenantry.testing.stripe.server import SECRET_KEY, WEBHOOK_SECRET, LocalStripe

STATE, PLANS = "state.json", "plans.digest"
PATIENT = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
"""Seconds between attempts to deliver: whoever is to take notices may only be starting, or be away for a while."""


def main(words: list[str] | None = None) -> int:
    """Run until told to stop."""
    given = _parser().parse_args(words)
    configure_logs(
        level=os.environ.get("TENANTRY_LOG_LEVEL", "info"), form=os.environ.get("TENANTRY_LOG_FORMAT", "json")
    )
    try:
        hold = Hold(given.folder) if given.folder else None
        asyncio.run(_serve(given, os.environ))
        del hold
    except (InUse, OSError) as refusal:
        sys.stderr.write(f"local Stripe: {refusal}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tenantry.testing.stripe", description="A local Stripe.")
    parser.add_argument("--port", type=int, default=12111, help="port on the loopback")
    parser.add_argument("--folder", type=Path, help="where its state is kept; without it nothing is")
    parser.add_argument("--notices", help="where it posts what happens")
    return parser


async def _serve(given: argparse.Namespace, environ: Mapping[str, str]) -> None:
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    stripe = _stripe(given, environ)
    async with local_stripe(stripe, port=given.port) as running:
        get_logger("local_stripe").info("the local Stripe answers", url=running.url)
        await told.wait()


def _stripe(given: argparse.Namespace, environ: Mapping[str, str]) -> LocalStripe:
    secret = environ.get("TENANTRY_STRIPE_WEBHOOK_SECRETS") or WEBHOOK_SECRET
    stripe = LocalStripe(
        _clock(environ),
        secret_key=environ.get("TENANTRY_STRIPE_SECRET_KEY") or SECRET_KEY,
        # links in what it keeps are good as long as its port is
        public_url=f"http://127.0.0.1:{given.port}" if given.port else None,
        kept_in=given.folder / STATE if given.folder else None,
    )
    stripe.deliveries.retries = PATIENT
    if stripe.began_anew and given.folder:
        # what was sold in it has to be put into it again
        (given.folder / PLANS).unlink(missing_ok=True)
    if given.notices:
        stripe.point(given.notices, secret.partition(",")[0].strip())
    return stripe


def _clock(environ: Mapping[str, str]) -> Callable[[], datetime | float]:
    file = environ.get("TENANTRY_TEST_CLOCK")
    return FileClock(Path(file)).now if file else time.time


if __name__ == "__main__":
    sys.exit(main())
