"""Requests on aiohttp: to vetted addresses only, without the environment, with an end to everything.

The one module of the way out that loads aiohttp. There are two ways: one for what is public, and one for what only
the operator's list lets through; neither ever connects for the other.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from functools import lru_cache
from time import monotonic

import aiohttp
from yarl import URL

from tenantry.foundation.net.egress.addresses import Asks
from tenantry.foundation.net.egress.allowed import Policy
from tenantry.foundation.net.egress.connector import VettingConnector
from tenantry.foundation.net.egress.failures import FAILURES, kind_of
from tenantry.foundation.net.egress.limits import (
    MOST_HEADERS,
    MOST_KEPT,
    MOST_READ,
    SLICE,
    EgressLimits,
)
from tenantry.foundation.net.egress.outcomes import Answered, NotReached
from tenantry.foundation.net.egress.receiver import TooMuch
from tenantry.foundation.net.egress.urls import Target

LONGEST_RETRY_AFTER = 64


class Sender:
    """The connections of one process to the receivers of its customers."""

    def __init__(self, policy: Policy, names: Asks, limits: EgressLimits, trust: ssl.SSLContext | None) -> None:
        self._policy, self._names, self._limits = policy, names, limits
        self._trust = trust or ssl.create_default_context()
        self._ways: dict[bool, aiohttp.ClientSession] = {}

    async def post(self, target: Target, headers: Mapping[str, str], body: bytes) -> Answered:
        """Send a body; whatever goes wrong is `NotReached`."""
        began = monotonic()
        try:
            async with asyncio.timeout(self._limits.total):
                answer = await self._way(only_allowed=bool(target.only_allowed)).post(
                    _url(target), headers=headers, data=body, allow_redirects=False
                )
                beginning = await _beginning(answer)
        except FAILURES as error:
            raise NotReached(kind_of(error), monotonic() - began) from error
        took = monotonic() - began
        if not 200 <= answer.status <= 599:
            raise NotReached("bad_answer", took)
        return Answered(answer.status, _retry_after(answer), beginning, took)

    async def close(self) -> None:
        """Let go of every connection."""
        ways, self._ways = self._ways, {}
        for way in ways.values():
            await way.close()

    def _way(self, *, only_allowed: bool) -> aiohttp.ClientSession:
        if only_allowed not in self._ways:
            self._ways[only_allowed] = self._opened(only_allowed=only_allowed)
        return self._ways[only_allowed]

    def _opened(self, *, only_allowed: bool) -> aiohttp.ClientSession:
        limits = self._limits
        return aiohttp.ClientSession(
            connector=VettingConnector(self._policy, self._names, limits, self._trust, only_allowed=only_allowed),
            # the whole has its deadline around it; a name that is resolved anew counts as connecting
            timeout=aiohttp.ClientTimeout(
                total=None, connect=limits.resolving + limits.connecting, sock_connect=limits.connecting
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            skip_auto_headers=("Content-Type",),
            read_bufsize=SLICE,
            max_headers=MOST_HEADERS,
        )


@lru_cache(1024)
def _url(target: Target) -> URL:
    host = f"[{target.host}]" if ":" in target.host else target.host
    # the text is ours by now, and `encoded` leaves it as it is
    return URL(f"{'https' if target.tls else 'http'}://{host}:{target.port}{target.asked}", encoded=True)


async def _beginning(answer: aiohttp.ClientResponse) -> bytes:
    """What an answer begins with; who says more than is read is hung up on, and has answered all the same."""
    beginning, size = b"", 0
    try:
        while size <= MOST_READ and (part := await answer.content.readany()):
            beginning += part[: MOST_KEPT - len(beginning)]
            size += len(part)
    except TooMuch:
        return beginning
    finally:
        # after the last byte this finds nothing to close: the connection is back in its place
        answer.close()
    return beginning


def _retry_after(answer: aiohttp.ClientResponse) -> str | None:
    found = answer.headers.get("Retry-After", "")
    return found if found and found.isascii() and found.isprintable() and len(found) <= LONGEST_RETRY_AFTER else None
