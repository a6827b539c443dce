"""Who is calling: the one place where a credential becomes an actor."""

from __future__ import annotations

from uuid import UUID

from tenantry.entrypoints.http.arrival import Arrival
from tenantry.entrypoints.http.cookies import read_visit, renew_visit
from tenantry.entrypoints.http.origins import SAFE_METHODS, CrossSite, refuse_other_sites
from tenantry.foundation.call import NOBODY, OPERATOR, Actor, Call
from tenantry.foundation.data.ids import ORG_ID, SESSION_ID, USER_ID
from tenantry.foundation.devices import device_used
from tenantry.foundation.operating import OperatorWork
from tenantry.foundation.problems import Unauthenticated
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.api_keys import START, read_key
from tenantry.foundation.security.keyring import AUDIENCE, OPERATORS
from tenantry.foundation.security.known_keys import KeyRefused
from tenantry.foundation.security.tokens import BadToken
from tenantry.foundation.work import PersonWork

BEARER_KEY = f"bearer {START}".encode()


async def authenticate(runtime: Runtime, arrival: Arrival, *, required: bool) -> Actor:
    """Who is calling. Where no credential is required a bad one counts as none."""
    header = arrival.headers.get(b"authorization")
    if header is not None:
        if header[: len(BEARER_KEY)].lower() == BEARER_KEY:
            return _by_key(arrival, header, required=required)
        return await _by_token(runtime, arrival, header, required=required)
    if b"cookie" in arrival.headers and (visitor := _by_cookie(runtime, arrival, required=required)):
        return visitor
    if required:
        raise Unauthenticated
    return NOBODY


async def keep_visit(call: Call, arrival: Arrival) -> None:
    """Once in a while, write down that the browser is in use and renew its cookie; its session must be alive for it."""
    if arrival.visit is None or not arrival.visit.stale:
        return
    if arrival.of_operators:
        # entering is what writes it down
        async with OperatorWork(call):
            pass
    else:
        async with PersonWork(call) as work:
            await device_used.ask(work)
    renew_visit(call.runtime, arrival, arrival.visit)


def _by_cookie(runtime: Runtime, arrival: Arrival, *, required: bool) -> Actor | None:
    visit = read_visit(runtime, arrival)
    if visit is None:
        return None
    if arrival.method not in SAFE_METHODS:
        try:
            refuse_other_sites(runtime, arrival)
        except CrossSite:
            if required:
                raise
            return None
    arrival.visit = visit
    return Actor(_kind(arrival), visit.person, visit.session)


def _kind(arrival: Arrival) -> str:
    return OPERATOR if arrival.of_operators else "person"


def _by_key(arrival: Arrival, header: bytes, *, required: bool) -> Actor:
    """Somebody with an API key; whose it is and what it opens turns out in its organization."""
    digest = read_key(header[len(b"bearer ") :].decode("latin-1"))
    if not required:
        return NOBODY
    if digest is None:
        raise KeyRefused
    arrival.key = digest
    return Actor("api_key")


async def _by_token(runtime: Runtime, arrival: Arrival, header: bytes, *, required: bool) -> Actor:
    scheme, _, token = header.partition(b" ")
    try:
        if scheme.lower() != b"bearer":
            raise Unauthenticated("Send `Authorization: Bearer` and an access token.")
        audience = OPERATORS if arrival.of_operators else AUDIENCE
        claims = await runtime.keys.verify(token.decode("latin-1"), audience=audience)
        person, session = USER_ID.read(claims.sub), SESSION_ID.read(claims.sid)
        if person is None or session is None:
            raise Unauthenticated
        if claims.org is not None:
            arrival.bound = _org(claims.org)
    except (BadToken, Unauthenticated) as error:
        if required:
            raise _refused(error) from error
        return NOBODY
    return Actor(_kind(arrival), person, session)


def _org(text: str) -> UUID:
    org = ORG_ID.read(text)
    if org is None:
        raise Unauthenticated
    return org


def _refused(error: Exception) -> Unauthenticated:
    if isinstance(error, Unauthenticated):
        return error
    challenge = {"www-authenticate": 'Bearer error="invalid_token"'}
    return Unauthenticated("This access token is not valid.", headers=challenge)
