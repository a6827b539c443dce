"""What billing has to say to the end of an organization: nobody goes on paying for one that is no more."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from tenantry.accounts.problems import Blocker
from tenantry.billing import queries
from tenantry.billing.models import ToEnd, ending
from tenantry.billing.settings import BillingSettings
from tenantry.foundation.action import action
from tenantry.foundation.data.sql import run
from tenantry.foundation.logs import get_logger
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork, Work

log = get_logger("tenantry.billing")
GOES_ON = "The subscription goes on. Cancel it first; it may end later."


async def what_goes_on(work: Work, org_id: UUID) -> Sequence[Blocker]:
    """The subscription of an organization that would be paid for again, if there is one."""
    if not work.runtime.section(BillingSettings).on:
        # nobody could cancel it here
        return ()
    # its row says that it is to end until Stripe has answered
    resumed = await queries.intent_under_way(work, org_id=org_id, kind="resume") is not None
    found = await queries.subscriptions_of_org(work, org_id=org_id)
    # one that doubles another is ended by the house
    live = (row for row in found if row.live and row.duplicate_of is None)
    return [Blocker("subscription", GOES_ON, row.id) for row in live if resumed or ending(row) is None]


async def is_to_end(work: Work, org_id: UUID) -> bool:
    """Whether Stripe must be asked to end something before an organization is purged; then that is asked for."""
    if await queries.customer_to_end(work, org_id=org_id) is None:
        return False
    if not work.runtime.section(BillingSettings).on:
        # whoever took the key away looks after the account; people's data wait for nobody
        log.warning("purged without asking stripe", org_id=str(org_id))
        return False
    work.enqueue(ToEnd(org_id).asked())
    return True


say_ended = run("""
    update tenantry.stripe_customers
       set ended_at = tenantry.now()
     where org_id = :org_id
""")


@action(requires=HOUSE)
async def keep_ended(work: SystemWork, *, org_id: UUID) -> None:
    """Keep that nothing goes on at Stripe for an organization whose purge is due."""
    await say_ended(work, org_id=org_id)
