"""The development mailbox: every mail this installation sent, as JSON and as a page. Development on loopback only."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from tenantry.entrypoints.http.arrival import Arrival
from tenantry.entrypoints.http.endpoint import Endpoint
from tenantry.entrypoints.http.loopback import loopback_only
from tenantry.entrypoints.http.reply import Reply, json_reply
from tenantry.foundation.net.mailbox import Mail, MailboxPost
from tenantry.foundation.runtime import Runtime

SHOWN = 100
HTML = (b"content-type", b"text/html; charset=utf-8")
POLICY = b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Mailbox</title>
<style>body{{font:15px system-ui;margin:2rem auto;max-width:52rem}}pre{{white-space:pre-wrap}}
article{{border-top:1px solid #8888;padding:1rem 0}}time{{color:#777}}</style></head>
<body><h1>Mailbox</h1><p>Every mail this development installation sent, newest first.</p>{mails}</body></html>
"""


def mailbox_pages(runtime: Runtime) -> Iterator[tuple[str, Endpoint]]:
    """The two paths, where there is a mailbox at all."""
    post = runtime.mailer.post
    if runtime.settings.development and isinstance(post, MailboxPost):
        yield "/dev/mail.json", _json(post)
        yield "/dev/mail", _page(post)


def _json(post: MailboxPost) -> Endpoint:
    async def give(scope: dict[str, Any], receive: Any, arrival: Arrival) -> Reply:
        loopback_only(scope, arrival)
        return json_reply({"items": await post.read(SHOWN)})

    return give


def _page(post: MailboxPost) -> Endpoint:
    async def give(scope: dict[str, Any], receive: Any, arrival: Arrival) -> Reply:
        loopback_only(scope, arrival)
        mails = "".join(_shown(mail) for mail in await post.read(SHOWN)) or "<p>No mail yet.</p>"
        return Reply(200, PAGE.format(mails=mails).encode(), [HTML], POLICY)

    return give


def _shown(mail: Mail) -> str:
    return (
        f"<article><h2>{escape(mail.subject)}</h2><p>to {escape(mail.to)} "
        f"<time>{escape(mail.sent_at.isoformat())}</time></p><pre>{escape(mail.text)}</pre></article>"
    )
