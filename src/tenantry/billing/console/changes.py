"""The page of a change: what it would be and cost, and whether one wants it; looking changes nothing."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from tenantry.billing import exchanges
from tenantry.billing.console import wording
from tenantry.billing.console.frame import PLACE, pages, place_of
from tenantry.billing.exchanges.asked import org_of
from tenantry.billing.inputs import ASKING_STRIPE
from tenantry.billing.models.changes import Foreseen, Wish
from tenantry.billing.permissions import BILLING_WRITE
from tenantry.foundation.call import Call
from tenantry.foundation.pages import SeeOther, Values
from tenantry.foundation.wire import Wire
from tenantry.plans.settings import PlanSettings

Seats = Annotated[int, Meta(ge=1, le=100_000)]


class Wanted(Wire):
    """What the subscription is to become; what is not said stays."""

    plan: Annotated[str, Meta(max_length=64)] | None = None
    interval: Literal["month", "year"] | None = None
    seats: Seats | None = None

    def wish(self) -> Wish:
        """The same, as it is weighed."""
        return Wish(plan=self.plan, interval=self.interval, seats=self.seats)


@pages.get(
    f"{PLACE}/change",
    title="Change the subscription",
    template="billing_change",
    requires=BILLING_WRITE,
    limits=(ASKING_STRIPE,),
)
async def change_page(call: Call, query: Wanted) -> Values:
    """Show what a change would be, and cost."""
    about = {"place": place_of(org_of(call)), "wanted": query, "foreseen": None}
    if query.wish() == Wish():
        return about
    return about | {"foreseen": _shown(call, await exchanges.preview_change(call, wish=query.wish()))}


@pages.post(f"{PLACE}/change", requires=BILLING_WRITE, even_restricted=True, limits=(ASKING_STRIPE,))
async def change(call: Call, form: Wanted) -> SeeOther:
    """Change the subscription as it was shown."""
    row = await exchanges.change_subscription(call, wish=form.wish())
    done = "changed" if row.later_at is None else "later"
    return SeeOther(f"{place_of(org_of(call))}?done={done}")


def _shown(call: Call, foreseen: Foreseen) -> Values:
    terms = foreseen.weighed.terms
    plan = call.runtime.section(PlanSettings).catalogue.plan(terms.plan or "", terms.version)
    return {
        "plan": terms.plan if plan is None else plan.name,
        "interval": terms.interval,
        "seats": terms.quantity if foreseen.weighed.per_seat else None,
        "deed": foreseen.weighed.deed,
        "at": wording.moment(foreseen.at),
        "due": wording.money(foreseen.amount_due, foreseen.currency) if foreseen.amount_due else "",
        "lines": [(said, wording.money(amount, foreseen.currency)) for said, amount in foreseen.lines],
    }
