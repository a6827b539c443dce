"""A secret is never shown, and master keys say what is wrong with them without saying what they are."""

from __future__ import annotations

import base64
import copy
import hmac
import json
import pickle

import msgspec
import pytest
import structlog

from tenantry.foundation.security.keys import BadMasterKeys, MasterKeys, new_master_key
from tenantry.foundation.security.secret import Secret

CANARY = "canary-5f0c"


def encoded(size: int = 32, first: int = 1) -> str:
    return base64.b64encode(bytes((first + n) % 256 for n in range(size))).decode()


@pytest.mark.parametrize("value", [CANARY, CANARY.encode()])
def test_a_secret_is_in_no_text_made_of_it(value: str | bytes) -> None:
    secret = Secret(value)
    texts = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>40}",
        f"{secret:^30}",
    ]
    texts += [
        repr([secret]),
        repr({"a": secret}),
        structlog.processors.JSONRenderer()(None, "", {"s": secret}),
    ]
    assert not [text for text in texts if CANARY in str(text)]
    assert secret.reveal() == value


@pytest.mark.parametrize("write", [pickle.dumps, json.dumps, msgspec.json.encode, msgspec.to_builtins])
def test_a_secret_is_not_serialized(write: object) -> None:
    with pytest.raises(TypeError) as refusal:
        write(Secret(CANARY))  # type: ignore[operator]
    assert CANARY not in str(refusal.value)


def test_a_secret_has_no_attribute_that_tools_would_list() -> None:
    with pytest.raises(TypeError):
        vars(Secret(CANARY))


def test_a_secret_equals_the_same_secret_and_nothing_else() -> None:
    assert Secret(CANARY) == Secret(CANARY)
    assert Secret(CANARY) != Secret(CANARY + "x")
    assert Secret(CANARY) != CANARY
    with pytest.raises(TypeError):
        hash(Secret(CANARY))


def test_a_copied_secret_is_still_secret() -> None:
    assert copy.deepcopy({"a": Secret(CANARY)})["a"].reveal() == CANARY
    assert copy.copy(Secret(CANARY)) == Secret(CANARY)


def test_the_first_master_key_is_the_sealing_one() -> None:
    master = MasterKeys.parse(f"new:{encoded(first=9)}, old:{encoded()}")
    assert (master.first, master.ids) == ("new", ("new", "old"))
    assert master.derive("a") == master.derive("a", "new") == master.derive_each("a")[0]


def test_master_keys_are_read_with_and_without_padding_in_both_alphabets() -> None:
    raw = bytes([251, 255] * 8) + bytes(range(16))
    standard = base64.b64encode(raw).decode()
    urlsafe = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    assert MasterKeys.parse(f"a:{standard}").derive("x") == MasterKeys.parse(Secret(f"a:{urlsafe}")).derive("x")


def test_each_purpose_and_each_master_key_derives_another_key() -> None:
    master = MasterKeys.parse(f"a:{encoded()},b:{encoded(first=2)}")
    keys = {master.derive(purpose, key_id) for purpose in ("seal", "token") for key_id in "ab"}
    assert len(keys) == 4
    assert {len(key) for key in keys} == {32}


def test_a_derived_key_stays_the_same_for_ever() -> None:
    """RFC 5869 written out: what was sealed and issued before an upgrade must open after it."""
    extracted = hmac.digest(bytes(32), base64.b64decode(encoded()), "sha256")
    expanded = hmac.digest(extracted, b"tenantry/sealing\x01", "sha256")
    assert MasterKeys.parse(f"a:{encoded()}").derive("sealing") == expanded


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "master key 1 needs the form"),
        (encoded(), "master key 1 needs the form"),
        (f"a:{encoded()},", "master key 2 needs the form"),
        (f"{encoded()}:a", "master key 1 needs the form"),
        (f"a b:{encoded()}", "master key 1 needs the form"),
        (f"a:{encoded()},a:{encoded(first=3)}", "master key 2 has the id of an earlier one"),
        (f"a:{encoded(31)}", "master key 1 must be 32 bytes, it is 31"),
        (f"a:{encoded()},b:{encoded(64)}", "master key 2 must be 32 bytes, it is 64"),
        (f"a:{CANARY}!!", "master key 1 is not base64"),
        ("a:" + base64.b64encode(bytes(32)).decode(), "master key 1 repeats a few bytes"),
        ("a:" + base64.b64encode(bytes(26) + b"canary").decode(), "master key 1 repeats a few bytes"),
    ],
)
def test_bad_master_keys_are_named_by_position_and_never_shown(text: str, what: str) -> None:
    with pytest.raises(BadMasterKeys, match=what) as refusal:
        MasterKeys.parse(text)
    shown = str(refusal.value)
    assert CANARY not in shown
    assert encoded() not in shown
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


def test_master_keys_show_their_ids_only() -> None:
    master = MasterKeys.parse(f"a:{encoded()},b:{encoded(first=2)}")
    assert repr(master) == "MasterKeys(a, b)"
    with pytest.raises(TypeError):
        pickle.dumps(master)


def test_a_new_master_key_is_random_and_can_be_read() -> None:
    one, two = new_master_key("a"), new_master_key("a")
    assert one != two
    assert MasterKeys.parse(one).derive("x") != MasterKeys.parse(two).derive("x")
