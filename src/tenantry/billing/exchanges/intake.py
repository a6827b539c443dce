"""Intake: what came is known to be Stripe's and about us before it is read, and kept before it is answered."""

from __future__ import annotations

import msgspec

from tenantry.billing import actions, metrics
from tenantry.billing.exchanges.asking import STRIPES
from tenantry.billing.models import Told, signed
from tenantry.billing.problems import BadSignature, BillingOff, NotStripes
from tenantry.billing.settings import BillingSettings
from tenantry.foundation.action import exchange
from tenantry.foundation.call import Call
from tenantry.foundation.permission import ANYONE
from tenantry.foundation.work import SystemWork

_decode = msgspec.json.Decoder(Told).decode


@exchange(requires=ANYONE)
async def take_notice(call: Call, *, body: bytes, signature: str) -> None:
    """Take what Stripe tells, once however often it comes; what is not for us is counted and let go."""
    settings = call.runtime.section(BillingSettings)
    if not settings.secrets:
        raise BillingOff
    if not signed(body, signature, settings.secrets, call.runtime.clock.now()):
        metrics.notices.labels("unsigned").inc()
        raise BadSignature
    told, text = _read(body)
    how = _not_for_us(told, settings) or await _keep(call, told, text)
    metrics.notices.labels(how).inc()


def _read(body: bytes) -> tuple[Told, str]:
    try:
        # what nobody reads of it is text as well, and kept
        return _decode(body), body.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotStripes from error


def _not_for_us(told: Told, settings: BillingSettings) -> str | None:
    if told.livemode is not settings.live:
        return "other_mode"
    if told.account is not None:
        # of an account that is connected to ours: no organization of ours is its customer
        return "other_account"
    return "unknown_type" if told.subject is None else None


async def _keep(call: Call, told: Told, text: str) -> str:
    async with SystemWork(call, reason=STRIPES) as work:
        new = await actions.keep_notice(work, told=told, payload=text)
    return "kept" if new else "repeated"
