"""What the pages of accounts have in common: where they are declared, what leads to them, and how one is signed in."""

from __future__ import annotations

import re
from pathlib import Path

from tenantry.accounts import exchanges
from tenantry.accounts.exchanges import SignedIn
from tenantry.accounts.problems import LinkInvalid
from tenantry.foundation.call import Call
from tenantry.foundation.pages import Pages, SeeOther
from tenantry.foundation.wire import Wire

MENU = {
    "/account": "Profile",
    "/account/password": "Password",
    "/account/address": "E-mail",
    "/account/devices": "Devices",
    "/account/export": "Your data",
    "/account/closure": "Close account",
}
pages = Pages("accounts", Path(__file__).parent / "templates", menu=MENU)
# a path of our own: with two slashes, or a backslash that browsers read as one, it would name another host
_OWN = re.compile(r"/(?![/\\])[!-\[\]-~]{0,1000}", re.ASCII)
_PRODUCT = re.compile(r"[!-\[\]-~]{0,1000}", re.ASCII)


class Done(Wire):
    """What was just done, to be said on the page that it led to."""

    done: str = ""


class Linked(Wire):
    """A mailed link."""

    token: str = ""

    def present(self) -> str:
        """The token; a link that lost it leads nowhere."""
        if not self.token:
            raise LinkInvalid
        return self.token


async def let_in(call: Call, signed_in: SignedIn, *, to: str = "") -> SeeOther:
    """Sign the browser in under a session of its own, whatever it was before, and lead it on."""
    await exchanges.leave(call)
    visit = call.runtime.visits.issue(signed_in.user.id, signed_in.session_id)
    return SeeOther(_onward(call, to), visit=visit)


def _onward(call: Call, to: str) -> str:
    """Where the browser wanted to go, if it is ours or the product's; else the product, or the account."""
    app = call.runtime.settings.app_url
    if _OWN.fullmatch(to):
        return to
    within = app is not None and (to == app or to.startswith(f"{app.rstrip('/')}/"))
    return to if within and _PRODUCT.fullmatch(to) else app or "/account"
