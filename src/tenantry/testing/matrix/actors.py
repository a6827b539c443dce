"""Who asks: every role of one tenant with every kind of credential, a stranger, and nobody."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tenantry.testing.client import Client
from tenantry.testing.installation import PASSWORD, Installation
from tenantry.testing.matrix.tenants import Tenant


class Asking(msgspec.Struct, frozen=True):
    """Somebody with one credential.

    `within` says that they belong to the tenant that asks; `both`, that they belong to the other one too, while their
    credential is bound to this one.
    """

    name: str
    headers: Mapping[str, str]
    within: bool = False
    known: bool = True
    both: bool = False


async def actors(installation: Installation, own: Tenant, both: Client) -> list[Asking]:
    """Everybody who asks, on behalf of one tenant."""
    people = own.people
    stranger = await installation.person(f"stranger-{own.canary}@example.com")
    return [
        *(Asking(role, _bearer(person), within=True) for role, person in people.items()),
        Asking("owner, bound", await _bound(people["owner"], own.org), within=True),
        Asking("owner, by cookie", await _by_cookie(installation, people["owner"]), within=True),
        Asking("member of both, bound", await _bound(both, own.org), both=True),
        Asking("stranger", _bearer(stranger)),
        Asking("nobody", {}, known=False),
    ]


def _bearer(person: Client) -> dict[str, str]:
    return {"authorization": f"Bearer {person.tokens['access_token']}"}


async def _bound(person: Client, org: str) -> dict[str, str]:
    answer = await person.post("/v1/auth/switch-org", {"org": org})
    assert answer.status == 200, answer
    return _bearer(person.signed_in(answer.json))


async def _by_cookie(installation: Installation, person: Client) -> dict[str, str]:
    browser = installation.browser()
    await browser.visit("/account/login")
    await browser.submit(email=person.email, password=PASSWORD)
    assert browser.cookies, browser.text
    cookies = "; ".join(f"{name}={text}" for name, text in browser.cookies.items())
    return {"cookie": cookies, "origin": installation.origin, "sec-fetch-site": "same-origin"}
