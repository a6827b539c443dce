"""What the tests of mail write: a letter of accounts, one with a name in it, and what is in an envelope."""

from __future__ import annotations

import datetime as dt
import email
import traceback
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from pathlib import Path

from tenantry.foundation.net.letters import Letter, Letters, Link
from tenantry.foundation.net.mail import compose, sender_of

AT = dt.datetime(2031, 5, 6, 7, 8, 9, tzinfo=dt.UTC)
CANARY = "canary-p%40ss-9f3"
LINK = Link("https://app.example.com/account/verify?token=tok_3fA9&x=1")
SENDER = sender_of("Acme Mail <no-reply@acme.example>")


def verify_email(key: str = "job_1", to: str = "ada@example.com") -> Letter:
    return Letter("verify_email", to, key, {"link": LINK, "hours": 24})


def composed(folder: Path, letter: Letter | None = None, at: dt.datetime = AT) -> EmailMessage:
    return compose(letter or verify_email(), letters=Letters([folder], product="Acme"), sender=SENDER, at=at)


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def hello(name: str) -> Letter:
    return Letter("hello", "ada@example.com", "job_1", {"name": name, "link": LINK})


def sent_through_bytes(message: EmailMessage) -> EmailMessage:
    parsed = email.message_from_bytes(message.as_bytes(), policy=SMTP_POLICY)
    assert isinstance(parsed, EmailMessage)
    return parsed


def told(error: BaseException) -> str:
    """Everything that a log or a table could take from an error."""
    chain = [error, error.__cause__, error.__context__]
    assert chain[1:] == [None, None]
    return "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
