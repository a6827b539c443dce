"""The client that domains hold: light to import, because most processes never ask a customer's URL for anything."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from time import monotonic
from typing import Protocol

from tenantry.foundation.net.egress.addresses import Address, Asks
from tenantry.foundation.net.egress.allowed import Policy
from tenantry.foundation.net.egress.headers import checked
from tenantry.foundation.net.egress.limits import EgressLimits
from tenantry.foundation.net.egress.outcomes import AddressRefused, Answered, NotReached
from tenantry.foundation.net.egress.urls import Target, read_url


class Sends(Protocol):
    """What holds the connections."""

    async def post(self, target: Target, headers: Mapping[str, str], body: bytes) -> Answered: ...

    async def close(self) -> None: ...


class Egress:
    """Asks the URLs that customers set, and nothing behind the house's own doors.

    `allow` holds pairs of `ip:port` that may be asked although they are not public, or without TLS; `resolver` is
    the DNS server as `ip:port`, where it is not the machine's. `trust` is for tests: whose certificates are believed.
    """

    def __init__(
        self,
        *,
        allow: Iterable[str] = (),
        resolver: str | None = None,
        limits: EgressLimits | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._policy = Policy(allow)
        self._resolver = resolver
        self._limits = limits or EgressLimits()
        self._trust = trust
        self._names: Asks | None = None
        self._sender: Sends | None = None

    async def vet(self, url: str) -> None:
        """Refuse a URL that would not be asked now: by its spelling, its name, or any of its addresses."""
        target = self._read(url)
        if target.address is None:
            self._policy.vet(target, await self._addresses(target.host))

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Answered:
        """Send a body, and hear how it was taken; whatever is vetted at registration is vetted again."""
        began = monotonic()
        sent = checked(headers)
        try:
            target = self._read(url)
        except AddressRefused as error:
            raise NotReached("refused_address", monotonic() - began, f"The URL {error.why}.") from error
        return await self._opened().post(target, sent, body)

    async def close(self) -> None:
        """Let go of every connection; whoever asks afterwards opens new ones."""
        sender, self._sender = self._sender, None
        if sender is not None:
            await sender.close()

    def _read(self, url: str) -> Target:
        target = read_url(url)
        self._policy.vet_target(target)
        return target

    async def _addresses(self, name: str) -> tuple[Address, ...]:
        try:
            return await self._asking().addresses_of(name)
        except OSError as error:
            raise AddressRefused("must name a host that can be resolved") from error

    def _asking(self) -> Asks:
        if self._names is None:
            # late: dnspython takes a moment to load, which nobody pays who resolves nothing
            from tenantry.foundation.net.egress.names import Names  # noqa: PLC0415

            self._names = Names(self._resolver, seconds=self._limits.resolving)
        return self._names

    def _opened(self) -> Sends:
        if self._sender is None:
            # late: aiohttp takes a fifth of a second to load, and only what delivers needs it
            from tenantry.foundation.net.egress.sender import Sender  # noqa: PLC0415

            self._sender = Sender(self._policy, self._asking(), self._limits, self._trust)
        return self._sender
