"""Accounts as their clients see them."""

from __future__ import annotations

from tenantry.testing import Installation


async def test_a_person_registers_verifies_and_sees_themselves(installation: Installation) -> None:
    ada = await installation.person("ada@example.com", name="Ada Lovelace")
    me = await ada.get("/v1/users/me")
    assert me.status == 200
    assert me.json["email"] == "ada@example.com"
    assert me.json["name"] == "Ada Lovelace"
    assert me.headers["etag"] == '"v1"'
