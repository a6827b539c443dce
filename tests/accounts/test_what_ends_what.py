"""What each happening does to every outstanding credential of a person, as one table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from tenantry.accounts import exchanges
from tenantry.foundation.call import Actor, Call
from tenantry.testing import Browser, Client, Installation
from tenantry.testing.installation import PASSWORD

NEW = "seven lanterns over the harbour"


@dataclass(frozen=True)
class Held:
    """All that a person can hold at once: three devices, one of them a browser, and a mailed link of each kind."""

    house: Installation
    this: Client
    other: Client
    browser: Browser
    reset: str
    change: str
    address: str

    async def alive(self) -> set[str]:
        """Which of it still works; each is tried once, what only looks before what changes something."""
        works = {
            "this access token": (await self.this.get("/v1/users/me")).status == 200,
            "other access token": (await self.other.get("/v1/users/me")).status == 200,
            "cookie": await self._is_let_in(),
            "address link": await self._follows_address_link(),
            "reset link": await self._follows_reset_link(),
        }
        return {name for name, holds in works.items() if holds}

    async def refreshes(self) -> set[str]:
        """Which refresh tokens still work."""
        devices = {"this refresh token": self.this, "other refresh token": self.other}
        return {name for name, device in devices.items() if await self._refreshed(device)}

    async def _is_let_in(self) -> bool:
        return (await self.browser.visit("/account/export")).path == "/account/export"

    async def _refreshed(self, device: Client) -> bool:
        body = {"refresh_token": device.tokens["refresh_token"]}
        return (await self.house.client.post("/v1/auth/refresh", body)).status == 200

    async def _follows_reset_link(self) -> bool:
        # a password that is too weak is refused after the link was found to be good, and leaves it so
        body = {"token": self.reset, "password": "password123456"}
        return (await self.house.client.post("/v1/auth/reset-password", body)).code == "weak_password"

    async def _follows_address_link(self) -> bool:
        # confirming needs a device of a person who may sign in, beside the link
        found = await self.house.rows(
            "select from tenantry.address_changes join tenantry.users on users.id = user_id"
            " where address_changes.email = $1 and confirmed_at is null and disabled_at is null",
            self.address,
        )
        return bool(found)


async def _held(house: Installation) -> Held:
    this = await house.person()
    address = f"next.{this.email}"
    login = await house.client.post("/v1/auth/login", {"email": this.email, "password": PASSWORD})
    other = house.client.signed_in(login.json)
    browser = await house.browser().visit("/account/login")
    await browser.submit(email=this.email, password=PASSWORD)
    await house.client.post("/v1/auth/forgot-password", {"email": this.email})
    reset = await house.mailed_token(this.email)
    await this.post("/v1/users/me/email", {"email": address})
    return Held(house, this, other, browser, reset, await house.mailed_token(address), address)


async def _reset(held: Held) -> None:
    body = {"token": held.reset, "password": NEW}
    assert (await held.house.client.post("/v1/auth/reset-password", body)).status == 200


async def _change_password(held: Held) -> None:
    body = {"password": PASSWORD, "new_password": NEW}
    assert (await held.this.post("/v1/users/me/password", body)).status == 204


async def _change_address(held: Held) -> None:
    assert (await held.this.post("/v1/users/me/email/confirmation", {"token": held.change})).status == 200


async def _log_in(held: Held) -> None:
    body = {"email": held.this.email, "password": PASSWORD}
    assert (await held.house.client.post("/v1/auth/login", body)).status == 200


async def _log_out(held: Held) -> None:
    assert (await held.this.post("/v1/auth/logout", {"scope": "local"})).status == 204


async def _log_out_others(held: Held) -> None:
    assert (await held.this.post("/v1/auth/logout", {"scope": "others"})).status == 204


async def _log_out_everywhere(held: Held) -> None:
    assert (await held.this.post("/v1/auth/logout", {"scope": "all"})).status == 204


async def _revoke_refresh_token(held: Held) -> None:
    body = {"token": held.other.tokens["refresh_token"]}
    assert (await held.house.client.post("/v1/auth/revoke", body)).status == 200


async def _disable(held: Held) -> None:
    await held.house.rows("update tenantry.users set disabled_at = tenantry.now() where email = $1", held.this.email)


async def _leave(held: Held) -> None:
    await held.browser.visit("/account/logout")
    await held.browser.submit()


async def _close(held: Held) -> None:
    assert (await held.this.post("/v1/users/me/closure", {"password": PASSWORD})).status == 200


async def _revoke_as_operator(held: Held) -> None:
    call = Call(held.house.runtime, Actor("cli"), "0123456789")
    assert await exchanges.sign_out(call, person=held.this.email) == 3


async def _reuse(held: Held) -> None:
    spent = held.other.tokens["refresh_token"]
    for _ in range(2):
        renewed = await held.house.client.post(
            "/v1/auth/refresh", {"refresh_token": held.other.tokens["refresh_token"]}
        )
        held.other.tokens.update(renewed.json)
    answer = await held.house.client.post("/v1/auth/refresh", {"refresh_token": spent})
    assert answer.code == "refresh_reused"


THIS, OTHER = {"this access token", "this refresh token"}, {"other access token", "other refresh token"}
LINKS, COOKIE = {"reset link", "address link"}, {"cookie"}
SURVIVES: dict[Callable[[Held], Awaitable[None]], set[str]] = {
    _reset: set(),
    _change_password: THIS,
    _change_address: THIS,
    _log_in: THIS | OTHER | COOKIE | {"address link"},
    _log_out: OTHER | COOKIE | LINKS,
    _log_out_others: THIS | LINKS,
    _log_out_everywhere: LINKS,
    _leave: THIS | OTHER | LINKS,
    _revoke_refresh_token: THIS | COOKIE | LINKS,
    _revoke_as_operator: LINKS,
    _reuse: THIS | COOKIE | LINKS,
    _close: THIS,
    _disable: set(),
}


@pytest.mark.parametrize("happening", SURVIVES, ids=lambda happening: happening.__name__.strip("_"))
async def test_what_survives(house: Installation, happening: Callable[[Held], Awaitable[None]]) -> None:
    held = await _held(house)
    assert await held.alive() | await held.refreshes() == THIS | OTHER | COOKIE | LINKS
    held = await _held(house)
    await happening(held)
    assert await held.alive() | await held.refreshes() == SURVIVES[happening]
