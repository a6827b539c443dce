"""The development mailbox."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
import shutil
import stat
from pathlib import Path

import msgspec
from mail_samples import AT, LINK, composed, verify_email

from tenantry.foundation.net.mailbox import MailboxPost


async def test_the_mailbox_shows_the_newest_first_in_the_shape_of_the_contract(accounts: Path, tmp_path: Path) -> None:
    mailbox = MailboxPost(tmp_path / "mail")
    assert await mailbox.read() == []
    for key in ("job_1", "job_2", "job_3"):
        await mailbox.deliver(composed(accounts, verify_email(key, f"{key}@example.com")))
    items = msgspec.json.decode(msgspec.json.encode(await mailbox.read(2)))
    assert [item["to"] for item in items] == ["job_3@example.com", "job_2@example.com"]
    assert items[0].keys() == {"id", "to", "subject", "text", "html", "sent_at"}
    assert re.fullmatch("mal_[0-9a-v]{26}", items[0]["id"])
    assert items[0]["subject"] == "Confirm your address for Acme"
    assert items[0]["sent_at"] == "2031-05-06T07:08:09Z"
    assert str(LINK) in items[0]["text"]
    assert 'href="https://app.example.com/account/verify?token=tok_3fA9&amp;x=1"' in items[0]["html"]


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_a_retried_mail_shows_once_and_keeps_its_place(accounts: Path, tmp_path: Path) -> None:
    mailbox = MailboxPost(tmp_path)
    for hour, key in enumerate(("job_1", "job_2", "job_1")):
        letter = verify_email(key, f"{key}@example.com")
        await mailbox.deliver(composed(accounts, letter, at=AT + dt.timedelta(hours=hour)))
    assert [mail.to for mail in await mailbox.read()] == ["job_2@example.com", "job_1@example.com"]
    assert [mail.sent_at.hour for mail in await mailbox.read()] == [AT.hour + 1, AT.hour + 2]
    assert len(files_in(tmp_path)) == 2


async def test_a_mail_that_two_workers_put_down_at_once_shows_once(accounts: Path, tmp_path: Path) -> None:
    mailbox = MailboxPost(tmp_path)
    await mailbox.deliver(composed(accounts))
    (file,) = files_in(tmp_path)
    shutil.copy(file, tmp_path / file.name.replace("1.mal", "2.mal"))
    assert len(await mailbox.read()) == 1
    await mailbox.deliver(composed(accounts))
    assert files_in(tmp_path) == [file]


async def test_a_full_mailbox_lets_the_oldest_go(accounts: Path, tmp_path: Path) -> None:
    mailbox = MailboxPost(tmp_path, capacity=3)
    for number in range(12):
        await mailbox.deliver(composed(accounts, verify_email(f"job_{number}", f"p{number}@example.com")))
    assert [mail.to[:3] for mail in await mailbox.read()] == ["p11", "p10", "p9@"]
    assert len(files_in(tmp_path)) == 3


async def test_mails_delivered_at_the_same_moment_are_all_there(accounts: Path, tmp_path: Path) -> None:
    messages = [composed(accounts, verify_email(f"job_{number}")) for number in range(20)]
    ours, theirs = MailboxPost(tmp_path), MailboxPost(tmp_path)
    await asyncio.gather(*(box.deliver(message) for message in messages for box in (ours, theirs)))
    await asyncio.gather(*(ours.deliver(message) for message in messages))
    assert len({mail.id for mail in await ours.read()}) == 20
    assert len(await ours.read()) == len(files_in(tmp_path)) == 20


async def test_only_its_owner_may_read_the_mailbox(accounts: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    folder.mkdir(mode=0o755)
    await MailboxPost(folder).deliver(composed(accounts))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(file.stat().st_mode) for file in files_in(folder)] == [0o600]
