"""OpenFeature's own client gets from the provider what the specification promises."""

# ruff: noqa: FBT003  (its client takes defaults by their place)

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from flag_kit import act, member_work, put, uuid_of
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEvent
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason
from openfeature.provider import ProviderStatus

from patience import until
from tenantry.flags import flags_of
from tenantry.flags.exchanges.openfeature import TenantryProvider, openfeature_context
from tenantry.foundation.data.ids import ORG_ID, USER_ID
from tenantry.testing import Installation


@pytest.fixture
async def client(house: Installation) -> AsyncIterator[OpenFeatureClient]:
    """A client of the SDK, on the house's flags."""
    await put(house, "switch", rules=[{"variant": "on", "when": [{"about": "plan", "values": ["pro"]}]}])
    await put(house, "text", kind="string", variants={"a": "A"}, default="a", off=None)
    await put(house, "whole", kind="number", variants={"a": 3}, default="a", off=None)
    await put(house, "broken", kind="number", variants={"a": 2.5}, default="a", off=None)
    await put(house, "thing", kind="object", variants={"a": {"x": [1]}}, default="a", off=None)
    await put(house, "half", rules=[{"split": [{"variant": "on", "weight": 50_000}]}])
    await put(
        house, "own", rules=[{"variant": "on", "when": [{"about": "user", "values": [USER_ID.text(UUID(int=5))]}]}]
    )
    api.set_provider(await TenantryProvider.of(house.runtime))
    found = api.get_client()
    await until(lambda: found.get_provider_status() == ProviderStatus.READY)
    yield found
    api.clear_providers()


async def test_each_type_is_given_with_variant_and_reason(client: OpenFeatureClient) -> None:
    pro = EvaluationContext(ORG_ID.text(UUID(int=1)), {"plan": "pro"})
    found = client.get_boolean_details("switch", False, pro)
    assert (found.value, found.variant, found.reason) == (True, "on", Reason.TARGETING_MATCH)
    assert client.get_boolean_details("switch", True).reason == Reason.DEFAULT
    assert client.get_boolean_value("switch", True) is False
    assert client.get_string_details("text", "").reason == Reason.STATIC
    assert client.get_string_value("text", "") == "A"
    assert client.get_integer_value("whole", 0) == 3
    assert (client.get_float_value("whole", 0.0), client.get_float_value("broken", 0.0)) == (3.0, 2.5)
    assert client.get_object_value("thing", {}) == {"x": [1]}
    assert await client.get_boolean_value_async("switch", False, pro) is True
    assert client.get_metadata().domain is None
    assert client.provider.get_metadata().name == "tenantry"


@pytest.mark.parametrize(
    ("kind", "key", "default", "code"),
    [
        ("boolean", "gone", True, ErrorCode.FLAG_NOT_FOUND),
        ("boolean", "text", True, ErrorCode.TYPE_MISMATCH),
        ("string", "switch", "mine", ErrorCode.TYPE_MISMATCH),
        ("integer", "broken", 7, ErrorCode.TYPE_MISMATCH),
        ("integer", "switch", 7, ErrorCode.TYPE_MISMATCH),
        ("float", "text", 7.5, ErrorCode.TYPE_MISMATCH),
        ("object", "whole", {"mine": 1}, ErrorCode.TYPE_MISMATCH),
    ],
)
async def test_what_goes_wrong_gives_the_default_and_says_what(
    client: OpenFeatureClient, kind: str, key: str, default: Any, code: ErrorCode
) -> None:
    found = getattr(client, f"get_{kind}_details")(key, default)
    assert (found.value, found.reason, found.error_code) == (default, Reason.ERROR, code)


async def test_a_targeting_key_is_an_organization_or_a_person_or_any_other_name(client: OpenFeatureClient) -> None:
    assert client.get_boolean_value("own", False, EvaluationContext(USER_ID.text(UUID(int=5))))
    assert client.get_boolean_value("own", False, EvaluationContext("x", {"user": USER_ID.text(UUID(int=5))}))
    assert not client.get_boolean_value("own", False, EvaluationContext(USER_ID.text(UUID(int=6))))
    shared = {
        name: client.get_boolean_value("half", False, EvaluationContext(f"visitor-{name}")) for name in range(200)
    }
    assert 60 < sum(shared.values()) < 140
    assert client.get_boolean_details("half", True).reason == Reason.DEFAULT


async def test_a_work_and_the_context_made_of_it_have_the_same(house: Installation, client: OpenFeatureClient) -> None:
    for _ in range(3):
        team = await house.team()
        async with await member_work(house, team.owner, team.org) as work:
            flags, context = await flags_of(work), await openfeature_context(work)
        assert context.targeting_key == team.org
        assert context.attributes["role"] == "owner"
        for key in ("switch", "half", "own"):
            assert client.get_boolean_value(key, False, context) is flags.is_on(key)
    await act(house, "override_flag", org_id=uuid_of(team.org), key="switch", variant="on", reason="asked")
    assert client.get_boolean_details("switch", False, context).reason == Reason.TARGETING_MATCH


async def test_the_client_is_told_of_changes(house: Installation, client: OpenFeatureClient) -> None:
    heard: list[Any] = []
    client.add_handler(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, heard.append)
    await act(house, "kill_flag", key="switch")
    await until(lambda: heard)
    found = client.get_boolean_details("switch", True, EvaluationContext("x", {"plan": "pro"}))
    assert (found.value, found.reason) == (False, Reason.DISABLED)
    await act(house, "revive_flag", key="switch")
