"""The local Stripe of a household: its port, which is remembered, its secret, and how processes are told of it.

Known here by its command line alone: it belongs to the test kit, which no part of the product imports.
"""

from __future__ import annotations

import secrets
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from tenantry.entrypoints.dev.errand import sent_by
from tenantry.entrypoints.port import PortTaken, refuse_taken_port
from tenantry.settings import variables_given

OF_STRIPE = ("TENANTRY_STRIPE_API_BASE", "TENANTRY_STRIPE_SECRET_KEY", "TENANTRY_STRIPE_WEBHOOK_SECRETS")
HOST = "127.0.0.1"
FROM_API = 4242
"""How far its port is from the API's, where that one is free; the next one may be another household's."""
HIGHEST = 65_535
# whoever held the port may have been killed a moment ago
PATIENCE, LOOK_EVERY = 2.0, 0.05


@dataclass(frozen=True)
class LocalStripe:
    """A folder's local Stripe."""

    folder: Path
    port: int
    api_port: int
    webhook_secret: str

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which billing is done with it."""
        values = (f"http://{HOST}:{self.port}", "sk_test_local", self.webhook_secret)
        return dict(zip(OF_STRIPE, values, strict=True))

    @property
    def plans_digest(self) -> Path:
        """The file that says which plan file it has; it goes with what the local Stripe knew."""
        return self.folder / "plans.digest"

    def command(self, supervisor: int) -> tuple[str, ...]:
        """What starts it."""
        notices = f"http://{HOST}:{self.api_port}/v1/stripe/webhook"
        words = ("--port", str(self.port), "--folder", str(self.folder), "--notices", notices)
        # it imports for a second before it could promise anything itself
        return sent_by(supervisor, "tenantry.testing.stripe", *words)

    def answers(self) -> bool:
        """Whether it can be spoken to."""
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex((HOST, self.port)) == 0


def local_stripe_in(data: Path, *, api_port: int) -> LocalStripe | None:
    """The local Stripe of this folder; none where somebody said which Stripe to use, or that there be none."""
    said = {name.removesuffix("_FILE") for name in variables_given()}
    if said.intersection(OF_STRIPE):
        return None
    folder = data / "stripe"
    folder.mkdir(mode=0o700, exist_ok=True)
    return LocalStripe(folder, _port(folder / "port", api_port), api_port, _secret(folder / "webhook_secret"))


def _port(file: Path, api_port: int) -> int:
    known = file.read_text().strip() if file.exists() else ""
    if known.isdecimal() and int(known) != api_port and _is_free(int(known), patience=PATIENCE):
        return int(known)
    near = api_port + FROM_API if api_port + FROM_API <= HIGHEST else api_port - FROM_API
    port = near if _is_free(near) else _any_port()
    _write(file, str(port))
    return port


def _is_free(port: int, *, patience: float = 0) -> bool:
    deadline = time.monotonic() + patience
    while True:
        try:
            refuse_taken_port(HOST, port)
        except PortTaken:
            if time.monotonic() >= deadline:
                return False
            time.sleep(LOOK_EVERY)
        else:
            return True


def _any_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _secret(file: Path) -> str:
    if not file.exists():
        _write(file, f"whsec_{secrets.token_hex(16)}")
    return file.read_text().strip()


def _write(file: Path, text: str) -> None:
    draft = file.with_suffix(".new")
    draft.touch(0o600)
    draft.write_text(text)
    draft.replace(file)
