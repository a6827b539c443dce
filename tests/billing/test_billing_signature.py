"""Whether something was said by Stripe, and just now."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from billing_kit import sign

from tenantry.billing.models import TOLERANCE, signed
from tenantry.foundation.security.secret import Secret

SECRET, BODY = "whsec_test_secret", b'{"id":"evt_test_1","object":"event"}'
AT = 1_700_000_000
VECTOR = f"t={AT},v1=29ab30b7065c11b28e53ac114fac5d6c492ed811a12d11ed2c2aad5bb4cf9809"


def _signed(header: str, body: bytes = BODY, *secrets: str, at: float = AT) -> bool:
    given = tuple(Secret(one.encode()) for one in secrets or (SECRET,))
    return signed(body, header, given, datetime.fromtimestamp(at, UTC))


def test_a_signature_that_was_computed_elsewhere_is_taken() -> None:
    assert _signed(VECTOR)


@pytest.mark.parametrize("seconds", [-TOLERANCE, -1, 0, 1, TOLERANCE])
def test_clocks_may_differ_a_little_either_way(seconds: int) -> None:
    assert _signed(VECTOR, at=AT + seconds)


@pytest.mark.parametrize("seconds", [-TOLERANCE - 1, TOLERANCE + 1, 86_400, -86_400])
def test_what_was_signed_long_ago_or_ahead_is_refused(seconds: int) -> None:
    assert not _signed(VECTOR, at=AT + seconds)


def test_any_of_several_secrets_and_any_of_several_signatures_will_do() -> None:
    assert _signed(VECTOR, BODY, "whsec_of_before_this", SECRET)
    assert _signed(VECTOR.replace(",v1=", ",v1=00,v0=11,v1="))


@pytest.mark.parametrize(
    "header",
    [
        "",
        VECTOR.replace("v1=", "v0="),
        VECTOR.replace("v1=2", "v1=3"),
        VECTOR.replace(f"t={AT}", f"t={AT + 1}"),
        VECTOR.replace(f"t={AT},", ""),
        f"t={AT + 1}," + VECTOR,
        VECTOR.replace(f"t={AT}", "t=9" * 40),
        VECTOR.replace(f"t={AT}", f"t={AT}.0"),
        VECTOR.replace(f"t={AT}", "t=\N{SUPERSCRIPT TWO}"),
        VECTOR + "," + "v1=00," * 1000,
        f"t={AT},v1=",
    ],
)
def test_what_is_no_signature_of_ours_is_refused(header: str) -> None:
    assert not _signed(header)


def test_a_body_that_was_written_anew_is_another_one() -> None:
    assert not _signed(VECTOR, b'{"id": "evt_test_1", "object": "event"}')


def test_nothing_is_signed_with_an_empty_secret_or_with_none() -> None:
    forged = sign(BODY, "", AT)
    assert not _signed(forged, BODY, "")
    assert not signed(BODY, forged, (), datetime.fromtimestamp(AT, UTC))
