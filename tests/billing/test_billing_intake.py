"""What Stripe tells: known to be Stripe's before it is read, kept once with its job, answered at once."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from billing_kit import JSON, KEY, SECRET, SPARE, TinyStripe, event, notice, send, sign, subscription, tell
from prometheus_client import REGISTRY

from tenantry.foundation.domain import Registry
from tenantry.testing import Databases, Installation, installed

CHANGED = "customer.subscription.updated"


def _counted(how: str) -> float:
    return REGISTRY.get_sample_value("tenantry_billing_notices_total", {"how": how}) or 0.0


async def _kept(house: Installation) -> tuple[int, int]:
    [row] = await house.rows(
        "select (select count(*) from tenantry.stripe_notices) as notices,"
        " (select count(*) from tenantry.jobs where kind = 'billing.apply_notice') as jobs"
    )
    return row["notices"], row["jobs"]


def _told(**more: Any) -> dict[str, Any]:
    return event(CHANGED, subscription("sub_1", "cus_1"), **more)


async def test_what_stripe_tells_is_kept_with_its_job(billed: Installation) -> None:
    told = _told()
    answer = await tell(billed, told)
    assert (answer.status, answer.body) == (202, b"")
    row = await notice(billed, told)
    assert (row["type"], row["subject"], row["subject_id"], row["customer_id"]) == (
        CHANGED, "subscription", "sub_1", "cus_1",
    )  # fmt: skip
    assert (row["state"], row["api_version"], row["livemode"]) == ("waiting", "2026-10-28.endive", False)
    assert json.loads(row["payload"]) == told
    assert await _kept(billed) == (1, 1)


async def test_the_same_event_is_kept_once_however_often_and_how_close_it_comes(billed: Installation) -> None:
    told, before = _told(), _counted("repeated")
    answers = await asyncio.gather(*[tell(billed, told) for _ in range(20)])
    assert {answer.status for answer in answers} == {202}
    assert await _kept(billed) == (1, 1)
    assert _counted("repeated") == before + 19


async def test_each_of_several_secrets_opens(billing_house: Installation) -> None:
    kept = await _kept(billing_house)
    for secret in (SECRET, SPARE):
        assert (await tell(billing_house, _told(), secret=secret)).status == 202
    assert (await _kept(billing_house))[0] == kept[0] + 2


FORGED: list[Any] = [
    lambda body: None,
    lambda body: "",
    lambda body: sign(body, "whsec_somebody_elses"),
    lambda body: sign(body, ""),
    lambda body: sign(body, at=time.time() - 310),
    lambda body: sign(body, at=time.time() + 310),
    lambda body: sign(b" " + body),
    lambda body: sign(json.dumps(json.loads(body)).encode()),
    lambda body: sign(body).replace("v1=", "v0="),
]


@pytest.mark.parametrize("forge", FORGED)
async def test_what_is_forged_stale_or_written_anew_leaves_no_row(billing_house: Installation, forge: Any) -> None:
    kept = await _kept(billing_house)
    body = json.dumps(_told(), indent=2).encode()
    answer = await send(billing_house, body, forge(body))
    assert (answer.status, answer.json["code"]) == (400, "bad_signature")
    assert await _kept(billing_house) == kept


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"{", b'"x"', b'{"id":5}', b"\xff", b'{"id":"","type":"a"}'])
async def test_what_is_signed_and_no_event_is_refused(billing_house: Installation, body: bytes) -> None:
    kept = await _kept(billing_house)
    answer = await send(billing_house, body, sign(body))
    assert (answer.status, answer.json["code"]) == (400, "not_stripes")
    assert await _kept(billing_house) == kept


async def test_what_is_signed_and_cannot_be_kept_is_refused_or_let_go(billing_house: Installation) -> None:
    kept = await _kept(billing_house)
    told = json.dumps(_told())
    no_text = told.replace("{", '{"x": "\xff", ', 1).encode("latin-1")
    nul = json.dumps(_told() | {"id": "evt_\0"}).encode()
    nobodys = json.dumps(_told() | {"data": {"object": {"id": "in_\0", "object": "invoice"}}}).encode()
    for body, status in ((no_text, 400), (nul, 400), (nobodys, 202)):
        answer = await send(billing_house, body, sign(body))
        assert answer.status == status, (body, answer)
    assert await _kept(billing_house) == kept


async def test_what_is_too_long_is_refused_before_it_is_looked_at(billing_house: Installation) -> None:
    kept = await _kept(billing_house)
    body = json.dumps(_told(padding="x" * 1_100_000)).encode()
    assert (await send(billing_house, body, sign(body))).status == 413
    assert await _kept(billing_house) == kept


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("other_mode", _told(livemode=True)),
        ("other_account", _told(account="acct_1")),
        ("unknown_type", event("treasury.something_new", {"id": "x_1", "object": "x"})),
        ("unknown_type", event("invoice.upcoming", {"object": "invoice", "customer": "cus_1"})),
        ("unknown_type", event("charge.refunded", {"id": "ch_1", "object": "charge", "payment_intent": None})),
    ],
)
async def test_what_is_not_for_us_is_counted_and_let_go(
    billing_house: Installation, how: str, told: dict[str, Any]
) -> None:
    kept = await _kept(billing_house)
    before = _counted(how)
    assert (await tell(billing_house, told)).status == 202
    assert await _kept(billing_house) == kept
    assert _counted(how) == before + 1


async def test_a_live_key_takes_live_events_only(
    databases: Databases, registry: Registry, tmp_path: Path, tiny: TinyStripe
) -> None:
    environ = {
        "TENANTRY_STRIPE_API_BASE": tiny.base,
        "TENANTRY_STRIPE_SECRET_KEY": "sk_live_of_these_tests",
        "TENANTRY_STRIPE_WEBHOOK_SECRETS": SECRET,
    }
    async with (
        databases.fresh() as url,
        installed(url, tmp_path, registry=registry, environ=environ) as live,
    ):
        await tell(live, _told())
        await tell(live, _told(livemode=True))
        assert (await _kept(live))[0] == 1


@pytest.mark.parametrize("given", [{}, {"SECRET_KEY": KEY}, {"WEBHOOK_SECRETS": SECRET}])
async def test_without_a_key_and_a_secret_there_is_nothing_to_tell(
    databases: Databases, registry: Registry, tmp_path: Path, given: dict[str, str]
) -> None:
    environ = {f"TENANTRY_STRIPE_{name}": text for name, text in given.items()}
    async with (
        databases.fresh() as url,
        installed(url, tmp_path, registry=registry, environ=environ) as off,
    ):
        for secret in (SECRET, ""):
            answer = await tell(off, _told(), secret=secret)
            assert (answer.status, answer.json["code"]) == (404, "billing_off")
        assert await _kept(off) == (0, 0)


async def test_what_is_no_json_by_its_type_is_refused(billing_house: Installation) -> None:
    body = json.dumps(_told()).encode()
    headers = JSON | {"stripe-signature": sign(body), "content-type": "text/plain"}
    answer = await billing_house.client.request("POST", "/v1/stripe/webhook", data=body, headers=headers)
    assert answer.status == 415
