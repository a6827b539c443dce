"""The SDK on aiohttp: what it asks goes out here, with a deadline, a limit on what comes back, and one pool.

The only module that loads Stripe's SDK (0.6 s) and aiohttp; imported by the first question to Stripe.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, NoReturn

import aiohttp
import stripe

from tenantry.billing.stripe.errors import Declined, Misconfigured, Refused, StripeFailed, Unreachable

MOST_BYTES = 8 * 1024 * 1024
"""Bytes of an answer that are read."""
AT_ONCE = 20
"""Questions of one process at the same time; others wait their turn, within their deadlines."""
CONNECTING = 5.0
"""Seconds for a connection."""
RETRIES = 1
"""How often the SDK asks again at once, with the same idempotency key, where it hears nothing or that it should."""

# each question is a line of its log otherwise; what fails is said by whoever asked
logging.getLogger("stripe").setLevel(logging.WARNING)
# the time that the last request took is nobody's concern
stripe.enable_telemetry = False


class Transport(stripe.HTTPClient):
    """One pool of connections to Stripe."""

    name = "tenantry"

    def __init__(self) -> None:
        super().__init__()
        self._session: aiohttp.ClientSession | None = None

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """One question and its answer."""
        try:
            async with self._opened().request(
                method, url, headers=headers, data=post_data, allow_redirects=False
            ) as answer:
                return await _body(answer), answer.status, answer.headers
        except (aiohttp.ClientError, OSError) as error:
            raise _unheard(type(error).__name__, again=True) from error

    def sleep_async(self, secs: float) -> Any:
        """Wait before asking again."""
        return asyncio.sleep(secs)

    async def close_async(self) -> None:
        """Let go of every connection."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            # proxies of the environment are for others; deadlines are set by whoever asks
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=AT_ONCE),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECTING),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in answer.content.iter_any():
        size += len(part)
        if size > MOST_BYTES:
            raise _unheard("the answer is too long", again=False)
        parts.append(part)
    return b"".join(parts)


def _unheard(why: str, *, again: bool) -> stripe.APIConnectionError:
    # the SDK has no types for this one
    return stripe.APIConnectionError(why, should_retry=again)  # type: ignore[no-untyped-call]


class Asking:
    """The SDK's client with our transport."""

    def __init__(self, key: str, *, base: str, version: str) -> None:
        self._transport = Transport()
        self._client = stripe.StripeClient(
            key,
            stripe_version=version,
            base_addresses={"api": base},
            http_client=self._transport,
            max_network_retries=RETRIES,
        )

    async def ask(self, method: str, path: str, params: Mapping[str, Any], *, key: str | None, deadline: float) -> str:
        """The text of an answer, or how it failed."""
        options = {} if key is None else {"idempotency_key": key}
        try:
            async with asyncio.timeout(deadline):
                answer: Any = await self._client.raw_request_async(method, f"/v1/{path}", **params, **options)
        except TimeoutError as error:
            raise Unreachable("no answer in time") from error
        except stripe.StripeError as error:
            _refuse(error)
        return str(answer.body)

    async def close(self) -> None:
        """Let go of every connection."""
        await self._transport.close_async()


def _refuse(error: stripe.StripeError) -> NoReturn:
    raise _failure(error) from error


def _failure(error: stripe.StripeError) -> StripeFailed:
    code, status = error.code or type(error).__name__, error.http_status or 0
    if isinstance(error, stripe.CardError):
        return Declined(_decline_code(error) or code, error.user_message or "")
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        return Misconfigured(f"Stripe does not take our key for this: {code}")
    if isinstance(error, stripe.RateLimitError | stripe.APIConnectionError) or status == 409 or status >= 500:
        return Unreachable(f"{type(error).__name__} {status or ''}".strip())
    if isinstance(error, stripe.InvalidRequestError | stripe.IdempotencyError):
        return Refused(code, getattr(error, "param", None), status)
    # an answer that is none of Stripe's, a proxy's for instance
    return Unreachable(f"{type(error).__name__} {status or ''}".strip())


def _decline_code(error: stripe.CardError) -> str | None:
    told = error.json_body if isinstance(error.json_body, dict) else {}
    found = told.get("error", {}).get("decline_code")
    return found if isinstance(found, str) else None
