"""Every verb says who may call it and what it does, and is known to a test."""

from __future__ import annotations

import re
from functools import cache

import pytest

from rules.source import ROOT, modules
from tenantry.foundation.action import Verb, every_verb
from tenantry.foundation.domain import Registry
from tenantry.foundation.events.event import Event
from tenantry.foundation.jobs.handler import Handler
from tenantry.foundation.problems import Problem

pytestmark = pytest.mark.usefixtures("every_module")
SENTENCE = re.compile(r"[A-Z`].*[.?]")
CALLS = re.compile(r"^@(action|exchange)\b", re.MULTILINE)


def _verbs() -> list[tuple[str, Verb]]:
    return [(name, verb) for name, verb in every_verb() if name.startswith("tenantry.")]


def test_every_verb_has_one_sentence_about_it() -> None:
    assert _verbs()
    assert not [name for name, verb in _verbs() if not SENTENCE.fullmatch(verb.sentence)]


def test_every_verb_needs_a_permission_that_is_declared(registry: Registry) -> None:
    assert not [name for name, verb in _verbs() if verb.requires not in registry.permissions]


def test_every_verb_is_named_in_a_test() -> None:
    unknown = [verb.name for _, verb in _verbs() if verb.name.rpartition(".")[2] not in _words_of_tests()]
    assert not unknown, "no test names these verbs: " + ", ".join(unknown)


@cache
def _words_of_tests() -> frozenset[str]:
    files = (path for path in (ROOT / "tests").rglob("test_*.py") if path.parent.name != "rules")
    return frozenset(word for path in files for word in re.findall(r"\w+", path.read_text(encoding="utf-8")))


def test_verbs_live_in_actions_and_exchanges_only() -> None:
    strays = [
        name
        for name, module in modules().items()
        if CALLS.search(module.text) and not {"actions", "exchanges"} & set(name.split(".")[2:3])
    ]
    assert not strays


def test_every_verb_is_asked_for_by_something() -> None:
    forsaken = [verb.name for name, verb in _verbs() if not _callers(name)]
    assert not forsaken


def _callers(name: str) -> list[str]:
    verb = name.rpartition(".")[2]
    # called, or given as the answer to a question; the definition itself is one hit in its own module
    asked = re.compile(rf"\b{verb}\(|: actions\.{verb}\b")
    return [
        module for module, source in modules().items() if len(asked.findall(source.text)) > (name.startswith(module))
    ]


def test_every_event_problem_and_handler_has_one_sentence_about_it(registry: Registry) -> None:
    kinds: list[type[Event] | type[Problem]] = [*registry.events, *registry.problems]
    handlers: list[Handler] = list(registry.handlers)
    silent = [kind.__name__ for kind in kinds if not SENTENCE.fullmatch((kind.__doc__ or "").strip().splitlines()[0])]
    assert not silent + [handler.kind for handler in handlers if not SENTENCE.fullmatch(handler.sentence)]
