"""Ids say what they name, have one spelling, and sort by when they were made."""

from __future__ import annotations

import tracemalloc
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry.foundation.data.ids import SESSION_ID, USER_ID, IdKind, new_id

UUIDS = st.uuids()


@given(UUIDS)
def test_an_id_is_read_back_from_its_text(value: UUID) -> None:
    text = USER_ID.text(value)
    assert USER_ID.read(text) == value
    assert len(text) == len("usr_") + 26
    assert text == text.lower()


@given(UUIDS)
def test_an_id_of_another_kind_is_none(value: UUID) -> None:
    assert SESSION_ID.read(USER_ID.text(value)) is None


@given(UUIDS, st.integers(0, 29), st.sampled_from("0123456789abcdefghijklmnopqrstuvwxyzABCILOU_- é"))
def test_each_text_names_one_id_and_each_id_has_one_text(value: UUID, at: int, letter: str) -> None:
    text = USER_ID.text(value)
    changed = text[:at] + letter + text[at + 1 :]
    read = USER_ID.read(changed)
    assert read is None or USER_ID.text(read) == changed
    assert changed == text or read != value


@given(st.text(max_size=40))
def test_any_other_text_is_no_id(text: str) -> None:
    read = USER_ID.read(text)
    assert read is None or USER_ID.text(read) == text


def test_ids_are_distinct_and_sort_by_their_making() -> None:
    made = [new_id() for _ in range(1000)]
    assert len(set(made)) == 1000
    assert made == sorted(made)
    texts = [USER_ID.text(value) for value in made]
    assert texts == sorted(texts)
    assert {value.version for value in made} == {7}


def test_the_text_is_that_of_the_published_standard() -> None:
    # the example of the TypeID specification
    value = UUID("01893726-efee-7f02-8fbf-9f2b7bc2f910")
    assert IdKind("prefix").text(value) == "prefix_01h4vjdvzefw18zfwz5dxw5y8g"


@pytest.mark.parametrize("text", ["", "usr", "usr_", "usr__" + "0" * 25, "usr_8" + "0" * 25, "usr_" + "0" * 26 + "\n"])
def test_what_is_nearly_an_id_is_none(text: str) -> None:
    assert USER_ID.read(text) is None


def test_a_text_that_is_too_long_for_an_id_is_not_kept_in_mind() -> None:
    tracemalloc.start()
    try:
        assert all(USER_ID.read(f"usr_{number}{'0' * 1_000_000}") is None for number in range(20))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 3_000_000
