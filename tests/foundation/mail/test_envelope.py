"""The envelope: from whom, to whom, under which id."""

from __future__ import annotations

from email.headerregistry import Address
from pathlib import Path

import pytest
from mail_samples import AT, LINK, composed, sent_through_bytes, told, verify_email

from tenantry.foundation.net.letters import Letters
from tenantry.foundation.net.mail import Undeliverable, recipient, sender_of


def test_a_retry_is_the_same_mail_to_the_byte(accounts: Path) -> None:
    first, again = composed(accounts), composed(accounts)
    assert first.as_bytes() == again.as_bytes()
    assert first["Message-ID"] == "<job_1@acme.example>"
    assert composed(accounts, verify_email("job_2"))["Message-ID"] != first["Message-ID"]


def test_a_mail_says_who_when_and_that_a_machine_wrote_it(accounts: Path) -> None:
    message = sent_through_bytes(composed(accounts))
    assert message["From"] == "Acme Mail <no-reply@acme.example>"
    assert message["Date"].datetime == AT
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Unsubscribe"] is None
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert all(len(line) <= 998 for line in message.as_bytes().splitlines())


def test_a_long_key_stays_whole_in_the_message_id(accounts: Path) -> None:
    key = "k" * 128
    assert f"<{key}@acme.example>".encode() in composed(accounts, verify_email(key)).as_bytes()
    for refused in ["", "a b", "a\r\nBcc: x", "a>b", "k" * 129]:
        with pytest.raises(ValueError, match="a letter's key"):
            verify_email(refused)


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "ada",
        "a@b@c.com",
        "a@x.com, b@x.com",
        "A <a@x.com>",
        "a@x.com\r\nBcc: b@x.com",
        "a@x.com\n",
        "a b@x.com",
        "@x.com",
        "a@x..com",
        "a@ex\u200bample.com",
    ],
)
def test_what_is_not_one_address_gets_no_mail_and_is_not_repeated(accounts: Path, stored: str) -> None:
    with pytest.raises(Undeliverable) as refusal:
        composed(accounts, verify_email(to=stored))
    assert str(refusal.value) == "the stored address is not a mail address"
    assert not stored or stored not in told(refusal.value)


def test_a_mail_goes_to_the_stored_address_and_to_no_form_of_it() -> None:
    assert recipient("Mıke+Tag@Bücher.Example") == Address(username="Mıke+Tag", domain="xn--bcher-kva.example")
    assert recipient("ada@faß.de").domain == "xn--fa-hia.de"
    for stored in ("ada@localhost", "ada@app.test", "o'hara+a=b@Example.COM"):
        assert recipient(stored).addr_spec == stored


@pytest.mark.parametrize(
    ("setting", "header"),
    [
        ("no-reply@acme.example", "no-reply@acme.example"),
        ("Acme, Inc. <no-reply@acme.example>", '"Acme, Inc." <no-reply@acme.example>'),
        (' "Acme" <no-reply@acme.example> ', "Acme <no-reply@acme.example>"),
    ],
)
def test_a_sender_is_an_address_with_or_without_a_name(setting: str, header: str) -> None:
    assert str(sender_of(setting)) == header


@pytest.mark.parametrize(
    "setting", ["", "Acme", "Acme <>", "a@x.com, b@x.com", "A <a@x.com", "A a@x.com>", "A\nB <a@x.com>"]
)
def test_a_sender_that_is_not_one_address_is_refused_without_repeating_it(setting: str) -> None:
    with pytest.raises(ValueError, match=r"^must be one address"):
        sender_of(setting)


def test_neither_link_nor_address_shows_in_a_repr(accounts: Path) -> None:
    letter = verify_email()
    written = Letters([accounts], product="Acme").write(letter)
    for shown in (repr(letter), f"{letter}", repr(written), repr(letter.values), repr({"l": LINK})):
        assert "tok_3fA9" not in shown
        assert "ada@" not in shown
