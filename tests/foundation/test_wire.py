"""Input becomes strict shapes or a refusal that names each fault: quickly, whatever the input is."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Meta

from tenantry.foundation.problems import FieldError, Invalid, Malformed, Problem
from tenantry.foundation.wire import MAX_DEPTH, Wire, decode, decode_query


class Inner(Wire):
    """Something inside."""

    count: int


class Shape(Wire):
    """A shape with all that shapes have."""

    text: Annotated[str, Meta(max_length=20)]
    number: int = 0
    inner: Inner | None = None
    labels: tuple[str, ...] = ()
    anything: Any = None


class Query(msgspec.Struct, forbid_unknown_fields=True):
    """What a list is asked with."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    after: str | None = None


def _refused(body: bytes) -> Problem:
    with pytest.raises((Malformed, Invalid)) as refused:
        decode(body, Shape)
    return refused.value


def _places(body: bytes) -> set[str]:
    return {error.at for error in _refused(body).errors}


def test_what_fits_becomes_the_shape() -> None:
    body = b'{"text": "hi \\u00e9 {[ \\" ]}", "number": 7, "inner": {"count": 1}, "labels": ["a"]}'
    assert decode(body, Shape) == Shape(text='hi é {[ " ]}', number=7, inner=Inner(count=1), labels=("a",))


def test_every_fault_is_named_with_its_place() -> None:
    body = b'{"number": "x", "inner": {"count": "y"}, "labels": ["a", 5], "other": 1}'
    assert _places(body) == {"body.text", "body.number", "body.inner.count", "body.labels[1]", "body.other"}


def test_nothing_is_converted_in_silence() -> None:
    for wrong in ('"7"', "7.0", "true", "null", "1e1"):
        assert _places(b'{"text": "x", "number": %s}' % wrong.encode()) == {"body.number"}


@pytest.mark.parametrize("depth", [MAX_DEPTH - 1, MAX_DEPTH, 10_000])
def test_depth_is_counted_outside_of_text(depth: int) -> None:
    nested = "[" * depth + "]" * depth
    assert decode(json.dumps({"text": "x", "anything": "[{" * 1000 + '"\\'}).encode(), Shape)
    body = f'{{"text": "x", "anything": {nested}}}'.encode()
    if depth < MAX_DEPTH:
        assert decode(body, Shape)
    else:
        assert isinstance(_refused(body), Malformed)


@pytest.mark.parametrize("text", [r"\\u0000", r"a\\\\u0000", "\\\\\\\\u0000"])
def test_text_about_nul_is_no_nul(text: str) -> None:
    assert decode(f'{{"text": "{text}"}}'.encode(), Shape)


@pytest.mark.parametrize("text", ["\\u0000", "a\\\\\\u0000", "\0"])
def test_a_nul_is_refused_however_it_is_written(text: str) -> None:
    assert isinstance(_refused(f'{{"text": "{text}"}}'.encode()), Invalid)


@pytest.mark.parametrize("tail", [b'"\\ud800"', b"NaN", b"Infinity", b"-Infinity", b'"\xed\xa0\x80"'])
def test_what_is_no_json_is_malformed_even_behind_another_fault(tail: bytes) -> None:
    assert isinstance(_refused(b'{"number": "wrong", "text": ' + tail + b"}"), Malformed)


@pytest.mark.parametrize("number", ["1e400", "-1e400", "9" * 5000, "-" + "9" * 5000])
def test_a_number_nobody_can_hold_is_a_fault_of_its_field(number: str) -> None:
    assert _places(f'{{"text": "x", "number": {number}}}'.encode()) <= {"body.number", "body"}
    assert isinstance(_refused(f'{{"text": {number}}}'.encode()), Invalid)


def test_a_long_list_of_faults_is_cut_and_no_input_comes_back_at_length() -> None:
    flood = json.dumps({"n" * 500 + str(number): 1 for number in range(5000)}).encode()
    assert sum(len(error.at) + len(error.message) for error in _refused(flood).errors) < 10_000


class Choice(Wire):
    """One of two."""

    which: Literal["a", "b"]


def test_a_wrong_choice_is_not_sent_back_at_length() -> None:
    with pytest.raises(Invalid) as refused:
        decode(json.dumps({"which": "x" * 100_000}).encode(), Choice)
    assert all(len(error.message) <= 200 for error in refused.value.errors)


HOSTILE = {
    "quotes that never end": b"[" * 65 + b'"' + b'\\"' * 400_000,
    "quotes in turn": b"[" * 65 + b'"",' * 300_000,
    "backslashes": b"[" * 65 + b'"' + b"\\" * 900_000,
    "backslashes before a nul": b'{"text": "' + b"\\\\" * 400_000 + b'\\u0000"}',
    "brackets": b"[" * 900_000,
    "objects": b'{"a":' * 180_000,
    "a long number": b'{"number": ' + b"9" * 900_000 + b"}",
    "a long fraction": b'{"number": 0.' + b"9" * 900_000 + b"}",
    "a long exponent": b'{"number": 1e' + b"9" * 900_000 + b"}",
    "many keys": b"{" + b",".join(b'"%d":1' % number for number in range(80_000)) + b"}",
    "equal keys": b"{" + b'"a":1,' * 150_000 + b'"a":1}',
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_megabyte_takes_more_than_a_moment_to_refuse(kind: str) -> None:
    started = time.process_time()
    _refused(HOSTILE[kind])
    # a hundred times what it takes, a thousandth of what it took before it was linear
    assert time.process_time() - started < 1.0


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(body: bytes) -> None:
    try:
        decode(body, Shape)
    except (Malformed, Invalid):
        return


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["text", "number", "inner", "count", "labels", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.dictionaries(st.sampled_from(["text", "number", "inner", "labels", "x\ud800", "é"]), JSONS, max_size=5))
def test_any_object_is_the_shape_or_its_faults_are_named(members: dict[str, Any]) -> None:
    body = json.dumps(members).encode()
    try:
        shape = decode(body, Shape)
    except Malformed:
        return
    except Invalid as refused:
        faults = refused.errors
    else:
        faults = (FieldError("body", "none"),)
        assert isinstance(shape, Shape)
    assert faults


# queries


def test_a_query_is_text_that_is_converted_where_the_field_says_so() -> None:
    assert decode_query({"limit": "5", "after": "7"}, Query) == Query(limit=5, after="7")


@pytest.mark.parametrize("limit", ["0", "101", "x", "", "1.5", "-1", "1e1000", "9" * 50])
def test_a_query_out_of_bounds_is_refused_by_name(limit: str) -> None:
    with pytest.raises(Invalid) as refused:
        decode_query({"limit": limit, "surprise": "1"}, Query)
    assert {error.at for error in refused.value.errors} == {"query.limit", "query.surprise"}
