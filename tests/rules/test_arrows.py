"""The arrows between packages, and inside a domain; the contracts themselves are in pyproject.toml."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from rules.source import ROOT, domains, modules


def _contracts() -> dict[str, dict[str, Any]]:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {contract["id"]: contract for contract in told["tool"]["importlinter"]["contracts"]}


def test_the_arrows_hold() -> None:
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache", "--no-logo"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("domain", sorted(f"tenantry.{name}" for name in domains()))
def test_every_domain_is_under_contract(domain: str) -> None:
    contracts = _contracts()
    assert domain in contracts["domain"]["containers"]
    assert domain in contracts["entrypoints"]["forbidden_modules"]
    assert domain in contracts["start"]["forbidden_modules"]


def test_only_the_assembly_and_the_test_kit_name_a_domain() -> None:
    names = {f"tenantry.{name}" for name in domains()}
    # revisions name tables, which are called by the schema's name as a domain is by the package's
    outside = [one for one in modules().values() if not (one.domain or one.name.startswith("tenantry.migrations."))]
    # `tenantry.audit_log` is a table
    naming = {module.name for module in outside if any(re.search(rf"{name}\b", module.text) for name in names)}
    # a revision names tables, which lie in a schema of our own name
    naming = {name for name in naming if not name.startswith("tenantry.migrations.")}
    # the last one for its public names, which it looks up when they are asked for
    assert naming <= {
        "tenantry.assemble",
        "tenantry.testing.installation",
        "tenantry.testing.matrix.hooks",
        "tenantry.testing.matrix.tenants",
        "tenantry.testing.team",
        # they name the table, which is called as the domain is
        "tenantry.foundation.security.key_use",
        "tenantry.foundation.security.known_keys",
        "tenantry",
    }
