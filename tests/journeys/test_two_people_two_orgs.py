"""Two people, two organizations: invited, accepted, switched, promoted, handed on, removed, and refused at once."""

from __future__ import annotations

from typing import Any

from tenantry.testing import Client, Installation


async def _done(answer: Any, status: int = 200) -> Any:
    assert answer.status == status, answer
    return answer.json if answer.body else None


async def _org(person: Client, name: str) -> str:
    return str((await _done(await person.post("/v1/orgs", {"name": name}), 201))["id"])


async def _set_role(by: Client, org: str, whose: Client, role: str) -> Any:
    path = f"/v1/orgs/{org}/members/{whose.user_id}"
    tag = (await by.get(path)).headers["etag"]
    return await by.patch(path, {"role": role}, headers={"if-match": tag})


async def _switched(person: Client, org: str | None) -> Client:
    token = (await _done(await person.post("/v1/auth/switch-org", {"org": org})))["access_token"]
    return person.signed_in(person.tokens | {"access_token": token})


async def test_two_people_and_two_organizations(house: Installation) -> None:
    ada, bob = await house.person("ada@two.example", name="Ada"), await house.person("bob@two.example", name="Bob")
    acme, beta = await _org(ada, "Acme"), await _org(bob, "Beta")
    assert (await bob.get(f"/v1/orgs/{acme}")).code == "not_found"

    # invited by mail, accepted by the mailed token alone
    invite = await _done(await ada.post(f"/v1/orgs/{acme}/invites", {"email": bob.email, "role": "member"}), 201)
    assert "token" not in invite
    token = await house.mailed_token(bob.email)
    joined = await _done(await bob.post("/v1/invites/acceptance", {"token": token}))
    assert joined == {"org": acme, "role": "member"}
    assert {one["id"] for one in (await _done(await bob.get("/v1/orgs")))["items"]} == {acme, beta}

    # switched: the token opens one of them and not the other
    in_acme = await _switched(bob, acme)
    assert (await in_acme.get(f"/v1/orgs/{acme}/members")).status == 200
    assert (await in_acme.get(f"/v1/orgs/{beta}")).code == "not_found"
    assert (await _set_role(in_acme, acme, ada, "member")).code == "forbidden"

    # promoted: holds for the next request of the same token
    await _done(await _set_role(ada, acme, bob, "admin"))
    invite_path = f"/v1/orgs/{acme}/invites"
    await _done(await in_acme.post(invite_path, {"email": "cleo@two.example", "role": "member"}), 201)
    assert (await in_acme.post(invite_path, {"email": "dan@two.example", "role": "owner"})).code == "above_you"

    # handed on: the old owner is an admin, and cannot take it back
    await _done(await ada.post(f"/v1/orgs/{acme}/ownership-transfer", {"user_id": bob.user_id}))
    assert (await _done(await ada.get(f"/v1/orgs/{acme}")))["role"] == "admin"
    assert (await ada.post(f"/v1/orgs/{acme}/ownership-transfer", {"user_id": ada.user_id})).code == "forbidden"

    # removed: refused at once, with every credential; elsewhere nothing changes
    in_acme_as_ada = await _switched(ada, acme)
    await _done(await in_acme.delete(f"/v1/orgs/{acme}/members/{ada.user_id}"), 204)
    for who in (ada, in_acme_as_ada):
        assert (await who.get(f"/v1/orgs/{acme}")).code == "not_found"
    refreshed = await _done(await house.client.post("/v1/auth/refresh", {"refresh_token": ada.tokens["refresh_token"]}))
    assert (await ada.signed_in(refreshed).get(f"/v1/orgs/{acme}/members")).code == "not_found"
    assert (await ada.get("/v1/users/me")).status == 200
    assert (await bob.get(f"/v1/orgs/{beta}")).status == 200
    told = {event["user_id"] for event in await house.recorded("orgs.member_left")}
    assert len(told) == 1
