"""What happens after: mails about registrations, and their removal."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tenantry.foundation.domain import Registry
from tenantry.foundation.net.mail import MailDelayed
from tenantry.foundation.net.mailbox import Mail
from tenantry.testing import HandClock, Installation, installed
from tenantry.testing.installation import PASSWORD


async def _mail_to(house: Installation, address: str) -> Mail:
    await house.drain_jobs()
    return next(mail for mail in await house.mails() if mail.to == address)


async def test_the_mail_follows_the_commit_and_goes_out_once(installation: Installation) -> None:
    await installation.register("ada@example.com")
    assert await installation.mails() == []
    await asyncio.gather(*(installation.drain_jobs() for _ in range(4)))
    await installation.drain_jobs()
    (mail,) = await installation.mails()
    assert mail.to == "ada@example.com"
    assert mail.subject == "Confirm your address for Tenantry"


async def test_a_refused_registration_mails_nobody(installation: Installation) -> None:
    body = {"email": "ada@example.com", "password": "password123456", "name": "Ada"}
    assert (await installation.client.post("/v1/auth/register", body)).status == 422
    await installation.drain_jobs()
    assert await installation.mails() == []


async def test_the_link_leads_to_the_public_address_in_both_forms_of_the_mail(house: Installation) -> None:
    await house.register("both@example.com")
    mail = await _mail_to(house, "both@example.com")
    link = f"{house.origin}/account/verify?token="
    assert link in mail.text
    assert link in mail.html
    assert mail.html.count(link) == 2


FORGED = [
    {"x-forwarded-host": "evil.example"},
    {"x-forwarded-proto": "gopher", "x-forwarded-host": "evil.example:99"},
    {"forwarded": "host=evil.example;proto=https"},
    {"x-host": "evil.example"},
    {"x-original-url": "https://evil.example/"},
    {"origin": "https://evil.example", "referer": "https://evil.example/"},
]


@pytest.mark.parametrize("headers", FORGED, ids="+".join)
async def test_no_header_changes_where_a_link_leads(house: Installation, headers: dict[str, str]) -> None:
    address = f"forged{FORGED.index(headers)}@example.com"
    body = {"email": address, "password": PASSWORD, "name": "Ada"}
    assert (await house.client.post("/v1/auth/register", body, headers=headers)).status == 202
    mail = await _mail_to(house, address)
    assert f"{house.origin}/account/verify?token=" in mail.text
    assert "evil.example" not in mail.text + mail.html


async def test_a_strange_host_gets_no_mail_sent(house: Installation) -> None:
    body = {"email": "host@example.com", "password": PASSWORD, "name": "Ada"}
    answer = await house.client.post("/v1/auth/register", body, headers={"host": "evil.example"})
    assert (answer.status, answer.code) == (400, "bad_host")
    await house.drain_jobs()
    assert "host@example.com" not in {mail.to for mail in await house.mails()}


async def test_the_link_follows_the_operators_template(database_url: str, registry: Registry, tmp_path: Path) -> None:
    template = {"TENANTRY_LINK_VERIFY": "https://app.example.com/welcome#{token}"}
    async with installed(database_url, tmp_path, registry=registry, environ=template) as house:
        proof = await house.register("ada@example.com")
        mail = await _mail_to(house, "ada@example.com")
        token = mail.text.partition("https://app.example.com/welcome#")[2].split()[0]
        assert "/account/verify" not in mail.text + mail.html
        body = {"token": token, "registration": proof}
        assert (await house.client.post("/v1/auth/verify-email", body)).status == 200


@pytest.mark.parametrize(
    "name",
    ['<a href="https://evil.example">click</a>', "{{ 7*7 }}", "{% raw %}", "https://evil.example", "\u202etxt.exe"],
)
async def test_a_name_is_inert_in_mails(house: Installation, name: str) -> None:
    address = f"inert{abs(hash(name))}@example.com"
    for _ in range(2):
        await house.register(address, name=name)
    await house.drain_jobs()
    mails = [mail for mail in await house.mails() if mail.to == address]
    assert len(mails) == 2
    for mail in mails:
        for part in (mail.subject, mail.text, mail.html):
            assert "evil.example" not in part
            assert (
                "49" not in part.replace(mail.id, "").partition("token=")[0].partition("http")[0] or name != "{{ 7*7 }}"
            )


async def test_a_mail_that_could_not_be_sent_is_sent_later_with_the_same_link(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    await installation.register("ada@example.com")
    post = installation.runtime.mailer.post
    tried: list[str] = []
    deliver = post.deliver

    async def failing(message):  # type: ignore[no-untyped-def]
        tried.append(str(message["Message-ID"]))
        if len(tried) == 1:
            raise MailDelayed
        await deliver(message)

    monkeypatch.setattr(post, "deliver", failing)
    await installation.drain_jobs()
    assert await installation.mails() == []
    await installation.rows("update tenantry.jobs set run_at = tenantry.now(), due = true")
    await installation.drain_jobs()
    assert len(await installation.mails()) == 1
    assert len(set(tried)) == 1
    assert len(tried) == 2
    assert len(await installation.rows("select from tenantry.registration_mails")) == 1


async def test_a_registration_that_is_gone_mails_nobody(installation: Installation) -> None:
    await installation.register("ada@example.com")
    await installation.rows("delete from tenantry.registrations")
    await installation.drain_jobs()
    assert await installation.mails() == []
    assert await installation.rows("select from tenantry.dead_letters") == []


async def test_a_registration_that_expired_before_its_mail_mails_nobody(
    clocked: Installation, clock: HandClock
) -> None:
    await clocked.register("ada@example.com")
    clock.advance(hours=25)
    await clocked.drain_jobs()
    assert await clocked.mails() == []


async def test_an_address_that_was_proven_before_its_second_mail_gets_no_second_link(
    installation: Installation,
) -> None:
    ada = await installation.person("ada@example.com")
    await installation.register(ada.email)
    await installation.drain_jobs()
    newest, *_ = await installation.mails()
    assert newest.subject == "You already have an account at Tenantry"
    assert f"{installation.origin}/account/login" in newest.text


async def test_no_job_holds_a_link_or_an_address(installation: Installation) -> None:
    await installation.register("ada@example.com")
    (job,) = await installation.rows("select args::text from tenantry.jobs")
    assert "ada@example.com" not in job["args"]
    assert set(job["args"]) <= set('{}": ,-_abcdefghijklmnopqrstuvwxyz0123456789')
