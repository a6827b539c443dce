"""`python -m bench [NAME ...]`: run the named benches, or all; exit 3 when what they need is missing."""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable

from bench import (
    bundle,
    flags,
    jobs,
    keys,
    log,
    me,
    notices,
    once,
    orgs,
    passwords,
    rates,
    refresh,
    shed,
    start,
    usage,
    webhooks,
)
from bench.cores import split
from bench.database import postgres
from bench.processes import BenchFailed
from bench.report import Outcome
from bench.stage import EVERY, Options, Stage

BENCHES: dict[str, Callable[[Stage], Outcome]] = {
    "me": me.run,
    "login": passwords.login,
    "register": passwords.register,
    "refresh": refresh.run,
    "keys": keys.run,
    "members": orgs.members,
    "invites": orgs.invites,
    "once": once.run,
    "start": start.run,
    "shed": shed.run,
    "bundle": bundle.run,
    "usage": usage.run,
    "jobs": jobs.run,
    "log": log.run,
    "notices": notices.run,
    "flags": flags.run,
    "rates": rates.run,
    "webhooks": webhooks.run,
}


def main(words: list[str]) -> int:
    """Run, print, write; 1 when a bench failed, or with --strict when a goal was missed."""
    asked = arguments(words)
    # asked to end, we end what we started
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    targets = tuple(asked.targets.split(","))
    options = Options(asked.seconds, asked.rounds, asked.connections, targets, asked.quick, asked.history)
    cores = split()
    if cores.shared:
        print("one core only: the load generator and PostgreSQL share it, so take the ratios with care")
    if not shutil.which("wrk"):
        print("wrk is missing (Debian: apt-get install wrk): our own load generator takes its place")
    with postgres(cores) as server:
        outcomes = [attempt(name, Stage(options, cores, server)) for name in asked.names or BENCHES]
    missed = [goal for outcome in outcomes if outcome for goal in outcome.goals if not goal.met]
    return 1 if None in outcomes or (asked.strict and missed) else 0


def arguments(words: list[str]) -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(prog="bin/bench", description="Ratios against peers, taken in one run.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}; none: all")
    parser.add_argument("--seconds", type=float, default=5, help="a measured window (5)")
    parser.add_argument("--rounds", type=int, default=5, help="windows for each target, taking turns (5)")
    parser.add_argument("--connections", type=int, default=16, help="for me and refresh (16)")
    parser.add_argument("--targets", default=",".join(EVERY), help=f"of {','.join(EVERY)}")
    parser.add_argument("--quick", action="store_true", help="jobs, notices: less of it, to see whether it runs at all")
    parser.add_argument("--history", action="store_true", help="jobs: also beside a million dead letters")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a goal is missed")
    asked = parser.parse_args(words)
    for name in asked.names:
        if name not in BENCHES:
            parser.error(f"no bench is called {name}")
    for name in asked.targets.split(","):
        if name not in EVERY:
            parser.error(f"no target is called {name}")
    return asked


def attempt(name: str, stage: Stage) -> Outcome | None:
    """One bench; its failure does not keep the others from running."""
    try:
        outcome = BENCHES[name](stage)
    except (BenchFailed, OSError, subprocess.SubprocessError) as failure:
        said = getattr(failure, "stderr", None) or ""
        print(f"\n== {name}: failed\n{failure}\n{said}", file=sys.stderr)
        return None
    outcome.show()
    return outcome


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
