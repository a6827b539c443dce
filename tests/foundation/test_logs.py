"""Logs: one object a line, and nothing in them that could be used to get in."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
import structlog

from tenantry.foundation.data.ids import USER_ID, new_id
from tenantry.foundation.logs import LONGEST, MASK, configure_logs, redact
from tenantry.foundation.security.access import Claims, issue
from tenantry.foundation.security.keys import MasterKeys, new_master_key
from tenantry.foundation.security.onetime import OneTime
from tenantry.foundation.security.passwords import Cost, Passwords
from tenantry.foundation.security.refresh import Refresh
from tenantry.foundation.security.secret import Secret
from tenantry.foundation.security.signing import SigningKey


@pytest.fixture
def stream() -> Iterator[StringIO]:
    """Where the logs of a test go."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    written = StringIO()
    configure_logs(level="info", form="json", stream=written)
    structlog.configure(cache_logger_on_first_use=False)
    yield written
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


def _lines(stream: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


async def _secrets() -> dict[str, str]:
    key = new_master_key("k1")
    master = MasterKeys.parse(key)
    claims = Claims.fresh(issuer="i", audience="a", subject="usr_x", session="ses_x", version=1, now=0)
    return {
        "access token": issue(claims, SigningKey.generate()),
        "refresh token": Refresh(master).issue(new_id(), 3),
        "one-time token": OneTime(master).issue("verify e-mail", new_id(), 0),
        "stored hash": await Passwords(cost=Cost(memory_kib=64, passes=1)).hash("correct horse battery staple"),
        "master key": key.reveal(),
        "password in a URL": "login:hunter2-canary",
        "API key": "tnt_" + "a1B2c3D4" * 4,
        "webhook secret": "whsec_" + "QUJDREVG" * 5,
        "Stripe key": "sk_live_" + "a1B2c3D4" * 3,
        "restricted key of Stripe's": "rk_live_" + "a1B2c3D4" * 3,
    }


SURROUNDINGS = [
    "{}",
    "token={}",
    'Bearer {}"',
    "https://a.example/verify?token={}&x=1",
    "({}),",
    "postgresql://{}@db:5432/x",
    "[{}]",
    "a\n{}\nb",
]


@pytest.mark.parametrize("text", SURROUNDINGS)
async def test_every_kind_of_secret_is_masked_wherever_it_stands(text: str) -> None:
    for kind, secret in (await _secrets()).items():
        if kind == "password in a URL" and "://{}@" not in text:
            continue
        masked = redact(text.format(secret))
        assert secret not in masked, kind
        assert MASK in masked, kind


async def test_a_hundred_of_each_token_are_masked() -> None:
    for _ in range(100):
        for kind, secret in (await _secrets()).items() if _ < 5 else _tokens().items():
            assert kind == "password in a URL" or secret not in redact(f"x={secret}"), secret


def _tokens() -> dict[str, str]:
    master = MasterKeys.parse(new_master_key("k1"))
    return {"r": Refresh(master).issue(new_id(), 1), "o": OneTime(master).issue("verify e-mail", new_id(), 0)}


def test_what_is_no_secret_stays() -> None:
    for plain in (
        USER_ID.text(new_id()),
        str(new_id()),
        "/v1/users/me",
        "accounts.user_joined",
        "postgresql://db:5432/x",
        "12:30:01",
    ):
        assert redact(plain) == plain


async def test_secrets_are_masked_in_values_names_of_exceptions_and_what_others_log(stream: StringIO) -> None:
    secrets = await _secrets()
    log = structlog.get_logger("test")
    for secret in secrets.values():
        text = f"postgresql://{secret}@db/x"
        log.info(
            "said", text=text, inside={"list": [text, {"deeper": (text,)}]}, secret=Secret(secret), odd=ValueError(text)
        )
        try:
            raise RuntimeError(text)
        except RuntimeError:
            log.exception("raised")
            logging.getLogger("foreign").exception("from elsewhere: %s", text)
    written = stream.getvalue()
    for kind, secret in secrets.items():
        assert secret not in written, kind
    assert "raised" in written
    assert "from elsewhere" in written


def test_a_line_is_one_object_with_time_level_and_what_is_bound(stream: StringIO) -> None:
    with structlog.contextvars.bound_contextvars(request_id="r-1", actor="person"):
        structlog.get_logger("test").info("two\nlines", count=3, yes=True, none=None)
    (line,) = _lines(stream)
    assert line["event"] == "two\nlines"
    assert (line["request_id"], line["actor"], line["level"]) == ("r-1", "person", "info")
    assert (line["count"], line["yes"], line["none"]) == (3, True, None)
    assert line["at"].startswith("20")


def test_what_is_below_the_level_is_not_written(stream: StringIO) -> None:
    structlog.get_logger("test").debug("quiet")
    logging.getLogger("foreign").debug("quiet")
    assert stream.getvalue() == ""


def test_what_others_log_goes_the_same_way(stream: StringIO) -> None:
    logging.getLogger("foreign").warning("%s things", 3)
    (line,) = _lines(stream)
    assert (line["event"], line["level"]) == ("3 things", "warning")


def test_a_trace_tells_where_and_what_in_either_way(stream: StringIO) -> None:
    for log in (structlog.get_logger("test").exception, logging.getLogger("foreign").exception):
        try:
            raise KeyError("the reason")
        except KeyError:
            log("failed")
    for line in _lines(stream):
        assert "test_logs.py" in line["exception"]
        assert "the reason" in line["exception"]


def test_of_a_long_text_both_ends_are_kept(stream: StringIO) -> None:
    def deeper(levels: int) -> None:
        if levels == 0:
            raise RuntimeError("the reason at the end")
        (deeper if levels % 2 else lower)(levels - 1)

    def lower(levels: int) -> None:
        deeper(levels)

    try:
        deeper(120)
    except RuntimeError:
        structlog.get_logger("test").exception("failed")
    (line,) = _lines(stream)
    assert len(line["exception"]) <= LONGEST + 10
    assert line["exception"].startswith("Traceback")
    assert "the reason at the end" in line["exception"]


def test_whatever_is_logged_can_be_written(stream: StringIO) -> None:
    for odd in (b"\xff", "\ud800", object(), {1: {2: 3}}, {3, 4}, 10**400, float("nan"), new_id(), Exception, [[[[]]]]):
        structlog.get_logger("test").info("odd", odd=odd)
    assert len(stream.getvalue().splitlines()) == 10
