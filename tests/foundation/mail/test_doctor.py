"""`tenantry doctor`: what is wrong is named, with what to do about it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from smtp_sink import Sink, serving

from commands import run
from tenantry.foundation import checkup
from tenantry.testing import Installation

DOCTOR = [sys.executable, "-m", "tenantry", "doctor", "--json"]


async def _told(house: Installation, **more: str) -> tuple[int, dict[str, Any]]:
    done = await run(DOCTOR, house, **more)
    return done.returncode, json.loads(done.stdout)


async def test_a_sound_house_has_nothing_wrong(installation: Installation) -> None:
    code, told = await _told(installation)
    assert (code, told["advice"]) == (0, {})
    assert told["checks"] == {
        "database": "ok", "migrations": "ok", "keys": "ok", "clock": "ok", "mail": "ok", "stripe": "off",
    }  # fmt: skip


async def test_a_mail_server_that_answers_is_left_alone_and_one_that_does_not_is_named(
    installation: Installation, unused_tcp_port: int
) -> None:
    settings = {"TENANTRY_MAIL_FROM": "no-reply@acme.example"}
    sink = Sink()
    async with serving(sink) as port:
        code, told = await _told(installation, TENANTRY_SMTP_URL=f"smtp://127.0.0.1:{port}", **settings)
    assert (code, told["checks"]["mail"], sink.envelopes) == (0, "ok", [])
    assert sink.hello
    code, told = await _told(installation, TENANTRY_SMTP_URL=f"smtp://127.0.0.1:{unused_tcp_port}", **settings)
    assert (code, told["checks"]["mail"]) == (1, "smtp connect: ConnectionRefusedError")
    assert "TENANTRY_SMTP_URL" in told["advice"]["mail"]


async def test_clocks_that_are_apart_are_named(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await checkup.check_clock(installation.runtime)).state == "ok"
    real = time.time
    for apart in (9.0, -9.0):
        monkeypatch.setattr("tenantry.foundation.checkup.time.time", lambda apart=apart: real() + apart)
        found = await checkup.check_clock(installation.runtime)
        assert found.state in ("8 s apart", "9 s apart")
        assert found.advice


async def test_without_a_database_it_says_so_and_exits_3(
    installation: Installation, tmp_path: Path, unused_tcp_port: int
) -> None:
    away = f"postgresql://nobody@127.0.0.1:{unused_tcp_port}/nothing"
    code, told = await _told(installation, TENANTRY_DATABASE_URL=away, TENANTRY_DATA=str(tmp_path))
    assert (code, told["checks"]["database"], told["checks"]["clock"]) == (3, "unreachable", "unknown")
    assert "TENANTRY_DATABASE_URL" in told["advice"]["database"]
