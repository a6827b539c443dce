"""The public names: listed, complete, cheap to import, and one list for Python and type checkers."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

import tenantry
from rules.source import modules

# a name that leaves this list breaks plugins: say so in a decision record
PUBLIC = (
    "ADMINS",
    "ANYONE",
    "Audited",
    "Call",
    "Conflict",
    "ConsolePages",
    "ConsumerWork",
    "Details",
    "Domain",
    "EVENT_ID",
    "Download",
    "Event",
    "FieldError",
    "FlagDeclaration",
    "Flags",
    "Forbidden",
    "GiveUp",
    "HOUSE",
    "IdKind",
    "Invalid",
    "JOB_ID",
    "Job",
    "Letter",
    "Link",
    "ListAnswer",
    "ListQuery",
    "Listing",
    "Logged",
    "Meter",
    "MEMBERS",
    "NewJob",
    "NotFound",
    "ONESELF",
    "ORG_ID",
    "OWNERS",
    "OperatorWork",
    "OrgWork",
    "Pages",
    "Permission",
    "PersonWork",
    "PlanNeeded",
    "Problem",
    "Question",
    "Queue",
    "Quota",
    "Rate",
    "Receipt",
    "Refusal",
    "Retry",
    "Role",
    "Routes",
    "Secret",
    "SeeOther",
    "Settings",
    "Snooze",
    "SystemWork",
    "Versioned",
    "Wire",
    "Work",
    "action",
    "anonymized",
    "around",
    "consumer",
    "erased",
    "every",
    "exchange",
    "flag_is_on",
    "flag_value",
    "flags_for",
    "flags_of",
    "handles",
    "kept",
    "many",
    "maybe",
    "new_id",
    "on",
    "one",
    "require_feature",
    "require_room",
    "require_within",
    "requires_feature",
    "run",
    "says",
    "use",
    "value",
    "values",
)
HEAVY = {"litestar", "asyncpg", "msgspec", "granian", "cryptography", "structlog", "typer", "asyncio"}


def test_the_public_names_are_the_ones_that_were_promised() -> None:
    assert sorted(tenantry.__all__) == sorted(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_each_public_name_is_there(name: str) -> None:
    assert getattr(tenantry, name) is not None


def test_a_name_that_is_not_public_is_not_found() -> None:
    with pytest.raises(AttributeError, match="no public name 'Pool'"):
        _ = tenantry.Pool  # type: ignore[attr-defined]


def test_type_checkers_and_python_find_the_same_names_in_the_same_modules() -> None:
    tree = modules()["tenantry"].tree
    block = next(node for node in tree.body if isinstance(node, ast.If))
    checked = {
        alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert checked == tenantry._HOME
    assert sorted(checked) == sorted(tenantry.__all__)


def test_importing_tenantry_loads_nothing_heavy() -> None:
    code = "import sys; import tenantry; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert not HEAVY & set(done.stdout.split())


def test_the_command_line_loads_no_metrics_before_a_server_says_where_they_are_counted() -> None:
    # the library decides at its import, and a server's processes would each count for themselves
    script = "import sys; import tenantry.entrypoints.cli; print('prometheus_client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"
