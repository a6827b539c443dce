"""The reference: written from the registry, never stale, and complete."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rules.source import ROOT
from tenantry.foundation.action import Verb, every_verb
from tenantry.foundation.domain import Registry
from tenantry.plans.models import Plan
from tenantry.settings import Settings, variable

COMMITTED = ROOT / "docs" / "reference"


def _pages(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}


def test_the_reference_is_what_the_code_says(tmp_path: Path) -> None:
    # a process of its own: what other tests declare is not the product's
    command = [sys.executable, "-m", "tenantry", "reference", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    assert _pages(COMMITTED) == _pages(tmp_path), "run: .venv/bin/tenantry reference docs/reference"


REGISTERED = ["settings", "routes", "events", "problems", "permissions", "jobs", "commands", "hooks", "plans"]


@pytest.mark.parametrize("page", REGISTERED)
def test_everything_that_is_registered_is_in_the_reference(page: str, registry: Registry) -> None:
    sections = (Settings, *registry.sections)
    names = {
        "settings": [variable(field) for section in sections for field in section.__struct_fields__],
        "routes": [f"{route.method} {route.path}" for route in registry.routes],
        "events": [event.kind for event in registry.events],
        "problems": [problem.code for problem in registry.problems],
        "permissions": [one.name for one in registry.permissions] + [verb.name for verb in _verbs()],
        "jobs": [handler.kind for handler in registry.handlers],
        "commands": [f"tenantry {one.group} {one.name}" for one in registry.commands],
        "hooks": [asked.name for domain in registry.domains for asked in domain.answers],
        "plans": [quota.limit for quota in registry.quotas] + [f"plans[].{key}" for key in Plan.__struct_fields__],
    }
    text = (COMMITTED / f"{page}.md").read_text(encoding="utf-8")
    assert names[page]
    assert not [name for name in names[page] if f"`{name}`" not in text]


def _verbs() -> list[Verb]:
    return [verb for name, verb in every_verb() if name.startswith("tenantry.")]


def test_the_limits_that_were_promised_are_in_the_reference() -> None:
    text = (COMMITTED / "limits.md").read_text(encoding="utf-8")
    for promised in ("1,024", "24 hours", "30 days", "90 days", "10 seconds", "300", "1,048,576"):
        assert f"| {promised} |" in text
