"""The Stripe account that billing is done with: who asks it anything, asks here."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec

from tenantry.billing.settings import BillingSettings
from tenantry.billing.stripe.errors import Misconfigured, Refused, Unreachable
from tenantry.foundation.runtime import Runtime

VERSION = "2026-10-28.endive"
"""The version of Stripe's API that is spoken, whatever the account's default is."""
DEADLINE = 8.0
"""Seconds for an answer, repetitions included; below those of a request to us."""
Answer = TypeVar("Answer")
Method = Literal["get", "post", "delete"]


class StripeAccount:
    """One process's way to Stripe; the SDK is loaded by the first question."""

    def __init__(self, settings: BillingSettings) -> None:
        self._settings = settings
        self._asking: Any = None

    async def ask(
        self,
        method: Method,
        path: str,
        kind: type[Answer],
        *,
        key: str | None = None,
        deadline: float = DEADLINE,
        **params: Any,
    ) -> Answer:
        """Stripe's answer as the shape that it must have. What makes something has the key that was stored for it."""
        if method == "post" and not key:
            raise TypeError("whatever is made or changed at Stripe needs an idempotency key")
        given = {name: value for name, value in params.items() if value is not None}
        text = await self._ready().ask(method, path, given, key=key, deadline=deadline)
        try:
            shaped: Answer = msgspec.json.decode(text, type=kind)
        except msgspec.ValidationError as error:
            raise Refused("unreadable", str(error).rpartition("`")[0].rpartition("`")[2] or None, 200) from error
        except msgspec.DecodeError as error:
            raise Unreachable("an answer that is no JSON") from error
        return shaped

    async def close(self) -> None:
        """Let go of every connection."""
        if self._asking is not None:
            await self._asking.close()

    def _ready(self) -> Any:
        if self._asking is None:
            if self._settings.stripe_secret_key is None:
                raise Misconfigured("billing is off: there is no secret key")
            # late: the SDK takes 0.6 s to load, which nobody pays who bills nothing
            from tenantry.billing.stripe.transport import Asking  # noqa: PLC0415

            key, base = self._settings.stripe_secret_key.reveal(), self._settings.stripe_api_base.rstrip("/")
            self._asking = Asking(key, base=base, version=VERSION)
        return self._asking


def account(runtime: Runtime) -> StripeAccount:
    """This process's way to Stripe, closed with its runtime."""
    return runtime.neighbours.of(StripeAccount, lambda: StripeAccount(runtime.section(BillingSettings)))


def checked(path: str) -> str:
    """A path with an id of Stripe's in it, which may hold nothing that a path means something by."""
    if not all(part.replace("_", "").replace("-", "").isalnum() for part in path.split("/")):
        raise Refused("resource_missing", "id", 404)
    return path
