"""What all that asks Stripe for an organization has in common: for which one, and how a no is passed on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from tenantry.billing import stripe
from tenantry.billing.problems import BillingOff, CardDeclined, StripeRefused, StripeUnavailable
from tenantry.billing.settings import BillingSettings
from tenantry.foundation.call import Call
from tenantry.foundation.logs import get_logger

log = get_logger("tenantry.billing")


def org_of(call: Call) -> UUID:
    """The organization that a call acts in."""
    if call.actor.org is None:
        raise TypeError("billing is asked for in an organization")
    return call.actor.org


def refuse_while_off(call: Call) -> None:
    """BillingOff where there is no Stripe account to bill with."""
    if not call.runtime.section(BillingSettings).on:
        raise BillingOff


@contextmanager
def asking() -> Iterator[None]:
    """Around questions to Stripe: its failures become refusals that a client can act on."""
    try:
        yield
    except stripe.Declined as error:
        raise CardDeclined(error.message or None, more={"reason": error.code}) from error
    except stripe.Refused as error:
        log.warning("stripe refused", code=error.code, param=error.param)
        raise StripeRefused(more={"reason": error.code}) from error
    except stripe.Misconfigured as error:
        log.exception("stripe misconfigured", why=str(error))
        raise StripeUnavailable from error
    except stripe.Unreachable as error:
        raise StripeUnavailable from error
