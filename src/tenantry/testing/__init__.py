"""The public test kit: an installation of one's own for each test, clients that speak to it, people in it.

async def test_me(installation):
    ada = await installation.person()
    assert (await ada.get("/v1/users/me")).json["email"] == ada.email
"""

from __future__ import annotations

from tenantry.testing.browser import Browser
from tenantry.testing.client import Client, Response
from tenantry.testing.clock import HandClock
from tenantry.testing.installation import Installation, installed
from tenantry.testing.postgres import Databases

__all__ = ["Browser", "Client", "Databases", "HandClock", "Installation", "Response", "installed"]
