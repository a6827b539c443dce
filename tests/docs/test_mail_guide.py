"""What the guide to mail shows, typed: a server of its own gets the mail, late if need be, and in a plugin's words."""

from __future__ import annotations

import asyncio
import email
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP
from howto_kit import commands_of, files_of, types

from patience import until
from tenantry.assemble import registry as build_registry
from tenantry.foundation.domain import Registry
from tenantry.testing import Databases, Installation, installed

PAGE = "howto/mail.md"
KIND = "accounts.mail_registration"


class Sink:
    """A mail server that keeps what it is given."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        message = email.message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        self.mails.append(message)
        return "250 ok"


@asynccontextmanager
async def listening(port: int) -> AsyncIterator[Sink]:
    """A mail server on a port of this machine."""
    sink = Sink()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(sink), "127.0.0.1", port)
    try:
        yield sink
    finally:
        server.close()


@pytest.fixture
def sending(unused_tcp_port: int) -> dict[str, str]:
    """The settings that the guide names."""
    return {
        "TENANTRY_SMTP_URL": f"smtp://127.0.0.1:{unused_tcp_port}",
        "TENANTRY_MAIL_FROM": "Example <no-reply@example.com>",
        "TENANTRY_PRODUCT_NAME": "Example",
    }


def _said(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())


@asynccontextmanager
async def _house(
    databases: Databases, known: Registry, folder: Path, sending: dict[str, str]
) -> AsyncIterator[Installation]:
    async with databases.fresh() as url, installed(url, folder, registry=known, environ=sending) as house:
        yield house


async def test_what_the_guide_types_sends_a_mail_as_the_settings_say(
    databases: Databases, registry: Registry, tmp_path: Path, sending: dict[str, str], unused_tcp_port: int
) -> None:
    doctor, register, _ = commands_of(PAGE)
    async with _house(databases, registry, tmp_path, sending) as house, listening(unused_tcp_port) as sink:
        told = await types(house, doctor, more=sending)
        assert told.returncode == 0, told.stdout + told.stderr
        assert ["mail", "ok"] in [line.split() for line in told.stdout.splitlines()]
        assert not sink.mails
        done = await types(house, register)
        assert done.returncode == 0, done.stderr
        await house.drain_jobs()
        [mail] = sink.mails
        assert (mail["From"], mail["To"]) == ("Example <no-reply@example.com>", "you@example.com")
        assert mail["Subject"] == "Confirm your address for Example"
        assert f"{house.origin}/account/verify?token=" in _said(mail, "plain")


async def test_a_mail_waits_while_the_server_is_down_and_goes_when_it_is_back(
    databases: Databases, registry: Registry, tmp_path: Path, sending: dict[str, str], unused_tcp_port: int
) -> None:
    doctor, register, look = commands_of(PAGE)
    async with _house(databases, registry, tmp_path, sending) as house:
        told = await types(house, doctor, more=sending)
        assert told.returncode == 1
        assert "smtp connect: ConnectionRefusedError" in told.stdout
        assert (await types(house, register)).returncode == 0
        await house.drain_jobs()
        # what waits is listed; there is nothing to put back, and the last command says so
        shown = await types(house, f"{look.replace('tenantry jobs redrive', '! tenantry jobs redrive')}")
        assert KIND in shown.stdout, shown.stderr
        assert "you@example.com" not in shown.stdout
        async with listening(unused_tcp_port) as sink:

            async def sent() -> bool:
                await house.drain_jobs()
                return bool(sink.mails)

            await until(sent)
            assert sink.mails[0]["To"] == "you@example.com"


async def test_a_mail_that_was_given_up_is_put_back_as_the_guide_says(
    databases: Databases, registry: Registry, tmp_path: Path, sending: dict[str, str], unused_tcp_port: int
) -> None:
    _, register, look = commands_of(PAGE)
    async with _house(databases, registry, tmp_path, sending) as house:
        await types(house, register)
        await house.rows("update tenantry.jobs set max_attempts = 1 where kind = $1 returning id", KIND)
        await house.drain_jobs()
        done = await types(house, look)
        assert done.returncode == 0, done.stderr
        assert "failed 1 times, last: MailDelayed" in done.stdout
        assert "you@example.com" not in done.stdout
        assert "redriven: 1" in done.stdout
        async with listening(unused_tcp_port) as sink:
            await house.drain_jobs()
            assert len(sink.mails) == 1


async def test_a_plugin_says_a_letter_in_its_own_words(
    databases: Databases,
    tmp_path: Path,
    sending: dict[str, str],
    unused_tcp_port: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = _with_wording(tmp_path / "plugins", monkeypatch)
    _, register, _ = commands_of(PAGE)
    async with _house(databases, known, tmp_path / "data", sending) as house, listening(unused_tcp_port) as sink:
        await types(house, register)
        await house.drain_jobs()
        [mail] = sink.mails
        assert mail["Subject"] == "Welcome to Example"
        assert _said(mail, "plain").startswith("Good to have you.")
        assert "Begin" in _said(mail, "html")
        assert "Confirm my address" not in _said(mail, "html")


def _with_wording(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Everything, and the plugin of the guide as if it were installed."""
    for name, text in (files_of(PAGE) | {"wording/__init__.py": ""}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    info = folder / "wording-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wording\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[tenantry.plugins]\nwording = wording.domain:domain\n")
    [setting] = commands_of(PAGE, "set")
    script = f'python() {{ {sys.executable} "$@"; }}\n{setting}'
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout == "wording/letters/compiled/verify_email.html\n", done.stderr
    monkeypatch.syspath_prepend(str(folder))
    known = build_registry(("wording",))
    assert [plugin.state for plugin in known.plugins] == ["ok"], known.plugins
    return known
