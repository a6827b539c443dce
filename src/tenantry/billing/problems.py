"""What can be refused about billing."""

from __future__ import annotations

from typing import Any

from tenantry.foundation.problems import Conflict, Invalid, NotFound, Problem, Unavailable


class BillingOff(NotFound):
    """Nothing from Stripe is taken here: billing is off, or no signing secret is set."""

    code = "billing_off"


class NotSold(Invalid):
    """This plan is not sold like this: it has no such price, or so many seats cannot be bought."""

    code = "not_sold"


class AlreadySubscribed(Conflict):
    """The organization has a subscription; it is changed, not bought a second time."""

    code = "already_subscribed"


class NotSubscribed(Conflict):
    """The organization has no subscription that this could be done to."""

    code = "not_subscribed"


class BillingBusy(Conflict):
    """Something else about this organization's subscription is on its way; try again in a moment."""

    code = "billing_busy"

    def __init__(self, detail: str | None = None, *, retry_after: int = 2, **rest: Any) -> None:
        super().__init__(detail, headers={"retry-after": str(retry_after)}, **rest)


class PayFirst(Conflict):
    """A payment is missing; pay it, then change what is subscribed to. To cancel is possible at any time."""

    code = "pay_first"


class SubscriptionEnding(Conflict):
    """The subscription is to end; let it go on first, then change it."""

    code = "subscription_ending"


class CardDeclined(Problem):
    """The card was declined; nothing was changed."""

    status, code = 402, "card_declined"


class StripeRefused(Conflict):
    """Stripe does not do this, as things are; `reason` is its word for why."""

    code = "stripe_refused"


class StripeUnavailable(Unavailable):
    """Stripe does not answer in time; what was asked for is kept, and asking again does it once."""

    code = "stripe_unavailable"


class BadSignature(Problem):
    """This was not signed by Stripe, or not just now."""

    status, code = 400, "bad_signature"


class NotStripes(Problem):
    """This is signed, and no event of Stripe's that can be read."""

    status, code = 400, "not_stripes"


class NoticeApplied(Conflict):
    """This notice was applied; Stripe is asked about the same thing by the next one."""

    code = "notice_applied"


class PlanNotSynced(Unavailable):
    """This plan cannot be bought yet: what Stripe sells is not what the plan file says (`tenantry plans sync`)."""

    code = "plan_not_synced"


class NoPlanFile(Conflict):
    """There is no plan file, so nothing is for sale; `TENANTRY_PLAN_FILE` names one."""

    code = "no_plan_file"


class OtherAccount(Conflict):
    """Stripe knows none of the subscriptions that live here: the key is of another account, or of the other mode."""

    code = "other_account"
