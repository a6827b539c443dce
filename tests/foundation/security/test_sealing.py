"""What is sealed opens where it was put, under any master key that is still there, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry.foundation.security.keys import MasterKeys, new_master_key
from tenantry.foundation.security.sealing import SealBroken, Sealer, SealFault, place

OLD, NEW = new_master_key("old").reveal(), new_master_key("new").reveal()
before, during, after = (Sealer(MasterKeys.parse(text)) for text in (OLD, f"{NEW},{OLD}", NEW))
HERE = place("webhooks", "secret", org="org_1", row="whk_1")


@given(st.binary(max_size=300))
def test_what_is_sealed_opens_again(plain: bytes) -> None:
    assert during.open(during.seal(plain, aad=HERE), aad=HERE) == plain


def test_the_same_value_sealed_twice_differs_and_shows_nothing() -> None:
    blobs = {during.seal(b"canary-77", aad=HERE) for _ in range(50)}
    assert len(blobs) == 50
    assert not [blob for blob in blobs if b"canary" in blob]


@pytest.mark.parametrize(
    "there",
    [
        place("webhooks", "secret", org="org_1", row="whk_2"),
        place("webhooks", "secret", org="org_2", row="whk_1"),
        place("webhooks", "other", org="org_1", row="whk_1"),
        place("api_keys", "secret", org="org_1", row="whk_1"),
        place("webhooks", "secret", org=None, row="whk_1"),
    ],
)
def test_a_sealed_value_moved_elsewhere_does_not_open(there: str) -> None:
    blob = during.seal(b"x", aad=HERE)
    with pytest.raises(SealBroken) as refusal:
        during.open(blob, aad=there)
    assert refusal.value.fault is SealFault.ALTERED


def test_any_changed_bit_and_any_cut_is_noticed() -> None:
    blob = during.seal(b"value", aad=HERE)
    for bit in range(len(blob) * 8):
        changed = bytearray(blob)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SealBroken):
            during.open(bytes(changed), aad=HERE)
    for size in range(len(blob)):
        with pytest.raises(SealBroken):
            during.open(blob[:size], aad=HERE)


def test_a_value_cannot_be_passed_off_as_sealed_under_another_key() -> None:
    same = new_master_key("a").reveal()
    ring = Sealer(MasterKeys.parse(f"{same},b:{same.partition(':')[2]}"))
    blob = bytearray(ring.seal(b"x", aad=HERE))
    blob[2:3] = b"b"
    with pytest.raises(SealBroken):
        ring.open(bytes(blob), aad=HERE)


def test_a_rotated_master_key_opens_old_values_and_names_those_to_seal_again() -> None:
    blob = before.seal(b"x", aad=HERE)
    assert during.open(blob, aad=HERE) == b"x"
    assert during.needs_reseal(blob)
    again = during.seal(during.open(blob, aad=HERE), aad=HERE)
    assert not during.needs_reseal(again)
    assert after.open(again, aad=HERE) == b"x"
    with pytest.raises(SealBroken) as refusal:
        after.open(blob, aad=HERE)
    assert refusal.value.fault is SealFault.UNKNOWN_KEY


def test_two_places_are_never_spelled_alike() -> None:
    with pytest.raises(ValueError, match=r"\|"):
        place("a|b", "c", org=None, row=1)
    assert place("a", "b", org=None, row=1) == "a|b||1"
