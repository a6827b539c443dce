"""The page that the mail of an invite leads to: what is offered, and whether one wants it; looking changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlencode

from tenantry.accounts import exchanges as accounts
from tenantry.accounts import queries as people
from tenantry.accounts.inputs import NewPassword, TokenText
from tenantry.accounts.pages.forms import Linked, let_in
from tenantry.accounts.problems import LinkInvalid
from tenantry.foundation.call import Call
from tenantry.foundation.net.address import read_address
from tenantry.foundation.pages import Pages, SeeOther, Values
from tenantry.foundation.permission import ANYONE
from tenantry.foundation.problems import FieldError, Invalid
from tenantry.foundation.text import Name
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import PersonWork
from tenantry.orgs import exchanges
from tenantry.orgs.inputs import INVITE_SOURCE
from tenantry.orgs.models import Offer, masked

pages = Pages("orgs", Path(__file__).parent / "templates")


class Decision(Wire):
    """The mailed link, and what to do with it; who joins by it says their name and chooses a password."""

    token: TokenText
    act: Literal["accept", "decline", "join"]
    name: Name | None = None
    password: NewPassword | None = None


@pages.get("/account/invite", title="You are invited", template="invite", requires=ANYONE)
async def invite_page(call: Call, query: Linked) -> Values:
    """Say who invites whom into which organization, and ask for an answer."""
    offer = await exchanges.look_at_invite(call, token=query.present())
    signed_in, address = None, ""
    if call.actor.person is not None:
        async with PersonWork(call, reading=True) as work:
            signed_in = await people.oneself(work)
        address = read_address(signed_in.email).key
    return {
        "token": query.token,
        "offer": offer,
        "state": _state(offer, call),
        "signed_in_as": signed_in.email if signed_in else None,
        "mine": offer.email_key == address,
        "invited": masked(offer.email),
        "sign_in": f"/account/login?{urlencode({'next': _back(query.token)})}",
    }


def _state(offer: Offer, call: Call) -> str:
    if offer.status == "accepted" and offer.user_id == call.actor.person:
        return "joined"
    if offer.status not in {"pending", "declined"}:
        raise LinkInvalid
    return offer.status


@pages.post("/account/invite", requires=ANYONE, limits=(INVITE_SOURCE,))
async def decide(call: Call, form: Decision) -> SeeOther:
    """Accept or decline; or join with a name and a password, and accept with that."""
    back = _back(form.token)
    if form.act == "join":
        return await _join(call, form, back)
    if form.act == "decline":
        await exchanges.decline_invite(call, token=form.token)
    elif call.actor.person is None:
        return SeeOther(f"/account/login?{urlencode({'next': back})}")
    else:
        await exchanges.accept_invite(call, token=form.token)
    return SeeOther(back)


async def _join(call: Call, form: Decision, back: str) -> SeeOther:
    missing = [field for field in ("name", "password") if getattr(form, field) is None]
    if form.name is None or form.password is None:
        raise Invalid(errors=tuple(FieldError(f"form.{field}", "is missing") for field in missing))
    offer = await exchanges.look_at_invite(call, token=form.token)
    joined = await accounts.register_invited(
        call, address=read_address(offer.email), name=form.name, password=form.password, token=form.token
    )
    return await let_in(call, joined, to=back)


def _back(token: str) -> str:
    return f"/account/invite?{urlencode({'token': token})}"
