"""Every event is in the audit log, or is named here with the reason why not."""

from __future__ import annotations

import re
from typing import get_type_hints
from uuid import UUID

import msgspec
import pytest

from tenantry.foundation.domain import Registry
from tenantry.foundation.routes import Route

pytestmark = pytest.mark.usefixtures("every_module")

NOT_AUDITED = {
    "accounts.registration_asked": "an address that may be nobody's; an account begins when it is proven",
    "accounts.verification_asked_again": "the same",
    "accounts.session_refreshed": "every few minutes of each device; what ends one, or uses a token twice, is audited",
    "accounts.session_used": "the same, of browsers",
    "accounts.password_rehashed": "the same password, and nobody's doing",
    "accounts.export_ready": "the house's step between asking and taking, which are audited",
    "orgs.invite_forgotten": "what is left of an invite whose end is audited",
    "api_keys.key_forgotten": "what is left of a key whose end is audited",
    "webhooks.endpoint_forgotten": "what is left of an endpoint whose deletion is audited",
    "billing.trial_ending": "a date that comes nearer; what comes of it is audited",
}
ACTION = re.compile(r"([a-z_]+):([a-z_]+):([a-z_]+)")


def test_every_event_is_audited_or_says_why_not(registry: Registry) -> None:
    silent = {event.kind for event in registry.events if event.audited is None}
    assert silent <= NOT_AUDITED.keys(), "give it an `audited`, or say in this list why it has none"
    assert NOT_AUDITED.keys() <= silent, "take it off the list"


def test_every_action_names_its_domain_a_subject_and_what_became_of_it(registry: Registry) -> None:
    actions = [event.audited.action for event in registry.events if event.audited]
    assert len(actions) > 25
    assert len(set(actions)) == len(actions)
    for event in registry.events:
        if event.audited is not None:
            found = ACTION.fullmatch(event.audited.action)
            assert found is not None, event.kind
            assert found.group(1) == event.kind.partition(".")[0], event.kind
            # operations that were denied are called so
            assert found.group(2) != "request", event.kind


def test_targets_are_ids_and_what_is_shown_are_facts_of_the_event(registry: Registry) -> None:
    for event in registry.events:
        if event.audited is None:
            continue
        fields = {field.name for field in msgspec.structs.fields(event)}
        assert set(event.audited.shows) <= fields, event.kind
        if event.audited.target is not None:
            kind = get_type_hints(event)[event.audited.target]
            assert kind in (UUID, UUID | None), event.kind
            assert event.audited.target.endswith("_id"), event.kind


def test_a_denied_operation_is_named_by_one_word_of_its_domain(registry: Registry) -> None:
    def action(route: Route) -> str:
        return f"{route.tag}:request:{route.handler.__name__}"

    for route in (*registry.routes, *registry.page_routes):
        assert ACTION.fullmatch(action(route)), route.path
    assert len({action(route) for route in registry.routes}) == len(registry.routes)
