"""Invoices: what an organization was billed, the newest first, page by page, and nobody else's."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from billing_kit import org_uuid
from selling_kit import Shop

from tenantry.testing import Installation, Team

BILLED = """
    insert into tenantry.invoices
           (org_id, id, customer_id, number, status, currency, total, amount_due, amount_paid, amount_remaining,
            attempts, created_at, refunded, disputed, fetched, paid_with)
    values ($1, $2, 'cus_1', $2, $3, 'eur', 1200, 1200, 1200, 0, 1, $4, 0, false, 1, 1)
 returning id
"""
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_numbers = itertools.count(1)


async def _billed(house: Installation, team: Team, months: int, status: str = "paid") -> list[str]:
    """So many invoices of an organization, two of them always at the same moment; the newest first."""
    made = []
    for month in range(months):
        id_ = f"in_{next(_numbers):04}"
        await house.rows(BILLED, org_uuid(team), id_, status, BEGAN + timedelta(days=30 * (month // 2)))
        made.insert(0, id_)
    return made


async def test_what_was_paid_is_an_invoice_with_stripes_pages(shop: Shop) -> None:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "business")
    answer = await team.admin.get(f"{team.path}/billing/invoices")
    assert (answer.status, answer.json["next"]) == (200, None)
    [invoice] = answer.json["items"]
    [told] = shop.at_stripe("invoice")
    assert (invoice["id"], invoice["number"], invoice["status"]) == (told["id"], told["number"], "paid")
    assert (invoice["total"], invoice["amount_paid"], invoice["currency"]) == (9900, 9900, "eur")
    assert (invoice["refunded"], invoice["disputed"]) == (0, False)
    assert (invoice["hosted_url"], invoice["pdf_url"]) == (told["hosted_invoice_url"], told["invoice_pdf"])
    assert invoice["paid_at"] is not None


async def test_they_are_read_page_by_page_the_newest_first(house: Installation) -> None:
    team = await house.team()
    made = await _billed(house, team, 7)
    seen, after = [], ""
    while True:
        answer = await team.owner.get(f"{team.path}/billing/invoices?limit=3{after}")
        assert answer.status == 200, answer
        seen += [one["id"] for one in answer.json["items"]]
        if answer.json["next"] is None:
            break
        after = f"&after={answer.json['next']}"
    assert seen == made


async def test_a_cursor_is_good_for_who_got_it_only(house: Installation) -> None:
    team = await house.team()
    await _billed(house, team, 3)
    after = (await team.owner.get(f"{team.path}/billing/invoices?limit=1")).json["next"]
    other = await team.admin.get(f"{team.path}/billing/invoices?after={after}")
    assert (other.status, other.code) == (400, "bad_cursor")


async def test_a_draft_is_no_invoice_yet(house: Installation) -> None:
    team = await house.team()
    await _billed(house, team, 1, "draft")
    assert (await team.owner.get(f"{team.path}/billing/invoices")).json == {"items": [], "next": None}


async def test_nobody_sees_those_of_another_organization(house: Installation) -> None:
    mine, others = await house.team(), await house.team()
    await _billed(house, others, 2)
    assert (await mine.owner.get(f"{mine.path}/billing/invoices")).json["items"] == []
    assert (await mine.owner.get(f"{others.path}/billing/invoices")).status == 404
    refused = await others.member.get(f"{others.path}/billing/invoices")
    assert (refused.status, refused.json["permission"]) == (403, "billing:read")
