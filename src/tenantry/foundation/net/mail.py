"""Mail: a letter in its envelope, and what it means to deliver one.

Not here: the words (`letters.py`), the ways out (`smtp.py`, `mailbox.py`). Whoever sends does so from a job,
so that nothing leaves before its commit and nothing committed stays unsent.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Protocol

import idna

from tenantry.foundation.net.letters import Letter, Letters, flat

# refused is what could be read as more than one address; whether one is any good was asked when it was stored
LOCAL_PART = re.compile(r"""[^\s()<>\[\]:;@\\,"]{1,64}""")
DOMAIN = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", re.ASCII)


class Undeliverable(Exception):
    """This mail will never arrive: sending it again is pointless."""


class MailDelayed(Exception):
    """This mail could not be sent now: the same mail may be accepted later."""


class Post(Protocol):
    """A way out for mail."""

    async def deliver(self, message: EmailMessage) -> None:
        """Hand the message over, or raise Undeliverable or MailDelayed; doing it again does no harm."""

    async def try_out(self) -> None:
        """Find out whether a mail would be taken, and send none; MailDelayed where it would not."""


def compose(letter: Letter, *, letters: Letters, sender: Address, at: datetime) -> EmailMessage:
    """The letter as a message; the same letter at the same instant gives the same bytes."""
    written = letters.write(letter)
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = recipient(letter.to)
    message["Subject"] = written.subject
    message["Date"] = at
    message["Message-ID"] = f"<{letter.key}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    # quoted-printable, so that no relay on the way has a reason to re-encode the body and break its signature
    message.set_content(written.text, cte="quoted-printable")
    message.add_alternative(written.html, subtype="html", cte="quoted-printable")
    message.set_boundary("=_" + hashlib.sha256(letter.key.encode()).hexdigest()[:32])
    return message


def recipient(stored: str) -> Address:
    """The stored address, its domain in ASCII, its local part as it is: only its host may judge that."""
    domain = _domain(stored)
    if domain is None:
        raise Undeliverable("the stored address is not a mail address")
    return Address(username=stored.rpartition("@")[0], domain=domain)


def sender_of(setting: str) -> Address:
    """The sender from `Name <address@host>` or a bare address; a ValueError does not repeat the setting."""
    name, bracket, rest = setting.strip().rpartition("<")
    address = rest.removesuffix(">") if bracket else rest
    domain = _domain(address)
    if domain is None or bool(bracket) is not rest.endswith(">") or flat(setting) != setting.strip():
        raise ValueError("must be one address, with or without a name: Name <address@host>")
    return Address(name.strip().strip('"'), username=address.rpartition("@")[0], domain=domain)


def _domain(address: str) -> str | None:
    local, _, domain = address.rpartition("@")
    if flat(address) != address or not LOCAL_PART.fullmatch(local):
        return None
    if not domain.isascii():
        domain = _ascii(domain)
    return domain if DOMAIN.fullmatch(domain) else None


def _ascii(domain: str) -> str:
    try:
        # not Python's own codec: it is of 2003 and would send the mail for `faß.de` to `fass.de`
        return idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        # no domain; an error of its own would quote the address
        return ""
