"""`tenantry doctor` on what is sold by Stripe: whether the key is taken, and whether notices can be believed."""

from __future__ import annotations

import json
import sys

import pytest
from billing_kit import environ, tiny_stripe

from commands import run
from tenantry.testing import Installation

NOTHING = {"object": "list", "data": [], "has_more": False, "url": "/v1/prices"}
WRONG_KEY = {"error": {"type": "invalid_request_error", "message": "Invalid API Key provided"}}


@pytest.mark.parametrize(
    ("status", "answer", "more", "state"),
    [
        (200, NOTHING, {}, "ok"),
        (200, NOTHING, {"TENANTRY_STRIPE_WEBHOOK_SECRETS": ""}, "deaf"),
        (401, WRONG_KEY, {}, "refused"),
        (503, {}, {}, "unreachable"),
    ],
)
async def test_the_doctor_asks_stripe(
    installation: Installation, status: int, answer: object, more: dict[str, str], state: str
) -> None:
    async with tiny_stripe() as stripe:
        stripe.has("prices", answer, status)
        done = await run(
            [sys.executable, "-m", "tenantry", "doctor", "--json"], installation, **environ(stripe.base) | more
        )
    told = json.loads(done.stdout)
    assert (done.returncode, told["checks"]["stripe"]) == (int(state != "ok"), state)
    assert ("stripe" in told["advice"]) == (state != "ok")
