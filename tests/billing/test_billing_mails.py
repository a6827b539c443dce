"""Mails about what is paid: each owner is told once of what happened, and nobody of what is out of date."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import msgspec
import pytest
from billing_kit import TinyStripe, customer_of, environ, event, invoice, of_subscription, org_uuid, subscription, tell
from billing_kit import tiny_stripe as running_stripe

from tenantry.billing.jobs.letters import ToTell
from tenantry.billing.models.money import money
from tenantry.billing.settings import BillingSettings, billing_page
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import USER_ID
from tenantry.foundation.domain import Registry
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.jobs.worker import drain_jobs
from tenantry.foundation.net.letters import Letters
from tenantry.foundation.net.mailbox import Mail
from tenantry.foundation.work import SystemWork
from tenantry.orgs import actions as orgs
from tenantry.plans import actions as plans
from tenantry.settings import BadSettings, read_settings
from tenantry.testing import Client, Databases, HandClock, Installation, Team, installed
from tenantry.testing.installation import MASTER_KEYS
from tenantry.testing.team import add_member

PLANS = """
default = "free"
limits = { seats = "Members and invites" }

[[plans]]
key = "free"
name = "Free"
limits = { seats = 5 }

[[plans]]
key = "pro"
name = "Pro (2026)"
prices = [{ amount = 1900, currency = "eur" }]
"""
MAILS = (
    "tell_of_trial_end", "tell_of_failed_payment", "tell_of_recovery", "tell_of_end", "tell_of_cancellation",
    "await_restriction",
)  # fmt: skip
HELD = {f"billing.{name}" for name in MAILS}
_numbers = itertools.count(1)


class Payer:
    """An organization that pays, what Stripe says of it, and the mails about it."""

    def __init__(self, house: Installation, tiny: TinyStripe, clock: HandClock, team: Team, name: str) -> None:
        self.house, self.tiny, self.clock, self.team, self.name = house, tiny, clock, team, name
        self.customer = ""
        self.number = next(_numbers)
        self.sub, self.bill = f"sub_m{self.number}", f"in_m{self.number}"
        self.began = self.at()
        self.first_tried: int | None = None

    def at(self, **later: float) -> int:
        """A moment as Stripe writes it, counted from now."""
        return int((self.clock.now + timedelta(**later)).timestamp())

    async def hears(self, kind: str, thing: dict[str, Any], *, mailing: bool = True) -> None:
        """Let Stripe tell something, and do what follows; without mailing, nobody is told of it yet."""
        answer = await tell(self.house, event(kind, {"id": thing["id"]}), at=self.clock.now.timestamp())
        assert answer.status == 202, answer
        await (self.drain() if mailing else self.drain_all_but_mails())

    async def drain(self) -> None:
        await self.house.drain_jobs()

    async def drain_all_but_mails(self) -> None:
        handlers = [one for one in self.house.registry.handlers if one.kind not in HELD]
        await drain_jobs(self.house.runtime, handlers)

    async def mail_at_last(self) -> None:
        """Let those run that were held back."""
        let = "update tenantry.jobs set run_at = tenantry.now(), due = true where kind = any($1) returning id"
        assert await self.house.rows(let, list(HELD))
        await self.drain()

    async def subscribes(self, status: str = "active", *, mailing: bool = True, **more: Any) -> None:
        """Let the subscription be so, and Stripe tell of it."""
        thing = self.subscription(status, **more)
        self.tiny.has(f"subscriptions/{self.sub}", thing)
        await self.hears("customer.subscription.updated", thing, mailing=mailing)

    def subscription(self, status: str, **more: Any) -> dict[str, Any]:
        thing = subscription(self.sub, self.customer, status, created=self.began, **more)
        item = thing["items"]["data"][0]
        item["current_period_start"], item["current_period_end"] = self.began, self.began + 30 * 86_400
        return thing

    async def fails(
        self, attempt: int = 1, *, again: float | None = 3, status: str = "past_due", mailing: bool = True, **more: Any
    ) -> None:
        """Let a payment fail, to be tried again in so many days."""
        self.first_tried = self.first_tried or self.at()
        made = {"finalized_at": self.first_tried, "paid_at": None}
        bill: dict[str, Any] = {
            "attempt_count": attempt, "created": self.first_tried, "status_transitions": made,
            "next_payment_attempt": None if again is None else self.at(days=again),
        }  # fmt: skip
        await self.billed("open", status, "invoice.payment_failed", mailing=mailing, **bill, **more)

    async def pays(self, *, mailing: bool = True, status: str = "active", **more: Any) -> None:
        """Let the same payment come."""
        await self.billed(
            "paid", status, "invoice.paid", mailing=mailing, created=self.first_tried or self.at(), **more
        )

    async def billed(self, paid: str, status: str, kind: str, *, mailing: bool, **more: Any) -> None:
        changes = {name: more.pop(name) for name in ("cancel_at",) if name in more}
        bill = invoice(self.bill, self.customer, paid, **of_subscription(self.sub), **more)
        self.tiny.has(f"invoices/{self.bill}", bill)
        self.tiny.has(f"subscriptions/{self.sub}", self.subscription(status, latest_invoice=bill, **changes))
        await self.hears(kind, bill, mailing=mailing)

    async def ends(self, *, mailing: bool = True, **more: Any) -> None:
        """Let the subscription be over."""
        thing = self.subscription("canceled", ended_at=self.at(), **more)
        self.tiny.has(f"subscriptions/{self.sub}", thing)
        await self.hears("customer.subscription.deleted", thing, mailing=mailing)

    async def mails(self) -> list[Mail]:
        """What was mailed about the organization, the oldest first."""
        return [mail for mail in (await self.house.mails())[::-1] if self.name in mail.subject]

    async def mail(self) -> Mail:
        """The one mail that was sent, to the one owner."""
        [mail] = await self.mails()
        assert mail.to == self.team.owner.email
        return mail

    @property
    def page(self) -> str:
        return f"{self.house.origin}/console/orgs/{self.team.org}/billing"


@pytest.fixture(scope="module")
async def stripe() -> AsyncIterator[TinyStripe]:
    async with running_stripe() as running:
        yield running


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> HandClock:
    return HandClock(tmp_path_factory.mktemp("time") / "clock")


@pytest.fixture(scope="module")
async def mailing(
    databases: Databases,
    registry: Registry,
    tmp_path_factory: pytest.TempPathFactory,
    stripe: TinyStripe,
    moved: HandClock,
) -> AsyncIterator[Installation]:
    """An installation with plans, a Stripe and a clock, for all the tests of this file."""
    place = tmp_path_factory.mktemp("mailing")
    (place / "plans.toml").write_text(PLANS)
    given = environ(stripe.base) | moved.environ | {"TENANTRY_PLAN_FILE": str(place / "plans.toml")}
    async with databases.fresh() as url, installed(url, place, registry=registry, environ=given) as running:
        yield running


@pytest.fixture
async def payer(mailing: Installation, stripe: TinyStripe, moved: HandClock) -> Payer:
    name = f"Acme {next(_numbers)} & Sons"
    one = Payer(mailing, stripe, moved, await mailing.team(name), name)
    one.customer = await customer_of(mailing, one.team)
    return one


def _day(moment: int) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M} UTC"


def _flat(mail: Mail) -> str:
    return " ".join(mail.text.split())


# what is said


async def test_owners_are_told_of_a_trial_that_ends_and_that_only_a_card_goes_on(payer: Payer) -> None:
    ends = payer.at(days=3)
    payer.tiny.has(f"subscriptions/{payer.sub}", thing := payer.subscription("trialing", trial_end=ends))
    for _ in range(2):
        await payer.hears("customer.subscription.trial_will_end", thing)
    mail, said = await payer.mail(), _flat(await payer.mail())
    assert mail.subject == f"The trial of {payer.name} at Tenantry ends soon"
    assert f"The trial of {payer.name} on the plan Pro (2026) ends on {_day(ends)}." in said
    assert "If there is a card, it is charged from then on" in said
    assert "If there is none, the plan ends with the trial. Nothing is deleted either way." in said
    assert payer.page in mail.text
    assert f'href="{payer.page}"' in mail.html
    assert "Pro (2026)" in mail.html
    assert payer.name.replace("&", "&amp;") in mail.html


async def test_of_a_trial_that_was_cancelled_it_is_said_that_nothing_is_charged(payer: Payer) -> None:
    ends = payer.at(days=3)
    thing = payer.subscription("trialing", trial_end=ends, cancel_at=ends)
    payer.tiny.has(f"subscriptions/{payer.sub}", thing)
    await payer.hears("customer.subscription.trial_will_end", thing)
    said = _flat(await payer.mail())
    assert "nothing will be charged" in said
    assert f"{payer.name} goes on with the plan Free." in said
    assert "If there is a card" not in said


async def test_each_attempt_is_told_in_words_of_its_own_with_what_comes_next(payer: Payer) -> None:
    await payer.subscribes()
    until, tries = _day(payer.at(days=14)), []
    for attempt, again in ((1, 3), (2, 4), (3, 5), (4, None)):
        await payer.fails(attempt, again=again)
        tries.append(None if again is None else _day(payer.at(days=again)))
    mails = await payer.mails()
    assert [mail.subject for mail in mails] == [
        f"A payment for {payer.name} failed",
        f"A payment for {payer.name} failed again",
        f"Attempt 3 at a payment for {payer.name} failed",
        f"The last attempt at a payment for {payer.name} failed",
    ]
    said = [_flat(mail) for mail in mails]
    assert f"A payment of 57.00 EUR for {payer.name} at Tenantry failed. Most often the card has expired" in said[0]
    assert "failed a second time" in said[1]
    assert "has failed 3 times by now" in said[2]
    assert "failed for the last time: it is not tried again by itself." in said[3]
    assert [f"It is tried again on {at}." in text for at, text in zip(tries, said, strict=True)] == [True] * 3 + [False]
    for text, mail in zip(said, mails, strict=True):
        assert f"The plan stays as it is until {until}. From then on everything in {payer.name} can be read" in text
        assert payer.page in text
        assert "https://invoice.example.com/1" in text
        assert 'href="https://invoice.example.com/1"' in mail.html
        assert "\n\n\n" not in mail.text


async def test_the_days_of_grace_are_counted_from_the_first_failure_and_not_from_the_mail(payer: Payer) -> None:
    await payer.subscribes()
    await payer.fails(1)
    until = _day(payer.at(days=14))
    payer.clock.advance(days=3)
    await payer.fails(2)
    assert [f"until {until}." in _flat(mail) for mail in await payer.mails()] == [True, True]


async def test_a_first_attempt_that_is_the_last_one_is_not_said_to_be_one_of_many(payer: Payer) -> None:
    await payer.subscribes()
    await payer.fails(1, again=None)
    said = _flat(await payer.mail())
    assert "failed, and it is not tried again by itself." in said
    assert "tried again on" not in said


async def test_who_is_shut_out_already_is_told_so_with_the_failure(payer: Payer) -> None:
    await payer.subscribes()
    await payer.fails(4, again=None, status="unpaid")
    said = _flat((await payer.mails())[0])
    assert f"Until it is paid, everything in {payer.name} can be read and nothing changed." in said
    assert "The plan stays" not in said


async def test_a_plan_that_is_told_to_end_within_the_grace_stays_until_its_end(payer: Payer) -> None:
    ends = payer.at(days=5)
    await payer.subscribes(mailing=False)
    await payer.fails(1, cancel_at=ends, mailing=False)
    await payer.mail_at_last()
    [said] = [_flat(mail) for mail in await payer.mails() if mail.subject.startswith("A payment")]
    assert f"The plan stays as it is until {_day(ends)}, when the subscription is told to end." in said


async def test_an_invoice_without_an_address_of_its_own_is_paid_on_the_billing_page_only(payer: Payer) -> None:
    await payer.subscribes()
    await payer.fails(1, hosted_invoice_url="javascript:alert(1)", currency="jpy")
    mail = await payer.mail()
    assert "A payment of 5,700 JPY for" in mail.text
    assert "at once" not in mail.text + mail.html
    assert "javascript" not in mail.text + mail.html
    assert "{" not in mail.text


async def test_a_payment_that_comes_after_it_failed_is_told_once(payer: Payer) -> None:
    await payer.subscribes()
    await payer.fails(1)
    for _ in range(2):
        # paid by hand, which Stripe does not count as an attempt
        await payer.pays(attempt_count=1)
    [_, mail] = await payer.mails()
    assert mail.subject == f"The payment for {payer.name} has come"
    assert "The payment of 57.00 EUR for" in _flat(mail)
    assert "Nothing is left to do: the plan goes on as before." in _flat(mail)


async def test_of_two_payments_that_are_missing_the_one_that_comes_does_not_open_everything(payer: Payer) -> None:
    await payer.subscribes()
    await payer.fails(1)
    await payer.pays(status="unpaid")
    [mail] = [one for one in await payer.mails() if one.subject.startswith("The payment")]
    assert "Another payment is still missing." in mail.text


async def test_the_end_of_a_subscription_says_what_is_on_now_and_that_nothing_is_deleted(payer: Payer) -> None:
    await payer.subscribes()
    for _ in range(2):
        await payer.ends()
    mail, said = await payer.mail(), _flat(await payer.mail())
    assert mail.subject == f"The subscription of {payer.name} is over"
    assert f"The subscription of {payer.name} at Tenantry to the plan Pro (2026) is over." in said
    assert f"{payer.name} goes on with the plan Free. Nothing was deleted" in said
    assert "Pro (2026)" in mail.html


async def test_an_end_for_want_of_a_payment_says_so_and_is_the_only_mail_about_it(payer: Payer) -> None:
    await payer.subscribes()
    await payer.fails(4, again=None, status="canceled")
    assert "is over, because a payment did not come." in _flat(await payer.mail())


async def test_a_subscription_that_is_told_to_end_is_told_with_its_day_and_once(payer: Payer) -> None:
    await payer.subscribes()
    for _ in range(2):
        await payer.subscribes(cancel_at_period_end=True, cancel_at=payer.began + 30 * 86_400)
    mail, said = await payer.mail(), _flat(await payer.mail())
    assert mail.subject == f"The subscription of {payer.name} is told to end"
    assert f"to the plan Pro (2026) ends on {_day(payer.began + 30 * 86_400)}. Until then nothing changes." in said
    assert f"After that {payer.name} goes on with the plan Free. Nothing is deleted." in said


async def test_going_on_is_told_nobody_and_ending_again_is_told_again(payer: Payer) -> None:
    await payer.subscribes()
    await payer.subscribes(cancel_at_period_end=True)
    await payer.subscribes()
    assert len(await payer.mails()) == 1
    await payer.subscribes(cancel_at_period_end=True)
    assert len(await payer.mails()) == 2


async def test_what_else_changes_of_a_subscription_that_is_told_to_end_is_no_news(payer: Payer) -> None:
    await payer.subscribes()
    await payer.subscribes(cancel_at_period_end=True)
    await payer.subscribes(cancel_at_period_end=True, pause_collection={"behavior": "void"})
    assert len(await payer.mails()) == 1


async def test_who_was_given_a_plan_beside_the_subscription_goes_on_with_that(payer: Payer) -> None:
    call = Call(payer.house.runtime, Actor("job"), "a-job-of-a-test")
    await payer.subscribes()
    async with SystemWork(call, reason="a test") as work:
        await plans.give_plan(work, org_id=org_uuid(payer.team), plan="pro", source="grant")
    await payer.subscribes(cancel_at_period_end=True)
    assert f"After that {payer.name} goes on with the plan Pro (2026)." in _flat(await payer.mail())


# what is restricted


async def _restrict(payer: Payer, at: datetime | None) -> None:
    call = Call(payer.house.runtime, Actor("job"), "a-job-of-a-test")
    async with SystemWork(call, reason="a test") as work:
        await orgs.restrict_org(work, org_id=org_uuid(payer.team), restricted_from=at)
    await payer.drain()


def _restrictions(mails: list[Mail]) -> list[Mail]:
    return [mail for mail in mails if "can only be read" in mail.subject]


async def test_a_grace_that_is_over_is_told_when_the_moment_comes_and_once(payer: Payer) -> None:
    await payer.subscribes()
    await payer.fails(1)
    payer.clock.advance(days=13.9)
    await payer.drain()
    assert not _restrictions(await payer.mails())
    payer.clock.advance(days=0.2)
    for _ in range(2):
        await payer.drain()
    [mail] = _restrictions(await payer.mails())
    assert mail.to == payer.team.owner.email
    assert mail.subject == f"{payer.name} can only be read until it is paid"
    assert f"{payer.name} at Tenantry is not paid. From now on everything in it can be read" in _flat(mail)
    assert "Nothing is deleted." in _flat(mail)
    assert payer.page in mail.text
    assert "https://invoice.example.com/1" in mail.text


async def test_a_payment_within_the_grace_means_no_mail_about_its_end(payer: Payer) -> None:
    await payer.subscribes()
    await payer.fails(1)
    await payer.pays()
    payer.clock.advance(days=20)
    await payer.drain()
    assert not _restrictions(await payer.mails())


async def test_a_moment_that_was_moved_is_told_at_the_new_one_only(payer: Payer) -> None:
    first, later = (datetime.fromtimestamp(payer.at(days=days), UTC) for days in (1, 3))
    await _restrict(payer, first)
    await _restrict(payer, later)
    payer.clock.advance(days=2)
    await payer.drain()
    assert not _restrictions(await payer.mails())
    payer.clock.advance(days=2)
    await payer.drain()
    assert len(_restrictions(await payer.mails())) == 1


async def test_a_restriction_that_is_said_once_more_is_told_once(payer: Payer) -> None:
    """Stripe calls unpaid what was past due, and that is counted from another moment."""
    await _restrict(payer, datetime.fromtimestamp(payer.at(days=1), UTC))
    payer.clock.advance(days=2)
    await payer.drain()
    await _restrict(payer, datetime.fromtimestamp(payer.at(days=-1.5), UTC))
    payer.clock.advance(days=60)
    await _restrict(payer, datetime.fromtimestamp(payer.at(days=-3), UTC))
    assert len(_restrictions(await payer.mails())) == 1
    await _restrict(payer, None)
    await _restrict(payer, datetime.fromtimestamp(payer.at(), UTC))
    payer.clock.advance(seconds=2)
    await payer.drain()
    assert len(_restrictions(await payer.mails())) == 2


async def test_of_two_moments_that_have_come_before_anybody_was_told_one_is_told(payer: Payer) -> None:
    await _restrict(payer, datetime.fromtimestamp(payer.at(days=3), UTC))
    await _restrict(payer, datetime.fromtimestamp(payer.at(days=1), UTC))
    for _ in range(2):
        payer.clock.advance(days=4)
        await payer.drain()
    assert len(_restrictions(await payer.mails())) == 1


async def test_a_look_that_comes_before_its_moment_waits_for_it(payer: Payer) -> None:
    """The clock of whoever asked may be ahead of the database's."""
    moment = datetime.fromtimestamp(payer.at(days=1), UTC)
    await _restrict(payer, moment)
    let = "update tenantry.jobs set run_at = tenantry.now(), due = true where kind = $1 returning id"
    assert await payer.house.rows(let, "billing.tell_of_restriction")
    await payer.drain()
    assert not _restrictions(await payer.mails())
    payer.clock.advance(days=1.1)
    await payer.drain()
    assert len(_restrictions(await payer.mails())) == 1


async def test_a_trial_without_a_card_is_told_to_be_over(payer: Payer) -> None:
    await payer.subscribes("trialing", trial_end=payer.at(days=1))
    await payer.subscribes("paused", trial_end=payer.at(days=1))
    payer.clock.advance(seconds=5)
    await payer.drain()
    [mail] = _restrictions(await payer.mails())
    assert f"The trial of {payer.name} at Tenantry is over, and no payment has followed." in _flat(mail)


# what is out of date


async def test_a_payment_that_failed_is_not_told_after_it_has_come(payer: Payer) -> None:
    await payer.subscribes(mailing=False)
    await payer.fails(1, mailing=False)
    await payer.pays(mailing=False)
    await payer.mail_at_last()
    assert [mail.subject for mail in await payer.mails()] == [f"The payment for {payer.name} has come"]


async def test_an_attempt_is_not_told_after_the_next_one(payer: Payer) -> None:
    await payer.subscribes(mailing=False)
    await payer.fails(1, mailing=False)
    await payer.fails(2, mailing=False)
    await payer.mail_at_last()
    assert [mail.subject for mail in await payer.mails()] == [f"A payment for {payer.name} failed again"]


async def test_a_first_payment_that_fails_before_the_eyes_of_who_pays_is_mailed_to_nobody(payer: Payer) -> None:
    await payer.subscribes("incomplete")
    await payer.fails(1, again=None, status="incomplete")
    assert len(await payer.house.recorded("billing.payment_failed")) > 0
    await payer.pays(attempt_count=1)
    assert await payer.mails() == []


async def test_a_payment_that_comes_at_once_is_told_nobody(payer: Payer) -> None:
    await payer.subscribes()
    await payer.pays(attempt_count=1)
    await payer.house.assert_recorded("billing.invoice_paid", invoice=payer.bill)
    assert await payer.mails() == []


async def test_a_payment_that_comes_at_once_is_no_recovery_from_another_one(payer: Payer) -> None:
    await payer.subscribes()
    await payer.fails(1)
    payer.bill += "_next"
    await payer.pays(attempt_count=1)
    assert [mail.subject for mail in await payer.mails()] == [f"A payment for {payer.name} failed"]


@pytest.mark.parametrize("then", ["active", "canceled"])
async def test_the_end_of_a_trial_is_not_told_when_the_trial_is_over(payer: Payer, then: str) -> None:
    ends = payer.at(days=3)
    payer.tiny.has(f"subscriptions/{payer.sub}", thing := payer.subscription("trialing", trial_end=ends))
    await payer.hears("customer.subscription.trial_will_end", thing, mailing=False)
    await payer.subscribes(then, trial_end=ends, mailing=False)
    await payer.mail_at_last()
    assert not [mail for mail in await payer.mails() if mail.subject.startswith("The trial")]


async def test_the_end_of_a_trial_is_not_told_after_it_or_when_it_was_moved(payer: Payer) -> None:
    ends = payer.at(days=3)
    payer.tiny.has(f"subscriptions/{payer.sub}", thing := payer.subscription("trialing", trial_end=ends))
    await payer.hears("customer.subscription.trial_will_end", thing, mailing=False)
    await payer.subscribes("trialing", trial_end=payer.at(days=9), mailing=False)
    await payer.mail_at_last()
    payer.tiny.has(f"subscriptions/{payer.sub}", thing := payer.subscription("trialing", trial_end=payer.at(days=4)))
    await payer.hears("customer.subscription.trial_will_end", thing, mailing=False)
    payer.clock.advance(days=4.1)
    await payer.mail_at_last()
    assert await payer.mails() == []


async def test_an_end_that_was_taken_back_is_not_told(payer: Payer) -> None:
    await payer.subscribes(mailing=False)
    await payer.subscribes(cancel_at_period_end=True, mailing=False)
    await payer.subscribes(mailing=False)
    await payer.mail_at_last()
    assert await payer.mails() == []


async def test_an_end_is_not_announced_when_it_has_come(payer: Payer) -> None:
    await payer.subscribes(mailing=False)
    await payer.subscribes(cancel_at_period_end=True, mailing=False)
    await payer.ends(mailing=False)
    await payer.mail_at_last()
    assert [mail.subject for mail in await payer.mails()] == [f"The subscription of {payer.name} is over"]


async def test_an_end_is_not_announced_after_its_day_though_stripe_has_not_said_so_yet(payer: Payer) -> None:
    await payer.subscribes(mailing=False)
    await payer.subscribes(cancel_at_period_end=True, mailing=False)
    payer.clock.advance(days=30.1)
    await payer.mail_at_last()
    assert await payer.mails() == []


async def test_what_never_began_does_not_end(payer: Payer) -> None:
    await payer.subscribes("incomplete")
    await payer.ends()
    await payer.house.assert_recorded("billing.subscription_ended", subscription=payer.sub)
    assert await payer.mails() == []


async def test_the_end_of_a_subscription_is_not_told_who_has_another_one(payer: Payer) -> None:
    await payer.subscribes(mailing=False)
    await payer.ends(mailing=False)
    payer.sub += "_next"
    await payer.subscribes(mailing=False)
    await payer.mail_at_last()
    assert await payer.mails() == []


async def test_nothing_is_told_of_a_subscription_that_doubles_another(payer: Payer) -> None:
    await payer.subscribes()
    payer.sub, payer.began = payer.sub + "_twice", payer.began + 1
    await payer.subscribes()
    await payer.subscribes(cancel_at_period_end=True)
    await payer.fails(1)
    await payer.ends()
    assert await payer.mails() == []


# once


async def test_however_often_the_jobs_of_a_happening_run_it_is_told_once(
    payer: Payer, monkeypatch: pytest.MonkeyPatch
) -> None:
    posted: list[str] = []
    post = payer.house.runtime.mailer.post
    deliver = post.deliver

    async def counted(message: EmailMessage) -> None:
        posted.append(message["Message-ID"])
        await deliver(message)

    monkeypatch.setattr(post, "deliver", counted)
    await payer.subscribes()
    await payer.fails(1)
    [payload] = [one for one in await payer.house.recorded("billing.payment_failed") if one["invoice"] == payer.bill]
    call = Call(payer.house.runtime, Actor("job", org=org_uuid(payer.team)), "a-job-of-a-test")
    for _ in range(2):
        async with SystemWork(call, reason="a test") as work:
            work.enqueue(NewJob("billing.tell_of_failed_payment", json.dumps(payload)))
        await payer.drain()
    assert len(posted) == 1
    whom = ToTell("payment_failed", org_uuid(payer.team), payer.bill, attempt=1).to(_user(payer))
    # asked for beside the queue's keys, as by an operator: the same mail, which its Message-ID says
    await payer.house.ask(NewJob("billing.mail_owner", msgspec.json.encode(whom).decode()))
    await payer.drain()
    assert len(posted) == 2
    assert len(set(posted)) == len(await payer.mails()) == 1


async def test_reading_the_log_anew_sends_nothing(payer: Payer) -> None:
    await payer.subscribes()
    await payer.fails(1)
    before = len(await payer.house.mails())
    await payer.house.drain_consumers()
    await payer.hears("invoice.payment_failed", {"id": payer.bill})
    await payer.drain()
    assert len(await payer.house.mails()) == before


# to whom


def _user(payer: Payer) -> UUID:
    return _id_of(payer.team.owner)


def _id_of(person: Client) -> UUID:
    found = USER_ID.read(person.user_id)
    assert found is not None
    return found


async def test_every_owner_is_told_and_nobody_else(payer: Payer) -> None:
    second = await payer.house.person()
    await add_member(payer.house.runtime, payer.team.org, second, "owner")
    await payer.subscribes()
    await payer.ends()
    assert sorted(mail.to for mail in await payer.mails()) == sorted([payer.team.owner.email, second.email])


@pytest.mark.parametrize("lost", ["closed_at = tenantry.now(), purge_at = 'infinity'", "disabled_at = tenantry.now()"])
async def test_an_owner_whose_account_is_closed_or_disabled_gets_nothing(payer: Payer, lost: str) -> None:
    await payer.subscribes()
    change = f"update tenantry.users set {lost} where id = $1 returning id"
    assert await payer.house.rows(change, _user(payer))
    await payer.ends()
    assert await payer.mails() == []


async def test_who_is_no_owner_any_more_when_it_is_sent_gets_nothing(payer: Payer) -> None:
    left = await payer.house.person()
    await add_member(payer.house.runtime, payer.team.org, left, "owner")
    await payer.subscribes()
    await payer.ends(mailing=False)
    whom = ToTell("subscription_ended", org_uuid(payer.team), payer.sub).to(_id_of(left))
    await payer.house.ask(NewJob("billing.mail_owner", msgspec.json.encode(whom).decode()))
    change = "update tenantry.members set role = 'member' where org_id = $1 and user_id = $2 returning org_id"
    assert await payer.house.rows(change, org_uuid(payer.team), _id_of(left))
    await payer.mail_at_last()
    await payer.mail()


async def test_a_closed_organization_gets_nothing(payer: Payer) -> None:
    await payer.subscribes()
    shut = "update tenantry.orgs set closed_at = tenantry.now(), purge_at = tenantry.now() + interval '30 days'"
    assert await payer.house.rows(f"{shut} where id = $1 returning id", org_uuid(payer.team))
    await payer.ends()
    assert await payer.mails() == []


async def test_neither_jobs_nor_events_hold_an_address(payer: Payer) -> None:
    await payer.subscribes()
    await payer.ends(mailing=False)
    await payer.drain_all_but_mails()
    found = await payer.house.rows(
        "select args::text as said from tenantry.jobs union all select payload::text from"
        " tenantry.events where kind like 'billing.%'"
    )
    assert found
    assert not [row["said"] for row in found if "@" in row["said"]]


# the parts


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (123_450, "eur", "1,234.50 EUR"),
        (5, "usd", "0.05 USD"),
        (-1_999, "USD", "-19.99 USD"),
        (1_234_567, "jpy", "1,234,567 JPY"),
        (0, "krw", "0 KRW"),
        (5_120, "kwd", "5.120 KWD"),
        (500, "isk", "5 ISK"),
        (150_000, "ugx", "1,500 UGX"),
        (501, "isk", "5.01 ISK"),
        (10**17, "eur", "1,000,000,000,000,000.00 EUR"),
    ],
)
def test_money_is_shown_in_the_unit_that_people_pay_in(amount: int, currency: str, shown: str) -> None:
    assert money(amount, currency) == shown


def test_every_letter_has_both_halves_which_ask_for_the_same(registry: Registry) -> None:
    [folder] = [path for path in registry.letters if path.parent.name == "billing"]
    letters = Letters([folder], product="Acme")
    assert letters.templates() == sorted(source.stem for source in folder.glob("*.mjml"))
    for name in letters.templates():
        assert {"org", "billing"} <= letters.wants(name)


def _settings(**given: str) -> BillingSettings:
    read = {"TENANTRY_ENVIRONMENT": "development", "TENANTRY_MASTER_KEYS": MASTER_KEYS} | given
    section = read_settings((BillingSettings,), environ=read, dotenv=None).sections[BillingSettings]
    assert isinstance(section, BillingSettings)
    return section


@pytest.mark.parametrize("link", ["app.example.com/{org}", "https://app.example.com/billing", "javascript:{org}"])
def test_a_link_to_the_billing_page_is_an_address_that_names_the_organization(link: str) -> None:
    with pytest.raises(BadSettings, match="TENANTRY_LINK_BILLING"):
        _settings(TENANTRY_LINK_BILLING=link)


async def test_the_billing_page_may_be_the_products_own(payer: Payer) -> None:
    runtime, org_id = payer.house.runtime, org_uuid(payer.team)
    assert billing_page(runtime, org_id) == payer.page
    own = _settings(TENANTRY_LINK_BILLING="https://app.example.com/o/{org}/pay")
    other = msgspec.structs.replace(runtime, sections={**runtime.sections, BillingSettings: own})
    assert billing_page(other, org_id) == f"https://app.example.com/o/{payer.team.org}/pay"
