"""What went wrong, by what aiohttp raised: one kind for each thing that somebody would do about it."""

from __future__ import annotations

from collections.abc import Iterator

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from tenantry.foundation.net.egress.connector import Forbidden
from tenantry.foundation.net.egress.names import Unresolved
from tenantry.foundation.net.egress.outcomes import Kind
from tenantry.foundation.net.egress.receiver import TooMuch

FAILURES = (aiohttp.ClientError, HttpProcessingError, OSError, TooMuch)
"""All that a request can end in; anything else is a fault of ours, and says so."""


def kind_of(error: BaseException) -> Kind:
    """The kind of a failure."""
    match error:
        case aiohttp.ClientSSLError():
            return "tls"
        case aiohttp.ClientConnectorError():
            return _kind_of_connecting(error.os_error)
        # a plain one is the deadline of the whole, aiohttp's are those of a connection
        case TimeoutError():
            return "timeout"
    return "too_large" if any(map(_is_too_large, _causes(error))) else "bad_answer"


def _kind_of_connecting(error: OSError) -> Kind:
    match error:
        case Forbidden():
            return "refused_address"
        case Unresolved():
            return "unresolved"
    return "unreachable"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _is_too_large(error: BaseException) -> bool:
    # aiohttp has no type for too many lines
    return isinstance(error, TooMuch | LineTooLong) or "Too many headers" in str(error)
