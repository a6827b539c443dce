"""Logs: one JSON object a line (or a coloured line, for the eye), whatever looks like a secret masked by value."""

from __future__ import annotations

import logging
import re
import sys
from contextvars import ContextVar
from typing import Any, Protocol, TextIO

import msgspec

# structlog's console renderer imports rich, a tenth of a second that no server has to spare; ours is plain
_RICH = sys.modules.setdefault("rich", None)  # type: ignore[arg-type]

import structlog  # noqa: E402
from structlog.contextvars import bind_contextvars as bind_context  # noqa: E402
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger  # noqa: E402

if _RICH is None:
    del sys.modules["rich"]

__all__ = ["bind_context", "configure_logs", "get_logger", "on_behalf_of", "redact"]


class Named(Protocol):
    """Something that says in each line what it is about."""

    def log_fields(self) -> dict[str, Any]: ...


on_behalf_of: ContextVar[Named | None] = ContextVar("on_behalf_of", default=None)
"""The call that is being answered; its fields go into every line said meanwhile, and cost nothing where none is."""
MASK = "[secret]"
LONGEST = 4000
# access tokens, refresh tokens and keys, one-time tokens, stored hashes, passwords inside URLs, master keys
_SECRETS = re.compile(
    r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"
    r"|tn[a-z]_[A-Za-z0-9_-]{8,}"
    r"|\b[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}\b"
    r"|\$argon2[a-z]*\$[^\s\"']+"
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"
    r"|whsec_[A-Za-z0-9+/=]+|[rs]k_(?:live|test)_[A-Za-z0-9]+"
    r"|\b[a-z0-9][a-z0-9_-]{0,15}:[A-Za-z0-9+/_-]{43}=?"
)


def get_logger(name: str) -> FilteringBoundLogger:
    """The logger of one part of the house."""
    logger: FilteringBoundLogger = structlog.get_logger(name)
    return logger


def redact(text: str) -> str:
    """The text without anything that could be used to get in."""
    masked = _SECRETS.sub(MASK, text)
    if len(masked) > LONGEST:
        # a trace begins with where it was called and ends with what went wrong
        masked = f"{masked[: LONGEST // 4]} ... {masked[-3 * LONGEST // 4 :]}"
    # half a character, as a file name or a client may hold, has no place in UTF-8
    return masked if masked.isascii() else masked.encode("utf-8", "backslashreplace").decode()


def _name_call(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    call = on_behalf_of.get()
    return event if call is None else {**call.log_fields(), **event}


def _redact_all(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {name: _clean(content) for name, content in event.items()}


def _clean(content: Any) -> Any:
    if isinstance(content, str):
        return redact(content)
    if isinstance(content, dict):
        return {name: _clean(inner) for name, inner in content.items()}
    if isinstance(content, list | tuple):
        return [_clean(inner) for inner in content]
    return content if isinstance(content, int | float | bool | None) else redact(str(content))


def _json(_: WrappedLogger, __: str, event: EventDict) -> str:
    return msgspec.json.encode(event).decode()


def configure_logs(*, level: str, form: str, stream: TextIO | None = None) -> None:
    """Set how this process logs; the standard library's loggers go the same way."""
    out = stream or sys.stderr
    finish: list[Processor] = (
        [_redact_all, _json] if form == "json" else [_redact_all, structlog.dev.ConsoleRenderer(colors=out.isatty())]
    )
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _name_call,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", key="at"),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, *finish],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=True,
    )
    foreign = structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[_strip, *finish])
    handler = logging.StreamHandler(out)
    handler.setFormatter(foreign)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def _strip(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {name: content for name, content in event.items() if not name.startswith("_")}
