"""A mailed link's token is derived, bound to its purpose, row and generation, and refused when malformed."""

from __future__ import annotations

import re
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry.foundation.security.keys import MasterKeys, new_master_key
from tenantry.foundation.security.onetime import OneTime
from tenantry.foundation.security.tokens import BadToken

OLD, NEW = new_master_key("old").reveal(), new_master_key("new").reveal()
before, during, after = (OneTime(MasterKeys.parse(text)) for text in (OLD, f"{NEW},{OLD}", NEW))
ROW = UUID("01936a5c-0000-7000-8000-0000000000ff")
TOKEN = during.issue("verify", ROW, 3)


@given(st.uuids(), st.integers(0, 2**63), st.sampled_from(["verify", "reset", "invite"]))
def test_a_token_names_its_row_and_is_genuine(row: UUID, generation: int, purpose: str) -> None:
    text = during.issue(purpose, row, generation)
    assert during.read(text) == row
    assert during.verify(purpose, row, generation, text)


@given(st.uuids())
def test_a_token_survives_being_a_link(row: UUID) -> None:
    text = during.issue("reset", row, 1)
    assert len(text) == 66
    assert re.fullmatch(r"[A-Za-z0-9_.-]+[A-Za-z0-9]", text), "a mail program would cut its end off"


def test_asking_again_gives_the_same_link() -> None:
    assert during.issue("verify", ROW, 3) == TOKEN


@pytest.mark.parametrize(
    ("purpose", "row", "generation"),
    [("reset", ROW, 3), ("verify", uuid4(), 3), ("verify", ROW, 4), ("verify", ROW, 2), ("verify|", ROW, 3)],
)
def test_a_token_is_for_one_purpose_row_and_generation(purpose: str, row: UUID, generation: int) -> None:
    assert not during.verify(purpose, row, generation, TOKEN)


def test_one_rows_token_under_another_rows_name_is_refused() -> None:
    other = uuid4()
    spliced = during.issue("verify", other, 3).partition(".")[0] + TOKEN[22:]
    assert during.read(spliced) == other
    assert not during.verify("verify", other, 3, spliced)


def test_a_mailed_link_outlives_the_rotation_of_the_master_key_but_not_its_removal() -> None:
    link = before.issue("verify", ROW, 3)
    assert during.verify("verify", ROW, 3, link)
    assert not after.verify("verify", ROW, 3, link)
    assert not before.verify("verify", ROW, 3, TOKEN)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "x" * 66,
        TOKEN[:-1],
        TOKEN + "A",
        TOKEN + "=",
        " " + TOKEN,
        TOKEN + "\n",
        TOKEN.replace(".", ":"),
        TOKEN[:-1] + "é",
        TOKEN[:30] + "\0" + TOKEN[31:],
        TOKEN[:30] + "+" + TOKEN[31:],
        "%00" * 22,
        "." * 66,
        TOKEN * 9,
        TOKEN[:21] + "B" + TOKEN[22:],
        TOKEN[:-1] + chr(ord(TOKEN[-1]) + 1),
        "\ud800" * 66,
    ],
)
def test_a_malformed_token_is_refused_before_its_row_is_looked_up(text: str) -> None:
    with pytest.raises(BadToken) as refusal:
        during.read(text)
    assert TOKEN[:10] not in str(refusal.value)
    assert not during.verify("verify", ROW, 3, text)


def test_every_changed_character_is_noticed() -> None:
    for at in range(len(TOKEN)):
        for other in "A9_-":
            text = TOKEN[:at] + other + TOKEN[at + 1 :]
            assert text == TOKEN or not during.verify("verify", ROW, 3, text)
