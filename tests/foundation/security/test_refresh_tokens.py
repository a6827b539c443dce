"""A refresh token is read without a database, in one spelling only."""

from __future__ import annotations

import hmac
import random
import tracemalloc
import zlib
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry.foundation.security.keys import MasterKeys, new_master_key
from tenantry.foundation.security.onetime import OneTime
from tenantry.foundation.security.refresh import PREFIX, PURPOSE, Refresh, RefreshClaim
from tenantry.foundation.security.tokens import BadToken, Reason, from_base64url, to_base64url

OLD, NEW = new_master_key("old").reveal(), new_master_key("new").reveal()
before, during, after = (Refresh(MasterKeys.parse(text)) for text in (OLD, f"{NEW},{OLD}", NEW))
SESSION = UUID("01936a5c-0000-7000-8000-0000000000ff")
TOKEN = during.issue(SESSION, 7)


def refusal(text: str, reader: Refresh = during) -> Reason:
    with pytest.raises(BadToken) as refused:
        reader.read(text)
    assert text not in str(refused.value) or not text
    return refused.value.reason


def with_checksum(sealed: bytes) -> str:
    return PREFIX + to_base64url(sealed + zlib.crc32(sealed).to_bytes(4, "big"))


@given(st.uuids(), st.integers(0, 2**32 - 1))
def test_a_refresh_token_names_its_session_and_counter(session: UUID, counter: int) -> None:
    assert during.read(during.issue(session, counter)) == RefreshClaim(session, counter)


def test_the_same_generation_is_the_same_token() -> None:
    assert during.issue(SESSION, 7) == TOKEN
    assert during.issue(SESSION, 8) != TOKEN


def test_a_session_outlives_the_rotation_of_the_master_key_but_not_its_removal() -> None:
    old = before.issue(SESSION, 7)
    assert during.read(old) == RefreshClaim(SESSION, 7)
    assert refusal(old, after) is Reason.SIGNATURE


def test_another_counter_or_session_needs_another_mac() -> None:
    raw = from_base64url(TOKEN.removeprefix(PREFIX))
    for at in range(len(raw) - 4):
        forged = bytearray(raw[:-4])
        forged[at] ^= 1
        assert refusal(with_checksum(bytes(forged))) is Reason.SIGNATURE


def test_a_typing_error_is_told_from_a_forgery() -> None:
    swapped = TOKEN[:10] + ("A" if TOKEN[10] != "A" else "B") + TOKEN[11:]
    assert refusal(swapped) is Reason.CHECKSUM


@pytest.mark.parametrize(
    "text",
    [
        "",
        PREFIX,
        TOKEN[:-1],
        TOKEN + "A",
        TOKEN + "=",
        TOKEN + "\n",
        " " + TOKEN,
        TOKEN.upper(),
        TOKEN.swapcase(),
        TOKEN.removeprefix(PREFIX),
        "tnt_" + TOKEN[4:],
        TOKEN[:20] + "." + TOKEN[20:],
        TOKEN[:-1] + "é",
        TOKEN * 2,
        TOKEN[:-4] + "====",
        TOKEN[:20] + "+" + TOKEN[21:],
        TOKEN[:20] + "\0" + TOKEN[21:],
        "\ud800" * 59,
        "x" * 2**20,
        PREFIX + "A" * 55,
        PREFIX + "_" * 55,
    ],
)
def test_any_other_spelling_is_refused(text: str) -> None:
    refusal(text)


def test_loose_bits_at_the_end_are_refused() -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet.index(TOKEN[-1])
    for bits in (1, 2, 3):
        assert refusal(TOKEN[:-1] + alphabet[last | bits]) is Reason.MALFORMED


def test_a_giant_token_is_refused_without_being_decoded() -> None:
    giant = PREFIX + "A" * 2**20
    tracemalloc.start()
    assert refusal(giant) is Reason.MALFORMED
    assert tracemalloc.get_traced_memory()[1] < 64 * 1024
    tracemalloc.stop()


def test_a_genuine_token_of_a_later_format_is_refused() -> None:
    claim = b"\x02" + SESSION.bytes + (7).to_bytes(4, "big")
    assert refusal(with_checksum(claim + mac_of(claim))) is Reason.SIGNATURE
    known = b"\x01" + claim[1:]
    assert during.read(with_checksum(known + mac_of(known))).counter == 7


def mac_of(claim: bytes) -> bytes:
    return hmac.digest(MasterKeys.parse(NEW).derive(PURPOSE), claim, "sha256")[:16]


def test_ten_thousand_pieces_of_garbage_are_all_refused() -> None:
    source = random.Random(2)
    for _ in range(10_000):
        refusal(with_checksum(b"\x01" + source.randbytes(36)))


def test_a_one_time_token_is_no_refresh_token() -> None:
    refusal(OneTime(MasterKeys.parse(NEW)).issue("verify", uuid4(), 1))


def test_a_counter_past_the_format_is_an_error_and_not_a_wrong_token() -> None:
    with pytest.raises(OverflowError):
        during.issue(SESSION, 2**32)
