"""What the plan file sells, put into the local Stripe: at the first start, and when the file is another one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from tenantry.entrypoints.dev.errand import sent_by
from tenantry.entrypoints.dev.local_stripe import LocalStripe
from tenantry.settings import variables_given

TRIES = 3


class PlanSync:
    """Runs `plans sync` beside everything else, once the local Stripe answers."""

    def __init__(self, stripe: LocalStripe, environment: Mapping[str, str]) -> None:
        self._stripe, self._environment = stripe, dict(environment)
        plan_file = variables_given(environ=self._environment).get("TENANTRY_PLAN_FILE", "")
        self._wanted = _digest(plan_file)
        self._process: subprocess.Popen[bytes] | None = None
        self._tries = 0
        # without a plan file nothing is sold
        self._over = not plan_file

    @property
    def over(self) -> bool:
        """Whether there is nothing left to do, or to try."""
        return self._over

    def look(self) -> None:
        """Start it when it is time to, and see what became of it."""
        if self._over:
            return
        if self._process is not None:
            self._see(self._process.poll())
        elif self._stripe.answers():
            # asked only now: a local Stripe that begins anew removes the digest before it answers
            self._over = self._wanted == self._known()
            if not self._over:
                self._start()

    def stop(self) -> None:
        """End it, wherever it is: the next start does it again."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _start(self) -> None:
        self._tries += 1
        self._process = subprocess.Popen(
            sent_by(os.getpid(), "tenantry", "plans", "sync"),
            # each call to Stripe is logged otherwise
            env={"TENANTRY_LOG_LEVEL": "warning"} | self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            process_group=0,
        )

    def _see(self, code: int | None) -> None:
        if code is None:
            return
        self._process = None
        if code == 0:
            self._stripe.plans_digest.write_text(self._wanted)
            self._over = True
        elif self._tries >= TRIES:
            self._over = True
            sys.stderr.write("tenantry: the plans are not in the local Stripe; the lines above say why.\n")

    def _known(self) -> str:
        file = self._stripe.plans_digest
        return file.read_text() if file.exists() else ""


def _digest(plan_file: str) -> str:
    """What tells one plan file from another; of one that cannot be read the API says so, which does not start."""
    try:
        return sha256(Path(plan_file).read_bytes()).hexdigest()
    except OSError:
        return "unreadable"
