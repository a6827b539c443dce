"""An organization with one of everything, and names that would break out of any page which shows them as they are."""

from __future__ import annotations

from tenantry.testing import Client, Installation

POLYGLOT = "'\"/*`--></title></textarea></script><svg onload=alert(1)>javascript:{{7*7}}"


async def badly_named(house: Installation) -> tuple[Client, dict[str, str]]:
    """Its owner, who is an operator as well, and what the console's paths name of it: the ids by their places."""
    owner = await house.person(name=POLYGLOT)
    org = (await owner.post("/v1/orgs", {"name": POLYGLOT})).json["id"]
    await owner.post(f"/v1/orgs/{org}/invites", {"email": "new@badly-named.example", "role": "member"})
    made = await owner.post(f"/v1/orgs/{org}/api-keys", {"name": POLYGLOT, "scopes": ["members:read"]})
    hook = {"url": "https://1.1.1.1/hooks", "description": POLYGLOT}
    endpoint = (await owner.post(f"/v1/orgs/{org}/webhook-endpoints", hook)).json["id"]
    await owner.patch(f"/v1/orgs/{org}", {"name": POLYGLOT + "!"})
    await house.drain_consumers()
    told = await owner.get(f"/v1/orgs/{org}/webhook-endpoints/{endpoint}/deliveries")
    delivery = told.json["items"][0]["id"]
    await house.operator(person=owner)
    ids = {"org": org, "key": made.json["id"], "endpoint": endpoint, "delivery": delivery, "user": owner.user_id}
    return owner, ids
