"""Mail over SMTP: one connection a mail, with deadlines, and no word of the server's in what is raised.

A server may echo an address, a password or a link; what is raised here ends in tables and logs, so it holds
the step and the reply codes alone. Not here: what is sent (`mail.py`) and when it is tried again (the job).
"""

from __future__ import annotations

import asyncio
import re
import ssl
from contextlib import suppress
from email.message import EmailMessage
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from aiosmtplib import (
    SMTP,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientsRefused,
    SMTPResponseException,
)

from tenantry.foundation.net.mail import MailDelayed, Undeliverable

CONNECT_SECONDS = 5.0
"""Seconds to reach the mail server."""
TOTAL_SECONDS = 15.0
"""Seconds to hand a mail over."""
GOODBYE_SECONDS = 1.0
PORTS = {"smtp": 587, "smtps": 465}
LOOPBACK = ("localhost", "127.0.0.1", "::1")
STARTTLS = {"required": True, "offered": None, "never": False}
ENHANCED = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\b")


class SmtpPost:
    """Delivers through `smtp://` (STARTTLS) or `smtps://` `user:password@host:port`.

    `?starttls=` is `required` (the default with a password, unless the server is on this machine), `offered`
    (the default without) or `never`. Certificates are always verified.
    """

    def __init__(
        self,
        url: str,
        *,
        trust: ssl.SSLContext | None = None,
        connect_seconds: float = CONNECT_SECONDS,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        parts = _parsed(url)
        self._host, self._port = parts.hostname or "", parts.port or PORTS[parts.scheme]
        self._username = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password or "")
        self._tls = parts.scheme == "smtps"
        self._starttls = _starttls(parts)
        self._trust = trust or ssl.create_default_context()
        self._connect_seconds, self._total_seconds = connect_seconds, total_seconds

    def __repr__(self) -> str:
        return f"SmtpPost({self._host}:{self._port})"

    async def deliver(self, message: EmailMessage) -> None:
        """Hand the message to the server; it counts once the server has taken the body, whatever follows."""
        failure = await self._attempt(message)
        if failure:
            # raised outside any `except`: a chained exception would carry the server's words along
            raise failure

    async def try_out(self) -> None:
        """Be let in by the server, and send nothing."""
        failure, client = None, self._client(hello="localhost")
        try:
            async with asyncio.timeout(self._total_seconds):
                await client.connect(timeout=self._connect_seconds)
            await _say_goodbye(client)
        except (SMTPException, OSError, ValueError) as error:
            failure = _failure("connect", error)
        finally:
            client.close()
        if failure:
            raise failure

    async def _attempt(self, message: EmailMessage) -> Undeliverable | MailDelayed | None:
        client = self._client(hello=message["From"].addresses[0].domain)
        step = "connect"
        try:
            async with asyncio.timeout(self._total_seconds):
                await client.connect(timeout=self._connect_seconds)
                step = "send"
                await _send(client, message)
            await _say_goodbye(client)
        except (SMTPException, OSError, ValueError) as error:
            return _failure(step, error)
        finally:
            client.close()
        return None

    def _client(self, hello: str) -> SMTP:
        return SMTP(
            hostname=self._host,
            port=self._port,
            username=self._username,
            password=self._password if self._username else None,
            # the sender's domain: left out, a reverse look-up of this machine would be asked for its name
            local_hostname=hello,
            timeout=self._total_seconds,
            use_tls=self._tls,
            start_tls=self._starttls,
            tls_context=self._trust,
        )


async def _send(client: SMTP, message: EmailMessage) -> None:
    sender, to = message["From"].addresses[0].addr_spec, message["To"].addresses[0].addr_spec
    await client.send_message(message, sender=sender, recipients=[to])


async def _say_goodbye(client: SMTP) -> None:
    # the mail has been accepted: telling of a failed goodbye would send it a second time
    with suppress(SMTPException, OSError):
        async with asyncio.timeout(GOODBYE_SECONDS):
            await client.quit()


def _failure(step: str, error: Exception) -> Undeliverable | MailDelayed:
    code, words = _reply(error)
    enhanced = ENHANCED.match(words)
    cause = type(error.__cause__ if isinstance(error.__cause__, OSError) else error).__name__
    told = " ".join(filter(None, [str(code) if code else cause, enhanced and enhanced[1]]))
    # until the mail itself is on the table, a refusal is about settings or the server: that can be mended
    final = step == "send" and (500 <= code <= 599 or isinstance(error, SMTPNotSupported))
    return (Undeliverable if final else MailDelayed)(f"smtp {step}: {told}")


def _reply(error: Exception) -> tuple[int, str]:
    match error:
        case SMTPRecipientsRefused():
            return error.recipients[0].code, error.recipients[0].message
        case SMTPResponseException():
            return error.code, error.message
    return 0, ""


def _parsed(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in PORTS and bool(parts.hostname) and (parts.port or 1) > 0 and not parts.path.strip("/")
    except ValueError:
        sound = False
    if not sound:
        # raised out here, because what urlsplit says quotes the URL, and with it the password
        raise ValueError("must be smtp://user:password@host:port or smtps://...")
    return parts


def _starttls(parts: SplitResult) -> bool | None:
    asked = parse_qs(parts.query, keep_blank_values=True)
    word = asked.pop("starttls", ["required" if parts.username and parts.hostname not in LOOPBACK else "offered"])[-1]
    if asked or word not in STARTTLS:
        raise ValueError(f"takes ?starttls= and nothing else, one of {', '.join(STARTTLS)}")
    return False if parts.scheme == "smtps" else STARTTLS[word]
