"""Tokens bound to one organization: what they open, what refreshing keeps, and what is dropped when it is lost."""

from __future__ import annotations

import base64
import json
from typing import Any

from tenantry.testing import Client, Installation


async def _org(person: Client, name: str = "Acme") -> str:
    return str((await person.post("/v1/orgs", {"name": name})).json["id"])


async def _switched(person: Client, org: str | None) -> Client:
    answer = await person.post("/v1/auth/switch-org", {"org": org})
    assert answer.status == 200, answer.body
    return person.signed_in(person.tokens | {"access_token": answer.json["access_token"]})


async def _refreshed(house: Installation, person: Client) -> Client:
    answer = await house.client.post("/v1/auth/refresh", {"refresh_token": person.tokens["refresh_token"]})
    assert answer.status == 200
    return person.signed_in(answer.json)


def _claims(person: Client) -> dict[str, Any]:
    body = str(person.tokens["access_token"]).split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims


async def test_a_bound_token_opens_its_organization_and_ones_own_account_and_no_other(house: Installation) -> None:
    ada = await house.person()
    one, two = await _org(ada, "One"), await _org(ada, "Two")
    bound = await _switched(ada, one)
    assert (_claims(bound)["org"], _claims(bound)["role"]) == (one, "owner")
    assert (await bound.get(f"/v1/orgs/{one}")).status == 200
    assert (await bound.get("/v1/users/me")).status == 200
    assert {org["id"] for org in (await bound.get("/v1/orgs")).json["items"]} == {one, two}
    for path in ("", "/members"):
        assert (await bound.get(f"/v1/orgs/{two}{path}")).code == "not_found"
    assert (await ada.get(f"/v1/orgs/{two}")).status == 200, "an unbound one opens all"


async def test_refreshing_keeps_what_was_chosen(house: Installation) -> None:
    ada = await house.person()
    one, two = await _org(ada, "One"), await _org(ada, "Two")
    bound = await _refreshed(house, await _switched(ada, one))
    assert _claims(bound)["org"] == one
    other = await _refreshed(house, await _switched(bound, two))
    assert _claims(other)["org"] == two
    free = await _refreshed(house, await _switched(other, None))
    assert _claims(free)["org"] is None
    assert _claims(free)["role"] is None


async def test_an_organization_that_was_lost_is_dropped_at_the_refresh(house: Installation) -> None:
    ada = await house.person()
    kept, lost = await _org(ada, "Kept"), await _org(ada, "Lost")
    bound = await _switched(ada, lost)
    await house.rows("delete from tenantry.orgs where name = 'Lost'")
    assert (await bound.get(f"/v1/orgs/{lost}")).code == "not_found"
    free = await _refreshed(house, bound)
    assert _claims(free)["org"] is None
    assert (await free.get(f"/v1/orgs/{kept}")).status == 200


async def test_nobody_is_bound_to_what_is_not_theirs(house: Installation) -> None:
    ada, eve = await house.person(), await house.person()
    org = await _org(ada)
    for named in (org, "org_01jd4w2q8nf6v9m3x5c7b1r0kt", "org_x"):
        answer = await eve.post("/v1/auth/switch-org", {"org": named})
        assert answer.status in {404, 422}
        assert b"access_token" not in answer.body
    assert (await eve.post("/v1/auth/switch-org", {"org": org})).code == "not_found"
    assert _claims(await _refreshed(house, eve))["org"] is None


async def test_a_refresh_that_lost_its_answer_gets_the_same_binding_again(house: Installation) -> None:
    ada = await house.person()
    bound = await _switched(ada, await _org(ada))
    first, second = await _refreshed(house, bound), await _refreshed(house, bound)
    assert _claims(first)["org"] == _claims(second)["org"] is not None
