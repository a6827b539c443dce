"""What is declared is registered, once, so that nothing new stays unknown to the reference and the tests."""

from __future__ import annotations

import inspect

import msgspec
import pytest

from rules.source import domains
from tenantry.foundation.action import every_verb
from tenantry.foundation.domain import Registry
from tenantry.foundation.events.event import every_event
from tenantry.foundation.problems import Problem, every_problem
from tenantry.settings import Settings, variable

pytestmark = pytest.mark.usefixtures("every_module")


def _ours(kinds: object) -> set[type]:
    return {kind for kind in kinds if kind.__module__.startswith("tenantry.")}  # type: ignore[attr-defined]


def test_every_domain_is_assembled(registry: Registry) -> None:
    assert {domain.name for domain in registry.domains} == domains()


def test_every_event_that_is_declared_is_registered(registry: Registry) -> None:
    assert _ours(every_event()) == set(registry.events)


def test_every_problem_of_a_domain_is_declared_in_its_problems_file(registry: Registry) -> None:
    of_domains = {kind for kind in _ours(every_problem()) if kind.__module__.split(".")[1] in domains()}
    assert of_domains == set(registry.problems)


def test_no_two_problems_share_a_code() -> None:
    kinds: list[type[Problem]] = [kind for kind in every_problem() if kind.__module__.startswith("tenantry.")]
    assert len({kind.code for kind in kinds}) == len(kinds)


def test_every_event_that_is_recorded_is_declared_by_its_own_domain(registry: Registry) -> None:
    for name, verb in every_verb():
        if name.startswith("tenantry."):
            assert set(verb.records) <= set(registry.events), name


def test_every_event_is_recorded_by_a_verb(registry: Registry) -> None:
    recorded = {event for _, verb in every_verb() for event in verb.records}
    assert not set(registry.events) - recorded


def test_every_event_carries_ids_and_plain_facts_only(registry: Registry) -> None:
    personal = {"email", "name", "password", "token", "secret", "address", "source", "agent"}
    # an organization's name is its own: it outlives whoever gave it, and goes when the organization does
    no_persons = {("orgs.org_created", "name"), ("orgs.org_changed", "name")}
    # where a plan or a value comes from, which no person does
    no_persons |= {
        (f"plans.{said}", "source") for said in ("plan_given", "plan_ended", "override_given", "override_lifted")
    }
    said = {(event.kind, field.name) for event in registry.events for field in msgspec.structs.fields(event)}
    assert no_persons <= said
    assert not [one for one in said - no_persons if one[1] in personal]


def test_every_setting_says_what_it_means_and_is_declared_once(registry: Registry) -> None:
    names = []
    for section in (Settings, *registry.sections):
        for field, annotation in inspect.get_annotations(section, eval_str=True).items():
            notes = getattr(annotation, "__metadata__", ())
            assert any(getattr(note, "description", None) for note in notes), field
            names.append(variable(field))
    assert len(set(names)) == len(names)
