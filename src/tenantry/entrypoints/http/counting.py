"""Counting: whom a request counts for, at which point of its way, and what its answer says of that.

By source before anything is believed; by person or API key once it is known who asks; by organization once it is known
that they belong there, so that no stranger spends its turns. A credential that is none counts in a zone of its own.
"""

from __future__ import annotations

from tenantry.entrypoints.http.arrival import Arrival
from tenantry.entrypoints.http.credential import authenticate
from tenantry.foundation.call import Actor
from tenantry.foundation.problems import NotFound, Problem, Unauthenticated
from tenantry.foundation.refusals import OrgClosed, PaymentNeeded
from tenantry.foundation.routes import Route
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.known_keys import AddressRefused, KeyRefused
from tenantry.foundation.security.limits import RateLimited, is_loopback, network
from tenantry.foundation.security.rates.counted import Policy
from tenantry.foundation.security.rates.of_orgs import rate_of
from tenantry.foundation.security.rates.shared import attend
from tenantry.foundation.security.tokens import BadToken, Reason
from tenantry.foundation.work import OrgWork, Work

Headers = list[tuple[bytes, bytes]]
LIMIT, POLICY = b"ratelimit", b"ratelimit-policy"
# what the gate of an organization says of a key that it has looked up, and found alive
OF_GOOD_KEYS = (AddressRefused, NotFound, OrgClosed, PaymentNeeded)


def count_source(runtime: Runtime, arrival: Arrival) -> None:
    """Take a turn of where the request comes from."""
    if not _spared(runtime, arrival):
        _take(runtime, arrival, runtime.rates.source, network(arrival.source))


async def count_caller(route: Route, runtime: Runtime, arrival: Arrival) -> Actor:
    """Who is calling, after a turn of theirs was taken."""
    arrival.of_operators = route.of_operators
    try:
        actor = await authenticate(runtime, arrival, required=not route.public)
    except Unauthenticated as refused:
        if b"authorization" in arrival.headers and not _was_good(refused):
            _count_credential(runtime, arrival)
        raise
    if _spared(runtime, arrival):
        return actor
    if arrival.key is not None:
        facts = runtime.known_keys.get(arrival.key)
        if facts is None:
            _lay_by(runtime, arrival, arrival.key)
        # a key counts once, whichever of its secrets is shown
        _take(runtime, arrival, runtime.rates.key, (arrival.key if facts is None else facts.id.bytes).hex(), route.cost)
    elif actor.person is not None:
        _take(runtime, arrival, runtime.rates.person, actor.person.hex, route.cost)
    return actor


async def count_org(work: Work, route: Route, arrival: Arrival) -> None:
    """Take a turn of the organization that the request is at home in; without one left, nobody's turn is taken."""
    rates = work.runtime.rates
    if not rates.counts or not isinstance(work, OrgWork):
        return
    _give_back_laid_by(work.runtime, arrival)
    heard = await rate_of(work)
    if heard.policy is None or not (heard.said or not _spared(work.runtime, arrival)):
        return
    try:
        _take(work.runtime, arrival, heard.policy, work.org.hex, route.cost)
    except RateLimited:
        rates.give_back([one for one in arrival.counted if one[0] in (rates.person, rates.key)], route.cost)
        raise


def count_refusal(runtime: Runtime, arrival: Arrival, problem: Problem) -> None:
    """Count an API key that its organization turned out not to know; one that is refused as what it is was good."""
    if isinstance(problem, OF_GOOD_KEYS):
        _give_back_laid_by(runtime, arrival)
    if not isinstance(problem, KeyRefused) or arrival.key is None:
        return
    if arrival.unproven:
        arrival.counted.append((runtime.rates.credentials, network(arrival.source)))
    else:
        _count_credential(runtime, arrival)


def tell_limits(runtime: Runtime, arrival: Arrival, headers: Headers) -> None:
    """Say in the answer's headers how much is left of each policy that it counted for, the tightest first."""
    problem, first_of_all = arrival.problem, ("", "")
    refused: frozenset[str] = frozenset()
    if isinstance(problem, RateLimited) and "ratelimit" in problem.headers:
        refused = frozenset(problem.more["violated-policies"])
        first_of_all = problem.headers["ratelimit"], problem.headers["ratelimit-policy"]
        headers[:] = [header for header in headers if header[0] not in (LIMIT, POLICY)]
    found = [one for one in runtime.rates.standing(arrival.counted) if one.policy.name not in refused]
    left = ", ".join(filter(None, (first_of_all[0], *(one.text for one in found))))
    policies = ", ".join(filter(None, (first_of_all[1], *(one.policy.text for one in found))))
    if left:
        headers += ((LIMIT, left.encode()), (POLICY, policies.encode()))


def _spared(runtime: Runtime, arrival: Arrival) -> bool:
    """Whether nothing is counted: for tests; or on a developer's own machine, where everybody is one source."""
    rates = runtime.rates
    return not rates.counts or (rates.spares_loopback and is_loopback(arrival.source))


def _take(runtime: Runtime, arrival: Arrival, policy: Policy, subject: str, cost: int = 1) -> None:
    attend(runtime)
    arrival.counted.append((policy, subject))
    if spent := runtime.rates.decide(arrival.counted[-1:], cost):
        raise RateLimited(spent=spent)


def _lay_by(runtime: Runtime, arrival: Arrival, key: bytes) -> None:
    """Take a turn for an API key that this process has not met; its organization gives it back if it knows the key.

    One turn for all that come with it until that is known, so that a busy program may begin with many at once.
    """
    proving = runtime.rates.proving
    if key not in proving:
        _count_credential(runtime, arrival)
        arrival.counted.pop()
        arrival.unproven = True
        proving.add(key)


def settle_unproven(runtime: Runtime, arrival: Arrival) -> None:
    """An API key that came for the first time has been answered, whatever that was."""
    if arrival.key is not None:
        runtime.rates.proving.discard(arrival.key)


def _give_back_laid_by(runtime: Runtime, arrival: Arrival) -> None:
    if arrival.unproven:
        arrival.unproven = False
        runtime.rates.give_back([(runtime.rates.credentials, network(arrival.source))])


def _count_credential(runtime: Runtime, arrival: Arrival) -> None:
    if not _spared(runtime, arrival):
        _take(runtime, arrival, runtime.rates.credentials, network(arrival.source))


def _was_good(refused: Unauthenticated) -> bool:
    """Whether it was a genuine token, and has expired: its bearer is to hear that, to ask for a new one."""
    cause = refused.__cause__
    return isinstance(cause, BadToken) and cause.reason is Reason.EXPIRED
