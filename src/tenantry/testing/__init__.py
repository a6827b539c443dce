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
from tenantry.testing.matrix import MatrixFailed, MatrixReport, cross_tenant_matrix
from tenantry.testing.postgres import Databases
from tenantry.testing.schema import fate_faults, statement_faults, wall_faults
from tenantry.testing.scratch import scratch
from tenantry.testing.team import Team

__all__ = [
    "Browser",
    "Client",
    "Databases",
    "HandClock",
    "Installation",
    "MatrixFailed",
    "MatrixReport",
    "Response",
    "Team",
    "cross_tenant_matrix",
    "fate_faults",
    "installed",
    "scratch",
    "statement_faults",
    "wall_faults",
]
