"""Files and functions: small, and named by what they are about."""

from __future__ import annotations

import pytest

from rules.sizes import file_sizes, function_sizes
from rules.source import SRC, domains, modules

LONGEST_FILE, LONGEST_FUNCTION = 400, 40
SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager", "service", "services"}
OF_A_DOMAIN = {
    "__init__", "models", "events", "permissions", "problems", "settings", "inputs", "queries", "actions", "exchanges",
    "jobs", "http", "pages", "graph", "cli", "console", "history", "domain",
}  # fmt: skip
# one foreign system each, or what a page or mail looks like
BESIDE_THE_KINDS: dict[str, set[str]] = {
    "accounts": {"letters"},
    "billing": {"letters", "metrics", "stripe"},
    "orgs": {"letters"},
    "webhooks": {"letters", "sending"},
}


def test_no_file_is_named_by_a_layer_that_refuses_nothing() -> None:
    assert not [module.place for module in modules().values() if SAY_NOTHING & set(module.name.split("."))]


@pytest.mark.parametrize("domain", sorted(domains()))
def test_a_domain_uses_the_agreed_file_names(domain: str) -> None:
    found = {path.stem for path in (SRC / "tenantry" / domain).iterdir() if path.name != "__pycache__"}
    assert found <= OF_A_DOMAIN | BESIDE_THE_KINDS.get(domain, set())
    assert {"__init__", "domain"} <= found


def test_no_file_outgrows_its_limit() -> None:
    assert not [f"{place}: {size} lines" for place, size in file_sizes() if size > LONGEST_FILE]


def test_no_function_outgrows_its_limit() -> None:
    assert not [f"{place}: {size} lines" for place, size in function_sizes() if size > LONGEST_FUNCTION]


def test_every_file_says_what_belongs_in_it() -> None:
    assert not [module.place for module in modules().values() if not _charter(module.text)]


def _charter(text: str) -> bool:
    return text.lstrip().startswith('"""')
