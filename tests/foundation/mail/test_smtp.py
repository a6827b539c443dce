"""Mail over SMTP, to a real server and to servers that misbehave."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import re
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from mail_samples import CANARY, LINK, body, composed, told, verify_email
from smtp_sink import POLITE, Scripted, Sink, Slow, listening, serving

from tenantry.foundation.net.mail import MailDelayed, Undeliverable
from tenantry.foundation.net.smtp import SmtpPost


async def test_smtp_hands_over_one_mail_to_one_recipient(accounts: Path) -> None:
    sink = Sink()
    async with serving(sink) as port:
        await SmtpPost(f"smtp://127.0.0.1:{port}").deliver(composed(accounts))
    assert sink.envelopes[0].rcpt_tos == ["ada@example.com"]
    assert sink.envelopes[0].mail_from == "no-reply@acme.example"
    assert sink.hello == "acme.example"
    assert sink.message()["Message-ID"] == "<job_1@acme.example>"
    assert str(LINK) in body(sink.message(), "plain")
    assert LINK.replace("&", "&amp;") in body(sink.message(), "html")


async def test_smtp_reaches_an_address_that_is_not_ascii(accounts: Path) -> None:
    sink = Sink()
    async with serving(sink) as port:
        await SmtpPost(f"smtp://127.0.0.1:{port}").deliver(composed(accounts, verify_email(to="jörg@bücher.example")))
    assert sink.envelopes[0].rcpt_tos == ["jörg@xn--bcher-kva.example"]
    assert sink.envelopes[0].smtp_utf8


async def test_an_address_that_the_server_cannot_spell_is_undeliverable(accounts: Path) -> None:
    sink = Sink()
    async with listening(lambda: SMTP(sink)) as port:
        with pytest.raises(Undeliverable):
            await SmtpPost(f"smtp://127.0.0.1:{port}").deliver(composed(accounts, verify_email(to="jörg@x.com")))
        await SmtpPost(f"smtp://127.0.0.1:{port}").deliver(composed(accounts, verify_email(to="a@bücher.example")))
    assert sink.envelopes[0].rcpt_tos == ["a@xn--bcher-kva.example"]


@pytest.mark.parametrize(
    ("rcpt", "data", "kind", "told_us"),
    [
        ("550 5.1.1 no ada@example.com here", "250 ok", Undeliverable, "smtp send: 550 5.1.1"),
        ("451 4.7.1 greylisted, ada@example.com", "250 ok", MailDelayed, "smtp send: 451 4.7.1"),
        ("250 ok", f"554 we do not like {LINK}", Undeliverable, "smtp send: 554"),
        ("250 ok", "452 4.3.1 disk full", MailDelayed, "smtp send: 452 4.3.1"),
    ],
)
async def test_a_servers_refusal_is_final_or_for_now_and_its_words_stay_outside(
    accounts: Path, rcpt: str, data: str, kind: type[Exception], told_us: str
) -> None:
    async with serving(Sink(rcpt, data)) as port:
        with pytest.raises(kind) as refusal:
            await SmtpPost(f"smtp://127.0.0.1:{port}").deliver(composed(accounts))
    assert str(refusal.value) == told_us
    assert not re.search("ada@example|tok_3fA9", told(refusal.value))


async def test_a_server_that_is_not_there_delays_the_mail(accounts: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        post = SmtpPost(f"smtp://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(MailDelayed, match="smtp connect: ConnectionRefusedError"):
            await post.deliver(composed(accounts))


@pytest.mark.parametrize("silent", ["greeting", "EHLO", "RCPT", "."])
async def test_a_server_that_stalls_delays_the_mail_within_the_deadline(accounts: Path, silent: str) -> None:
    script = {command: answer for command, answer in POLITE.items() if command != silent}
    async with listening(lambda: Scripted(script, "" if silent == "greeting" else "220 here\r\n")) as port:
        post = SmtpPost(f"smtp://127.0.0.1:{port}", connect_seconds=0.2, total_seconds=0.4)
        async with asyncio.timeout(2):
            with pytest.raises(MailDelayed):
                await post.deliver(composed(accounts))


async def test_a_slow_server_cannot_outlast_the_deadline_of_the_whole_mail(accounts: Path) -> None:
    async with listening(lambda: Slow(POLITE)) as port:
        post = SmtpPost(f"smtp://127.0.0.1:{port}", total_seconds=0.4)
        async with asyncio.timeout(2):
            with pytest.raises(MailDelayed, match="smtp send: TimeoutError"):
                await post.deliver(composed(accounts))


async def test_a_server_that_does_not_even_greet_is_given_up_early(accounts: Path) -> None:
    async with listening(lambda: Scripted(POLITE, "")) as port, asyncio.timeout(2):
        with pytest.raises(MailDelayed, match="smtp connect: "):
            await SmtpPost(f"smtp://127.0.0.1:{port}", connect_seconds=0.1).deliver(composed(accounts))


async def test_an_accepted_mail_is_delivered_even_if_the_server_never_says_goodbye(accounts: Path) -> None:
    for farewell in ({}, {"QUIT": "421 gone\r\n"}, {"QUIT": "nonsense\r\n"}):
        async with listening(lambda script=POLITE | farewell: Scripted(script)) as port, asyncio.timeout(5):  # type: ignore[misc]
            await SmtpPost(f"smtp://127.0.0.1:{port}").deliver(composed(accounts))


async def test_a_password_is_sent_to_the_server_and_told_to_nobody_else(
    accounts: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    given: list[tuple[bytes, bytes]] = []

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        given.append((data.login, data.password))
        refused = f"535 5.7.8 not {data.password!r}" if len(given) == 1 else None
        return AuthResult(success=not refused, handled=False, message=refused)

    sink = Sink()
    async with serving(
        sink, authenticator=authenticate, auth_require_tls=False, auth_exclude_mechanism=["LOGIN"]
    ) as port:
        post = SmtpPost(f"smtp://mailer%40acme:{CANARY}@127.0.0.1:{port}")
        with pytest.raises(MailDelayed, match=r"smtp connect: 535 5\.7\.8") as refusal:
            await post.deliver(composed(accounts))
        await post.deliver(composed(accounts))
    assert given == [(b"mailer@acme", b"canary-p@ss-9f3")] * 2
    assert len(sink.envelopes) == 1
    own = [record.getMessage() for record in caplog.records if not record.name.startswith("mail.")]
    assert not re.search("canary|mailer", told(refusal.value) + repr(post) + str(own))


@pytest.mark.parametrize(
    "url",
    [
        f"http://u:{CANARY}@host", f"smtp://u:{CANARY}@host:port", f"smtp://u:{CANARY}@:25", f"smtp://u:{CANARY}@[::1",
        f"smtp://u:{CANARY}@host/x", f"smtp://u:{CANARY}@host?starttls={CANARY}", f"smtp://u:{CANARY}@host?tls=1",
        f"smtp://u:{CANARY}@host:99999", CANARY, "",
    ],
)  # fmt: skip
def test_an_smtp_url_that_makes_no_sense_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError) as refusal:
        SmtpPost(url)
    assert "canary" not in told(refusal.value)


def test_a_password_never_crosses_the_network_in_the_clear_unless_asked(accounts: Path) -> None:
    assert SmtpPost("smtp://u:p@mail.example")._starttls is True
    assert SmtpPost("smtp://mail.example")._starttls is None
    assert SmtpPost("smtp://u:p@127.0.0.1")._starttls is None
    assert SmtpPost("smtp://u:p@mail.example?starttls=never")._starttls is False
    assert (SmtpPost("smtp://mail.example")._port, SmtpPost("smtps://mail.example")._port) == (587, 465)


async def test_without_the_starttls_it_requires_no_password_is_sent(accounts: Path) -> None:
    said: list[bytes] = []

    class Plain(Scripted):
        def data_received(self, data: bytes) -> None:
            said.append(data)
            super().data_received(data)

    async with listening(lambda: Plain(POLITE | {"EHLO": "250-here\r\n250 AUTH PLAIN LOGIN\r\n"})) as port:
        with pytest.raises(MailDelayed):
            await SmtpPost(f"smtp://u:{CANARY}@127.0.0.1:{port}?starttls=required").deliver(composed(accounts))
    assert said
    assert not [line for line in said if line.upper().startswith((b"AUTH", b"MAIL"))]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for `localhost` that nobody trusts unless told to."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    today = dt.datetime.now(dt.UTC)
    unsigned = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    )
    pem, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    file.write_bytes(
        unsigned.sign(key, hashes.SHA256()).public_bytes(pem)
        + key.private_bytes(pem, private, serialization.NoEncryption())
    )
    return file


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_a_connection_is_encrypted_and_an_unknown_certificate_is_refused(
    accounts: Path, certificate: Path, scheme: str
) -> None:
    offered = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    offered.load_cert_chain(certificate)
    sink = Sink()
    server = (
        listening(lambda: SMTP(sink, tls_context=offered, require_starttls=True))
        if scheme == "smtp"
        else listening(lambda: SMTP(sink), ssl=offered)
    )
    async with server as port:
        url = f"{scheme}://localhost:{port}"
        with pytest.raises(MailDelayed, match="smtp connect: "):
            await SmtpPost(url).deliver(composed(accounts))
        assert not sink.envelopes
        await SmtpPost(url, trust=ssl.create_default_context(cafile=certificate)).deliver(composed(accounts))
    assert len(sink.envelopes) == 1
