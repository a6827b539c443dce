"""Who is calling: the one place where a credential becomes an actor."""

from __future__ import annotations

from tenantry.entrypoints.http.arrival import Arrival
from tenantry.foundation.call import NOBODY, Actor
from tenantry.foundation.data.ids import SESSION_ID, USER_ID
from tenantry.foundation.problems import Unauthenticated
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.tokens import BadToken


async def authenticate(runtime: Runtime, arrival: Arrival, *, required: bool) -> Actor:
    """Who is calling. Where no credential is required a bad one counts as none."""
    header = arrival.headers.get(b"authorization")
    if header is None:
        if required:
            raise Unauthenticated
        return NOBODY
    scheme, _, token = header.partition(b" ")
    try:
        if scheme.lower() != b"bearer":
            raise Unauthenticated("Send `Authorization: Bearer` and an access token.")
        claims = await runtime.keys.verify(token.decode("latin-1"))
        person, session = USER_ID.read(claims.sub), SESSION_ID.read(claims.sid)
        if person is None or session is None:
            raise Unauthenticated
    except (BadToken, Unauthenticated) as error:
        if required:
            raise _refused(error) from error
        return NOBODY
    return Actor("person", person, session)


def _refused(error: Exception) -> Unauthenticated:
    if isinstance(error, Unauthenticated):
        return error
    challenge = {"www-authenticate": 'Bearer error="invalid_token"'}
    return Unauthenticated("This access token is not valid.", headers=challenge)
