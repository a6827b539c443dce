"""The page of closing one's account, and of opening it again while there is time."""

from __future__ import annotations

from typing import Literal

from tenantry.accounts import exchanges, queries
from tenantry.accounts.inputs import PasswordText
from tenantry.accounts.models import GRACE
from tenantry.accounts.pages.forms import pages
from tenantry.foundation.call import Call
from tenantry.foundation.pages import SeeOther, Values
from tenantry.foundation.permission import ONESELF
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import PersonWork


class Decision(Wire):
    """What to do with the account, and its password."""

    act: Literal["close", "reopen"]
    password: PasswordText


@pages.get(
    "/account/closure",
    title="Close your account",
    template="closure",
    requires=ONESELF,
    even_closed=True,
    serves="closed accounts",
)
async def closure_page(work: PersonWork) -> Values:
    """Say what closing means; or of a closed account until when it can be opened again."""
    return {"user": await queries.oneself(work), "days": GRACE.days}


@pages.post("/account/closure", requires=ONESELF, even_closed=True)
async def decide(call: Call, form: Decision) -> SeeOther:
    """Close the account, or open it again."""
    if form.act == "close":
        await exchanges.close_account(call, password=form.password)
        return SeeOther("/account/closure")
    await exchanges.reopen_account(call, password=form.password)
    return SeeOther("/account?done=reopened")
