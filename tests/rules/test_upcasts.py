"""What was written in an older version is read as the event is now: each step is there, and takes a sample along."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from tenantry.foundation.domain import Registry
from tenantry.foundation.events.event import Event, Upcast
from tenantry.foundation.events.versions import Unreadable, read_payload

# of each event of a version above 1 a payload of each version before it, as it was written then
SAMPLES = Path(__file__).with_name("old_payloads.json")


def faults(events: tuple[type[Event], ...], samples: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What is missing, too much, or cannot be read."""
    found = []
    for event in events:
        older = set(range(1, event.version))
        if set(event.upcasts) != older:
            found.append(f"{event.kind} has steps from {sorted(event.upcasts)} and needs those from {sorted(older)}")
        told = samples.get(event.kind, {})
        if set(map(int, told)) != older:
            found.append(f"{event.kind} has samples of {sorted(told)} and needs those of {sorted(older)}")
        found += [fault for version, payload in told.items() if (fault := _unreadable(event, int(version), payload))]
    return [*found, *(f"{kind} is nobody's" for kind in samples.keys() - {event.kind for event in events})]


def _unreadable(event: type[Event], version: int, payload: Any) -> str | None:
    try:
        now = read_payload(event, version, json.dumps(payload))
        read_payload(event, event.version, msgspec.json.encode(now))
    except Unreadable as error:
        return str(error)
    return None


def test_every_event_reads_what_it_was_before(registry: Registry) -> None:
    assert not faults(registry.events, json.loads(SAMPLES.read_text(encoding="utf-8")))


class _Moved(Event, frozen=True):
    # without a kind, so that it is nobody's event
    version = 2
    upcasts: ClassVar[Mapping[int, Upcast]] = {1: lambda old: {"to": old["where"]}}
    to: str


@pytest.mark.parametrize(
    ("upcasts", "samples", "fault"),
    [
        (_Moved.upcasts, {"": {"1": {"where": "here"}}}, None),
        ({}, {"": {"1": {"where": "here"}}}, "has steps from [] and needs those from [1]"),
        (_Moved.upcasts, {}, "has samples of [] and needs those of [1]"),
        ({1: lambda old: old}, {"": {"1": {"where": "here"}}}, "of version 1: ValidationError"),
        (_Moved.upcasts, {"": {"1": {"where": "here"}}, "gone.away": {}}, "gone.away is nobody's"),
    ],
)
def test_a_step_or_sample_that_is_missing_or_wrong_is_found(
    monkeypatch: pytest.MonkeyPatch, upcasts: Any, samples: Any, fault: str | None
) -> None:
    monkeypatch.setattr(_Moved, "upcasts", upcasts)
    assert [fault in one for one in faults((_Moved,), samples)][:1] == ([True] if fault else [])
