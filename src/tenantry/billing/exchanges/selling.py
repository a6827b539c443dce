"""Selling: what the plan file says is for sale is put into Stripe, step by step, from whatever is there.

Nothing of it is kept here. Stripe is looked at, what it lacks is done, and it is looked at again until it lacks
nothing: so a sync that was killed, or that others did as well, is ended by the next look, wherever it was.
"""

from __future__ import annotations

from collections.abc import Sequence

from tenantry.billing import stripe
from tenantry.billing.models import Found, Step, is_ours, steps, wanted
from tenantry.billing.models.selling import Wanted
from tenantry.billing.problems import BillingOff, NoPlanFile, StripeRefused, StripeUnavailable
from tenantry.billing.settings import BillingSettings
from tenantry.foundation.action import exchange
from tenantry.foundation.call import Call
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import SystemWork
from tenantry.plans.settings import PlanSettings

LOOKS = 4
"""How often a sync looks at Stripe, at most, before it says that it cannot."""
OPERATOR = "an operator puts what everybody may buy into Stripe"


@exchange(requires=HOUSE)
async def compare_plans(call: Call) -> tuple[Step, ...]:
    """Say what there is to do at Stripe until it sells what the plan file says; nothing is changed."""
    return (await _look(call, _want(call)))[0]


@exchange(requires=HOUSE)
async def sync_plans(call: Call) -> tuple[Step, ...]:
    """Put what the plan file says is for sale into Stripe; what was done is noted, also where the rest could not be."""
    done: dict[str, Step] = {}
    want = _want(call)
    try:
        await _settle(call, want, done)
    finally:
        await _note(call, tuple(done.values()))
    return tuple(done.values())


def _want(call: Call) -> Wanted:
    if not call.runtime.section(BillingSettings).on:
        raise BillingOff("Billing is off: TENANTRY_STRIPE_SECRET_KEY is not set.")
    settings = call.runtime.section(PlanSettings)
    if not settings.plan_file:
        # with the plan that there is without one, everything that is sold would be archived
        raise NoPlanFile
    return wanted(settings.catalogue)


async def _settle(call: Call, want: Wanted, done: dict[str, Step]) -> None:
    trouble: StripeRefused | StripeUnavailable | None = None
    for look in range(LOOKS):
        due, features = await _look(call, want)
        if not due:
            return
        if look + 1 < LOOKS:
            trouble = await _carry_out(call.runtime, due, features, done, again=look > 0)
    raise trouble or StripeUnavailable("Stripe takes what is asked for, and sells something else all the same.")


async def _carry_out(
    runtime: Runtime, due: Sequence[Step], features: dict[str, str], done: dict[str, Step], *, again: bool
) -> StripeRefused | StripeUnavailable | None:
    """Do what is due; what Stripe refuses keeps nothing else from being done, and what it does not answer ends it."""
    trouble: StripeRefused | StripeUnavailable | None = None
    for step in due:
        # Stripe answers a key for a day as it did at first, with a failure or an old success too: only whoever comes
        # first has the key that all have, who so do it once together
        key = f"{step.key}-{new_id()}" if again else step.key
        try:
            await _do(runtime, step, features, key)
            done[step.key] = step
        except stripe.Refused as error:
            trouble = trouble or StripeRefused(f"Stripe does not do this: {step.sentence} ({error}).")
        except stripe.Unreachable as error:
            return StripeUnavailable(f"Stripe is out of reach: {error}.")
        except stripe.Misconfigured as error:
            raise StripeUnavailable(f"{error}; this was to be done: {step.sentence}.") from error
    return trouble


async def _do(runtime: Runtime, step: Step, features: dict[str, str], key: str) -> None:
    match step.does:
        case "make":
            made = await stripe.make(runtime, step.thing, key=key, **step.params)
            if step.thing == "feature":
                features[step.name] = made
        case "change":
            await stripe.change(runtime, step.thing, step.id, key=key, **step.params)
        case "attach":
            if step.feature not in features:
                raise stripe.Refused("it could not be made", step.feature)
            await stripe.attach_feature(runtime, step.name, features[step.feature], key=key)
        case "detach":
            await stripe.detach_feature(runtime, step.name, step.id)


async def _look(call: Call, want: Wanted) -> tuple[tuple[Step, ...], dict[str, str]]:
    """What is due, and the ids of features by their names."""
    try:
        found = await _find(call.runtime, want)
    except (stripe.Unreachable, stripe.Misconfigured) as error:
        raise StripeUnavailable(f"Stripe cannot be asked: {error}.") from error
    except stripe.Refused as error:
        raise StripeRefused(f"Stripe does not say what it sells ({error}).") from error
    # of two with one name the one that can be attached comes first, and stays
    return steps(want, found), {one.lookup_key: one.id for one in reversed(found.features)}


async def _find(runtime: Runtime, want: Wanted) -> Found:
    products = [one for one in await stripe.every_product(runtime) if is_ours(one)]
    prices = await stripe.prices_named(runtime, [price.name for price in want.prices])
    for product in products:
        prices += await stripe.prices_of(runtime, product.id)
    return Found(
        products=tuple(products),
        prices=tuple({price.id: price for price in prices}.values()),
        features=tuple(await stripe.every_feature(runtime)),
        attached={one.id: tuple(await stripe.features_of(runtime, one.id)) for one in products},
    )


async def _note(call: Call, done: tuple[Step, ...]) -> None:
    if not done:
        return
    async with SystemWork(call, reason=OPERATOR) as work:
        live = call.runtime.section(BillingSettings).live
        work.note("billing:plans:synced", after={"live": live, "done": [step.sentence for step in done]})
