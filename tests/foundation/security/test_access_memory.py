"""A genuine access token is remembered until it expires, no longer, and not in any number."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tenantry.foundation.security.access import Claims, Verifier, issue
from tenantry.foundation.security.signing import SigningKey, VerifyingKey
from tenantry.foundation.security.tokens import BadToken, Reason

NOW = 1_795_000_000
ISSUER, AUDIENCE = "https://app.example", "tenantry"
KEY, OTHER = SigningKey.generate(), SigningKey.generate()


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now: float = NOW

    def __call__(self) -> float:
        return self.now


def fresh(**changes: Any) -> Claims:
    claims = Claims.fresh(issuer=ISSUER, audience=AUDIENCE, subject="usr_1", session="ses_1", version=1, now=NOW)
    return msgspec.structs.replace(claims, **changes)


def refusal(text: str, by: Verifier) -> Reason:
    with pytest.raises(BadToken) as refused:
        by.verify(text)
    return refused.value.reason


class Counting(VerifyingKey):
    """A key that counts how often it was asked."""

    __slots__ = ("asked",)

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self.asked = 0

    def accepts(self, signature: bytes, message: bytes) -> bool:
        self.asked += 1
        return super().accepts(signature, message)


def counting(**rest: Any) -> tuple[Verifier, Counting, Clock]:
    key, clock = Counting(KEY.verifying.raw), Clock()
    return Verifier([key], issuer=ISSUER, audience=AUDIENCE, clock=clock, **rest), key, clock


def test_a_verified_token_is_not_verified_again_until_it_expires() -> None:
    by, key, clock = counting()
    claims = fresh(exp=NOW + 300)
    token = issue(claims, KEY)
    assert [by.verify(token) for _ in range(5)] == [claims] * 5
    assert key.asked == 1
    clock.now = NOW + 299.9
    by.verify(token)
    clock.now = NOW + 300
    assert refusal(token, by) is Reason.EXPIRED
    assert refusal(token, by) is Reason.EXPIRED


def test_what_was_refused_is_not_remembered_as_genuine() -> None:
    by, key, clock = counting()
    early = issue(fresh(nbf=NOW + 60, exp=NOW + 300), KEY)
    assert refusal(early, by) is Reason.NOT_YET
    clock.now = NOW + 61
    assert by.verify(early).sub == "usr_1"
    assert key.asked == 2


def test_the_oldest_of_too_many_remembered_tokens_is_forgotten() -> None:
    by, key, _ = counting(remembered=3)
    tokens = [issue(fresh(), KEY) for _ in range(4)]
    for token in tokens:
        by.verify(token)
    assert key.asked == 4
    for token in tokens[1:]:
        by.verify(token)
    assert key.asked == 4
    by.verify(tokens[0])
    assert key.asked == 5


def test_a_retired_key_is_refused_at_once_although_its_tokens_were_remembered() -> None:
    by = counting()[0]
    old = issue(fresh(), KEY)
    by.verify(old)
    by.replace_keys([OTHER.verifying, KEY.verifying])
    assert by.verify(old).sub == "usr_1"
    assert by.verify(issue(fresh(), OTHER)).sub == "usr_1"
    by.replace_keys([OTHER.verifying])
    assert refusal(old, by) is Reason.UNKNOWN_KEY


def test_without_keys_nothing_is_genuine() -> None:
    by = counting()[0]
    by.replace_keys([])
    assert refusal(issue(fresh(), KEY), by) is Reason.UNKNOWN_KEY
