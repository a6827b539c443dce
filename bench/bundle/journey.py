"""What people do in accounts and organizations, once each, as requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tenantry.testing import Client, Installation, Response
from tenantry.testing.installation import PASSWORD

Ask = Callable[..., Awaitable[Response]]
NEXT_EMAIL = "trips.king@example.com"
NEXT_PASSWORD = f"{PASSWORD} again"


async def journey(house: Installation, ask: Ask) -> None:
    """One person's account, then an organization with others in it, then the end of both."""
    # somebody before them: what a process asks once in its life is not theirs to count
    other = await house.person()
    ada = await account(house, ask)
    org = await organization(ask, ada)
    await invites(house, ask, ada, org, other)
    await members(house, ask, ada, org)
    await closures(house, ask, ada)


async def account(house: Installation, ask: Ask) -> Client:
    """Join, sign in, look around, change this and that."""
    nobody, email = house.client, "trips@example.com"
    joining = {"email": email, "password": PASSWORD, "name": "Ada"}
    proof = (await ask(nobody, "POST", "/v1/auth/register", joining)).json["registration"]
    await ask(nobody, "POST", "/v1/auth/resend", {"email": email})
    token = await house.mailed_token(email)
    await ask(nobody, "POST", "/v1/auth/verify-email", {"token": token, "registration": proof})
    login = (await ask(nobody, "POST", "/v1/auth/login", {"email": email, "password": PASSWORD})).json
    ada = nobody.signed_in((await ask(nobody, "POST", "/v1/auth/refresh", _refresh(login))).json)
    await ask(ada, "GET", "/v1/users/me")
    await ask(ada, "PATCH", "/v1/users/me", {"name": "Ada Lovelace"})
    await ask(ada, "POST", "/v1/users/me/password", {"password": PASSWORD, "new_password": NEXT_PASSWORD})
    await ask(nobody, "POST", "/v1/auth/forgot-password", {"email": email})
    reset = {"token": await house.mailed_token(email), "password": NEXT_PASSWORD + "!"}
    await ask(nobody, "POST", "/v1/auth/reset-password", reset)
    again = {"email": email, "password": reset["password"]}
    return nobody.signed_in((await nobody.post("/v1/auth/login", again)).json)


async def organization(ask: Ask, ada: Client) -> str:
    """Found one, and name it anew."""
    org = str((await ask(ada, "POST", "/v1/orgs", {"name": "Acme"})).json["id"])
    await ask(ada, "GET", "/v1/orgs")
    await ask(ada, "GET", f"/v1/orgs/{org}")
    await ask(ada, "PATCH", f"/v1/orgs/{org}", {"name": "Acme & Sons"})
    await ask(ada, "POST", "/v1/auth/switch-org", {"org": org})
    return org


async def invites(house: Installation, ask: Ask, ada: Client, org: str, other: Client) -> None:
    """Invite, think again, and be answered both ways."""
    path = f"/v1/orgs/{org}/invites"
    sent = (await ask(ada, "POST", path, _guest("guest@example.com"))).json["id"]
    await ask(ada, "GET", path)
    await ask(ada, "POST", f"{path}/{sent}/resend")
    await ask(ada, "DELETE", f"{path}/{sent}")
    await ask(ada, "POST", f"{path}/bulk", {"invites": [_guest(f"guest{number}@example.com") for number in range(3)]})
    declined = (await ask(ada, "POST", path, _guest(other.email))).json["id"]
    await ask(other, "GET", "/v1/invites")
    await ask(other, "POST", f"/v1/invites/{declined}/decline")


async def members(house: Installation, ask: Ask, ada: Client, org: str) -> None:
    """Take people in, give them other roles, let them go."""
    path, three = f"/v1/orgs/{org}/members", [await house.person() for _ in range(3)]
    for person in three:
        await ada.post(f"/v1/orgs/{org}/invites", _guest(person.email))
        await ask(person, "POST", "/v1/invites/acceptance", {"token": await house.mailed_token(person.email)})
    first, second, _ = (f"{path}/{person.user_id}" for person in three)
    await ask(ada, "GET", path)
    etag = (await ask(ada, "GET", first)).headers["etag"]
    await ask(ada, "PATCH", first, {"role": "admin"}, headers={"if-match": etag})
    await ask(ada, "DELETE", second)
    await ask(three[2], "DELETE", f"{path}/me")
    await ask(ada, "POST", f"/v1/orgs/{org}/ownership-transfer", {"user_id": three[0].user_id})


async def closures(house: Installation, ask: Ask, ada: Client) -> None:
    """The devices, and the end of an organization and of the account."""
    mine = (await ask(ada, "POST", "/v1/orgs", {"name": "Short"})).json
    await ask(ada, "POST", f"/v1/orgs/{mine['id']}/closure", {"slug": mine["slug"]})
    await ask(ada, "DELETE", f"/v1/orgs/{mine['id']}/closure", {"slug": mine["slug"]})
    await ask(ada, "POST", "/v1/users/me/email", {"email": NEXT_EMAIL})
    await ask(ada, "POST", "/v1/users/me/email/confirmation", {"token": await house.mailed_token(NEXT_EMAIL)})
    await ask(ada, "GET", "/v1/users/me/sessions")
    await ask(ada, "POST", "/v1/users/me/exports")
    await ask(ada, "POST", "/v1/auth/logout", {"scope": "local"})
    ben = await house.person()
    await ask(ben, "POST", "/v1/users/me/closure", {"password": PASSWORD})
    await ask(ben, "DELETE", "/v1/users/me/closure", {"password": PASSWORD})


def _guest(email: str) -> dict[str, Any]:
    return {"email": email, "role": "member"}


def _refresh(tokens: dict[str, Any]) -> dict[str, Any]:
    return {"refresh_token": tokens["refresh_token"]}
