"""Organizations: founded, named, read and renamed by those who belong to them."""

from __future__ import annotations

import asyncio

import pytest

from tenantry.foundation.data.ids import USER_ID
from tenantry.orgs.models import RESERVED, SLUG, SLUGS_KEPT
from tenantry.testing import Client, Installation


async def _founded(person: Client, name: str = "Acme", **more: str) -> dict[str, str]:
    answer = await person.post("/v1/orgs", {"name": name} | more)
    assert answer.status == 201, answer.body
    founded: dict[str, str] = answer.json
    return founded


async def test_whoever_founds_an_organization_owns_it(house: Installation) -> None:
    ada = await house.person()
    founded = await _founded(ada, "Acme Widgets")
    assert founded["role"] == "owner"
    assert founded["slug"].startswith("acme-widgets")
    assert founded["closes_at"] is None
    assert (await ada.get(f"/v1/orgs/{founded['id']}")).json == founded
    assert (await ada.get("/v1/orgs")).json == {"items": [founded], "next": None}
    [member] = (await ada.get(f"/v1/orgs/{founded['id']}/members")).json["items"]
    assert (member["user_id"], member["email"], member["role"]) == (ada.user_id, ada.email, "owner")


async def test_what_happened_is_recorded_in_the_organization(house: Installation) -> None:
    ada = await house.person()
    founded = await _founded(ada)
    created = [one for one in await house.recorded("orgs.org_created") if one["user_id"] == _uuid(ada.user_id)]
    assert [one["slug"] for one in created] == [founded["slug"]]
    rows = await house.rows("select org_id from tenantry.events where kind = 'orgs.member_joined' and org_id is null")
    assert rows == []


def _uuid(text: str) -> str:
    return str(USER_ID.read(text))


async def test_a_slug_is_one_organizations_alone(house: Installation) -> None:
    ada, bob = await house.person(), await house.person()
    await _founded(ada, slug="only-mine")
    answer = await bob.post("/v1/orgs", {"name": "Other", "slug": "only-mine"})
    assert (answer.status, answer.code) == (409, "slug_taken")
    assert (await bob.get("/v1/orgs")).json["items"] == []


async def test_without_a_slug_two_of_a_name_get_two(house: Installation) -> None:
    ada = await house.person()
    slugs = {(await _founded(ada, "Twins"))["slug"] for _ in range(3)}
    assert len(slugs) == 3
    assert all(SLUG.fullmatch(slug) for slug in slugs)


@pytest.mark.parametrize("name", ["Admin", "東京", "x", "!!!", "A" * 120, "-a--b-", "Ünï cödé"])
async def test_every_name_makes_a_good_slug(house: Installation, name: str) -> None:
    founded = await _founded(await house.person(), name)
    assert SLUG.fullmatch(founded["slug"])
    assert founded["slug"] not in RESERVED


@pytest.mark.parametrize(
    "slug", ["ab", "-abc", "abc-", "a--b", "Abc", "a_b", "a.b", "admin", "www", "x" * 41, "", "ä-b", "abc\n", "a b c"]
)
async def test_a_bad_slug_is_refused_and_nothing_stored(house: Installation, slug: str) -> None:
    ada = await house.person()
    answer = await ada.post("/v1/orgs", {"name": "Acme", "slug": slug})
    assert answer.status == 422
    assert answer.json["errors"][0]["at"] == "body.slug"
    assert (await ada.get("/v1/orgs")).json["items"] == []


async def test_an_organization_is_renamed_and_still_found_by_what_it_was_called(house: Installation) -> None:
    ada = await house.person()
    founded = await _founded(ada, slug="first-name")
    path = f"/v1/orgs/{founded['id']}"
    renamed = await ada.patch(path, {"name": "New", "slug": "second-name"})
    assert (renamed.json["name"], renamed.json["slug"]) == ("New", "second-name")
    for slug in ("first-name", "second-name"):
        assert (await ada.get(f"/v1/orgs?slug={slug}")).json["items"] == [renamed.json]
    assert (await ada.get("/v1/orgs?slug=third-name")).json["items"] == []
    back = await ada.patch(path, {"slug": "first-name"})
    assert back.json["slug"] == "first-name"


async def test_an_earlier_slug_is_not_free_for_others_until_it_is_an_old_one(house: Installation) -> None:
    ada, bob = await house.person(), await house.person()
    path = f"/v1/orgs/{(await _founded(ada, slug='old-0'))['id']}"
    for number in range(1, SLUGS_KEPT):
        assert (await ada.patch(path, {"slug": f"old-{number}"})).status == 200
    assert (await bob.post("/v1/orgs", {"name": "Bob", "slug": "old-0"})).code == "slug_taken"
    assert (await ada.patch(path, {"slug": "old-last"})).status == 200
    assert (await bob.post("/v1/orgs", {"name": "Bob", "slug": "old-0"})).status == 201
    assert (await ada.patch(path, {"slug": "old-0"})).code == "slug_taken"


async def test_of_two_who_rename_by_the_same_version_one_is_told(house: Installation) -> None:
    ada = await house.person()
    founded = await ada.post("/v1/orgs", {"name": "Acme"})
    path = f"/v1/orgs/{founded.json['id']}"
    match = {"if-match": (await ada.get(path)).headers["etag"]}
    answers = await asyncio.gather(*(ada.patch(path, {"name": f"Acme {one}"}, headers=match) for one in range(5)))
    assert sorted(answer.status for answer in answers) == [200, 412, 412, 412, 412]


async def test_lists_go_on_where_they_ended(house: Installation) -> None:
    ada = await house.person()
    names = [f"Org {number:02}" for number in range(7)]
    for name in names:
        await _founded(ada, name)
    for order, expected in (("name", names), ("-created_at", names[::-1])):
        seen: list[str] = []
        after = ""
        while True:
            page = (await ada.get(f"/v1/orgs?limit=3&order={order}{after}")).json
            seen += [one["name"] for one in page["items"]]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
        assert seen == expected


async def test_what_is_foreign_and_what_is_unknown_look_the_same(house: Installation) -> None:
    ada, eve = await house.person(), await house.person()
    founded = await _founded(ada)
    unknown = "org_01jd4w2q8nf6v9m3x5c7b1r0kt"
    for org in (founded["id"], unknown, "org_nonsense", "usr_01jd4w2q8nf6v9m3x5c7b1r0kt"):
        for method, path in (("GET", ""), ("PATCH", ""), ("GET", "/members"), ("DELETE", "/members/me")):
            body = {"name": "Mine"} if method == "PATCH" else None
            answer = await eve.request(method, f"/v1/orgs/{org}{path}", body=body)
            assert (answer.status, answer.code) == (404, "not_found"), (method, path, org)
