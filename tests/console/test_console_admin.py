"""The console's pages of operators, as somebody uses them who has a browser and nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tenantry.foundation.permission import OperatorRole
from tenantry.testing import Browser, Client, Installation
from tenantry.testing.installation import PASSWORD


async def _enter(house: Installation, role: OperatorRole = "admin", *, to: str = "/console/admin") -> Browser:
    """A browser that is let in as an operator of a role."""
    person = await house.person()
    await house.operator(role, person=person)
    browser = await house.browser().visit(to)
    return await browser.submit(button="Sign in", email=person.email, password=PASSWORD)


@pytest.fixture
async def ada(house: Installation) -> Client:
    """Somebody with an account and an organization, whom operators look after."""
    person = await house.person(name="Ada Lovelace")
    await person.post("/v1/orgs", {"name": "Analytical Engines"})
    return person


async def test_an_operator_comes_by_a_door_of_their_own_and_goes_where_they_wanted(house: Installation) -> None:
    browser = await _enter(house, to="/console/admin/people?q=ada")
    assert (browser.status, browser.path) == (200, "/console/admin/people?q=ada")
    [cookie] = [name for name in browser.cookies if name.endswith("-operator")]
    assert len(browser.cookies) == 1
    await browser.visit("/console/admin/logout")
    await browser.submit(button="Sign out as operator")
    assert "signed out as an operator" in browser.text
    assert not browser.cookies.get(cookie)
    await browser.visit("/console/admin/operators")
    assert browser.path.startswith("/console/admin/login?next=")


async def test_nobody_else_is_let_in(house: Installation, ada: Client) -> None:
    browser = await house.browser().sign_in(ada.email, PASSWORD)
    await browser.visit("/console/admin")
    assert browser.path.startswith("/console/admin/login")
    await browser.submit(button="Sign in", email=ada.email, password=PASSWORD)
    assert browser.status == 401
    assert "How it goes" not in browser.text
    operator = await _enter(house)
    await operator.visit("/console")
    assert operator.path.startswith("/account/login")


@pytest.mark.parametrize(
    "to", ["https://elsewhere.example", "//elsewhere.example", "/console/adminelsewhere", "/account"]
)
async def test_the_door_leads_nowhere_else(house: Installation, to: str) -> None:
    person = await house.person()
    await house.operator(person=person)
    browser = await house.browser().visit(f"/console/admin/login?next={to}")
    await browser.submit(button="Sign in", email=person.email, password=PASSWORD)
    assert browser.path == "/console/admin"


async def test_the_first_page_counts_who_came(house: Installation, ada: Client) -> None:
    await house.drain_consumers()
    browser = await _enter(house)
    assert "people signed up" in browser.text
    assert "People by day" in browser.text
    assert "data-plot" in browser.sheet.html
    await browser.visit("/console/admin?days=7")
    assert browser.status == 200
    await browser.visit("/console/admin?days=8")
    assert browser.status == 422


async def test_the_first_page_counts_what_is_paid(house: Installation) -> None:
    await house.drain_consumers()
    await house.rows(
        """
        insert into tenantry.insight_movements (org_id, generation, day, sort, currency, amount)
        values (gen_random_uuid(), 0, (tenantry.now() at time zone 'UTC')::date, 'new', 'eur', 2900) returning 1
        """
    )
    browser = await _enter(house)
    assert "EUR" in browser.text
    assert browser.text.count("29.00") == 2


async def test_one_search_finds_people_organizations_and_ids(house: Installation, ada: Client) -> None:
    browser = await _enter(house)
    await browser.submit(button="Find", q=ada.email)
    assert {"Ada Lovelace", "All people who are called so"} <= {*browser.sheet.links}
    await browser.visit("/console/admin/search?q=analytical")
    await browser.follow("Analytical Engines")
    assert "Ada Lovelace" in browser.sheet.links
    await browser.visit(f"/console/admin/search?q={ada.user_id}")
    assert browser.path == f"/console/admin/people/{ada.user_id}"
    await browser.visit("/console/admin/search?q=")
    assert "nothing" in browser.text
    await browser.visit("/console/admin/people/usr_01jd4w2q8nf6v9m3x5c7b1r0kt")
    assert browser.status == 404


async def test_a_person_is_kept_out_and_let_in(house: Installation, ada: Client) -> None:
    browser = await _enter(house, "support")
    await browser.visit(f"/console/admin/people/{ada.user_id}")
    await browser.submit(button="Keep them out", why="asked by the police", days="0")
    assert browser.status == 422
    assert (await ada.get("/v1/users/me")).status == 200
    await browser.submit(button="Keep them out", why="asked by the police of Vienna", days="3")
    assert "They are kept out." in browser.text
    assert (await ada.get("/v1/users/me")).status == 401
    told = (await (await house.operator()).get(f"/v1/admin/users/{ada.user_id}")).json
    assert told["disabled_why"] == "asked by the police of Vienna"
    left = datetime.fromisoformat(told["disabled_until"]) - house.runtime.clock.now()
    assert timedelta(days=2, hours=23) < left <= timedelta(days=3)
    await browser.visit("/console/admin/people?disabled=yes")
    await browser.follow("Ada Lovelace")
    await browser.submit(button="Let them in")
    assert "let in again" in browser.text
    assert (await house.client.post("/v1/auth/login", {"email": ada.email, "password": PASSWORD})).status == 200


async def test_a_person_is_helped(house: Installation, ada: Client) -> None:
    browser = await _enter(house, "support")
    await browser.visit(f"/console/admin/people/{ada.user_id}")
    await browser.submit(button="Mail a link for a new password")
    assert "sent a link" in browser.text
    assert await house.mailed_token(ada.email)
    await browser.submit(button="Sign out everywhere")
    assert "signed out of every device" in browser.text
    assert (await ada.get("/v1/users/me")).status == 401


async def test_an_organization_is_restricted_and_opened(house: Installation, ada: Client) -> None:
    org = (await ada.get("/v1/orgs")).json["items"][0]["id"]
    browser = await _enter(house)
    await browser.visit(f"/console/admin/orgs/{org}")
    await browser.submit(button="Let nothing be changed")
    assert "restricted" in browser.text
    assert (await ada.patch(f"/v1/orgs/{org}", {"name": "Other"})).code == "payment_needed"
    await browser.submit(button="Open it again")
    assert (await ada.patch(f"/v1/orgs/{org}", {"name": "Other"})).status == 200


async def test_what_a_role_may_not_is_neither_shown_nor_done(house: Installation, ada: Client) -> None:
    org = (await ada.get("/v1/orgs")).json["items"][0]["id"]
    viewer = await _enter(house)
    for place, button in (
        (f"people/{ada.user_id}", "Sign out everywhere"),
        (f"people/{ada.user_id}", "Keep them out"),
        (f"orgs/{org}", "Let nothing be changed"),
    ):
        await house.rows("update tenantry.operators set role = 'admin' returning 1")
        await viewer.visit(f"/console/admin/{place}")
        assert button in viewer.sheet.html
        # lowered since
        await house.rows("update tenantry.operators set role = 'viewer' returning 1")
        await viewer.submit(button=button, **({"why": "a reason"} if "Keep" in button else {}))
        assert viewer.status == 403
        assert button not in viewer.sheet.html
    assert (await ada.get("/v1/users/me")).status == 200


async def test_what_is_grave_asks_for_a_fresh_sign_in_and_leads_back(house: Installation, ada: Client) -> None:
    browser = await _enter(house)
    await browser.visit(f"/console/admin/people/{ada.user_id}")
    await house.rows("update tenantry.operator_sessions set proved_at = proved_at - interval '20 minutes' returning 1")
    await browser.submit(button="Keep them out", why="a reason")
    assert browser.path.startswith("/console/admin/login?next=")
    assert "nothing has been done yet" in browser.text
    assert (await ada.get("/v1/users/me")).status == 200


async def test_what_an_operator_looks_at_stands_in_the_audit_log(house: Installation, ada: Client) -> None:
    browser = await _enter(house)
    await browser.visit(f"/console/admin/people/{ada.user_id}")
    rows = await house.rows("select action from tenantry.audit_log where action like 'admin:person:%'")
    assert {row["action"] for row in rows} >= {"admin:person:looked_at"}


async def test_a_removed_operator_is_out_at_once(house: Installation) -> None:
    browser = await _enter(house)
    await house.rows("delete from tenantry.operators returning 1")
    await browser.visit("/console/admin/people")
    assert browser.path.startswith("/console/admin/login")
    await browser.submit(button="Sign in", email="nobody@example.com", password=PASSWORD)
    assert browser.status == 401
