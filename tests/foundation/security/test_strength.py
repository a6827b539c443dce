"""Which passwords may be chosen, and the reason for each that may not."""

from __future__ import annotations

import random
import socket

import pytest

from tenantry.foundation.security import strength
from tenantry.foundation.security.strength import Weakness, judge

CONTEXT = ["alice.smithson@example.com", "Alice Smithson", "Tenantry"]


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple", "unit-lamp-fossil-42", "xK9#mQ2$vLpo", "Grüße aus der Küche 7",
        "山の上に雪が降る静かな朝です", "j7!" * 3 + "wobble-marzipan", "a" * 40 + "fossil lamp unit river",
        "k3" * 3 + "Zq!vT#90" * 100, "ночной дождь и чай", "0134578@$! kv",
        "my savanna river lamp 9", "tenantry-keeps-seven-odd-teapots", "🦊🐙🪁🌵🥝🚂🎻🧊🪐🦆🍄",
    ],
)  # fmt: skip
def test_a_good_password_may_be_chosen(password: str) -> None:
    assert judge(password, context=CONTEXT) == []


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("", Weakness.TOO_SHORT),
        ("xK9#mQ2$v", Weakness.TOO_SHORT),
        ("🔑" * 9, Weakness.TOO_SHORT),
        ("xK9#mQ2$vL" * 103, Weakness.TOO_LONG),
        ("a" * 1024, Weakness.TOO_GUESSABLE),
        ("qwertyuiop1", Weakness.TOO_GUESSABLE),
        ("P@$$w0rd!2024", Weakness.TOO_GUESSABLE),
        ("1234567890123456789012345678901234567890", Weakness.TOO_GUESSABLE),
        ("password1234567", Weakness.BREACHED),
        ("correcthorsebatterystaple", Weakness.BREACHED),
        ("CorrectHorseBatteryStaple", Weakness.BREACHED),
        ("trustno1trustno1", Weakness.BREACHED),
        ("BlueBlanket1", Weakness.BREACHED),
        ("qwertyuiopasdfghjkl", Weakness.BREACHED),
        ("alice.smithson2024", Weakness.CONTAINS_CONTEXT),
        ("AliceSmithson!!!!!!!!", Weakness.CONTAINS_CONTEXT),
        ("2024-smithson-alice", Weakness.CONTAINS_CONTEXT),
        ("tenantry12345", Weakness.CONTAINS_CONTEXT),
        ("TenantryTenantryAlice", Weakness.CONTAINS_CONTEXT),
        ("al1ce.$m1ths0n", Weakness.CONTAINS_CONTEXT),
    ],
)
def test_each_weak_password_is_refused_for_its_reason(password: str, reason: Weakness) -> None:
    assert reason in judge(password, context=CONTEXT)


def test_ten_to_1024_characters_are_accepted() -> None:
    assert judge("xK9#mQ2$vL", context=[]) == []
    source = random.Random(4)
    longest = "".join(source.choices("abcdefghijkmnpqrstuvwxyz23456789", k=1024))
    assert judge(longest, context=[]) == []
    assert judge(longest + "x", context=[]) == [Weakness.TOO_LONG]


def test_what_is_personal_to_one_is_nothing_to_another() -> None:
    password = "zweifelhuber-k4t"
    assert judge(password, context=["Zweifelhuber"]) != []
    assert judge(password, context=["Someone Else"]) == []


def test_the_mail_provider_is_no_personal_word() -> None:
    assert judge("example-tk4v9", context=["alice@example.com"]) == []


def test_a_common_three_letter_name_forbids_nothing() -> None:
    assert judge("bob-x7#Kp2!q", context=["bob@example.com", "Bob"]) == []


@pytest.mark.parametrize("context", [["@"], [""], ["a@b@c"], ["é" * 5000], ["word " * 5000], ["\0" * 50], ["@" * 300]])
def test_a_strange_context_changes_nothing(context: list[str]) -> None:
    assert judge("unit-lamp-fossil-42", context=context) == []


def test_symbols_chosen_to_be_slow_to_read_are_estimated_like_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All look-alike symbols at once have the estimate try each reading, for up to a second."""
    seen: list[str] = []
    real = strength.zxcvbn
    monkeypatch.setattr(strength, "zxcvbn", lambda part, words: seen.append(part) or real(part, words))
    judge("4@8({[<369|!17|$5+720%2" * 40, context=CONTEXT)
    assert seen
    for part in seen:
        assert len(part) <= 32
        assert len(set(part) & set("@({[<!|$+%")) <= 3


def test_judging_calls_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("a password left the process")

    monkeypatch.setattr(socket, "socket", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    assert Weakness.BREACHED in judge("password1234567", context=CONTEXT)


def test_every_reason_has_a_sentence_for_the_person() -> None:
    assert all(weakness.sentence.endswith(".") for weakness in Weakness)
    assert len({weakness.sentence for weakness in Weakness}) == len(Weakness)


def test_garbage_is_judged_and_never_an_error() -> None:
    source = random.Random(3)
    alphabet = "aZ0~\x7fé😀\n\0 \u202e\ufeff'\"\\$@{"
    for size in (10, 19, 20, 21, 31, 32, 33, 64, 100, 1024):
        for _ in range(30):
            judge("".join(source.choices(alphabet, k=size)), context=["".join(source.choices(alphabet, k=30))])
