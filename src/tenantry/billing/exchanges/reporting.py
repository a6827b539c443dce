"""Telling Stripe what was used: kept, said, and marked as heard, each in a transaction of its own."""

from __future__ import annotations

from tenantry.billing import actions, stripe
from tenantry.billing.models import UsageReport
from tenantry.foundation.action import exchange
from tenantry.foundation.call import Call
from tenantry.foundation.logs import get_logger
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork

log = get_logger("tenantry.billing")
REASON = "usage is reported to Stripe whoever's it is"


@exchange(requires=HOUSE)
async def report_usage_to_stripe(call: Call) -> int:
    """Tell the meters at Stripe what was used in hours that are over; how many reports it heard or refused."""
    async with SystemWork(call, reason=REASON) as work:
        reports = await actions.begin_usage_reports(work)
    for place, report in enumerate(reports):
        try:
            why = await _told(call, report)
        except stripe.StripeFailed:
            # in their order, so none of those behind it was ever said
            async with SystemWork(call, reason=REASON) as work:
                await actions.put_off_usage_reports(work, reports=reports[place + 1 :])
            raise
        async with SystemWork(call, reason=REASON) as work:
            await actions.settle_usage_report(work, org_id=report.org_id, report_id=report.id, why=why)
    return len(reports)


async def _told(call: Call, report: UsageReport) -> str | None:
    """What Stripe refused it with, if it did; StripeFailed where nobody knows."""
    try:
        await stripe.report_usage(
            call.runtime,
            identifier=f"usage_{report.id.hex}",
            event=call.runtime.meters[report.meter].stripe_event,
            customer_id=report.customer_id,
            quantity=report.quantity,
            at=int(report.hour.timestamp()),
        )
    except stripe.Refused as error:
        log.warning("a report of usage was refused", meter=report.meter, org=str(report.org_id), why=str(error))
        return str(error)[:200]
    return None
