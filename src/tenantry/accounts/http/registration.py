"""Signing up over HTTP: asking, proving the address, asking for the mail again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from tenantry.accounts import exchanges
from tenantry.accounts.http.shapes import CREDENTIALS, SIGNED_IN, Tokens, routes, tokens_view
from tenantry.accounts.inputs import (
    REGISTER,
    REGISTER_SOURCE,
    RESEND_SOURCE,
    VERIFY_SOURCE,
    EmailText,
    NewPassword,
    PasswordText,
    Proof,
    TokenText,
)
from tenantry.accounts.problems import AddressTaken, InvalidCredentials, LinkInvalid, WeakPassword
from tenantry.foundation.call import Call
from tenantry.foundation.net.address import MailAddress, read_address
from tenantry.foundation.permission import ANYONE
from tenantry.foundation.problems import FieldError, Invalid, PlanNeeded
from tenantry.foundation.refusals import OrgClosed, PaymentNeeded
from tenantry.foundation.routes import Answered
from tenantry.foundation.security.passwords import Busy
from tenantry.foundation.text import Name
from tenantry.foundation.wire import Wire


class NewRegistration(Wire):
    """Who wants to join."""

    email: EmailText
    password: NewPassword
    name: Name
    invite_token: TokenText | None = None


class PendingRegistration(Wire):
    """A registration that waits for its address to be proven; keep `registration` to prove it with."""

    registration: str


class Proofs(Wire):
    """The mailed token, and one proof of being the one who registered."""

    described: ClassVar[Mapping[str, Any]] = {
        "oneOf": [
            {"required": [given], "properties": {given: {"type": "string"}, other: {"type": "null"}}}
            for given, other in (("registration", "password"), ("password", "registration"))
        ]
    }
    token: TokenText
    registration: Proof | None = None
    password: PasswordText | None = None


class OneAddress(Wire):
    """An address to send something to."""

    email: EmailText


@routes.post(
    "/auth/register",
    requires=ANYONE,
    status=202,
    also={200: SIGNED_IN},
    problems=(WeakPassword, Busy, LinkInvalid, AddressTaken, OrgClosed, PaymentNeeded, PlanNeeded),
    limits=(REGISTER, REGISTER_SOURCE),
    example=CREDENTIALS | {"name": "Ada Lovelace"},
    answer_example={"registration": "AZOX1vK0c2i0bG9uZw.c2lnbmF0dXJl"},
)
async def register(call: Call, body: NewRegistration) -> PendingRegistration | Answered[Tokens]:
    """Ask to join; a mail with a link follows, known address or not. With an invite to the address: join at once."""
    address = read_address(body.email)
    if body.invite_token is not None:
        return Answered(200, await _joined(call, address, body, body.invite_token))
    proof = await exchanges.register(call, address=address, name=body.name, password=body.password)
    return PendingRegistration(registration=proof)


async def _joined(call: Call, address: MailAddress, body: NewRegistration, token: str) -> Tokens:
    signed_in = await exchanges.register_invited(
        call, address=address, name=body.name, password=body.password, token=token
    )
    return tokens_view(signed_in)


@routes.post(
    "/auth/verify-email",
    requires=ANYONE,
    problems=(LinkInvalid, InvalidCredentials, AddressTaken, Busy),
    limits=(VERIFY_SOURCE,),
    example={"token": "AZOX1vK0c2i0bG9uZw.c2lnbmF0dXJl", "registration": "AZOX1vK0c2i0bG9uZw.b3RoZXI"},
    answer_example=SIGNED_IN,
)
async def verify_email(call: Call, body: Proofs) -> Tokens:
    """Prove an address with the mailed token and the registration (or its password), and sign in."""
    if (body.registration is None) is (body.password is None):
        raise Invalid(errors=(FieldError("body", "needs either `registration` or `password`"),))
    if body.registration is not None:
        return tokens_view(await exchanges.verify_with_registration(call, token=body.token, proof=body.registration))
    return tokens_view(await exchanges.verify_with_password(call, token=body.token, password=body.password or ""))


@routes.post(
    "/auth/resend",
    requires=ANYONE,
    status=202,
    limits=(RESEND_SOURCE,),
    example={"email": "ada@example.com"},
)
async def resend(call: Call, body: OneAddress) -> None:
    """Ask for the verification mail once more; the answer is always the same."""
    await exchanges.resend_verification(call, address=read_address(body.email))
