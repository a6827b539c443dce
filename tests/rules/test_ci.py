"""CI runs what a developer runs, on every version that is promised."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from rules.source import ROOT

SCRIPTS = sorted(
    path for folder in (".ci", "bin") for path in (ROOT / folder).iterdir() if path.is_file() and path.suffix != ".py"
)


def _workflow() -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    return told


def test_every_job_runs_the_two_commands_and_nothing_else_of_ours() -> None:
    for name, job in _workflow()["jobs"].items():
        ours = [step["run"] for step in job["steps"] if step.get("run", "").startswith(("bin/", ".ci/", "python"))]
        assert ours == ["bin/check", "bin/test --all"], name
        assert job["timeout-minutes"] <= 75


def test_every_supported_python_is_tried() -> None:
    oldest = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    tried = _workflow()["jobs"]["python"]["strategy"]["matrix"]["python"]
    assert tried == ["3.11", "3.12", "3.13"]
    assert oldest == f">={tried[0]}"


def test_the_oldest_supported_postgresql_is_tried_with_an_owner_who_is_no_superuser() -> None:
    job = _workflow()["jobs"]["postgres-15"]
    assert job["services"]["postgres"]["image"] == "postgres:15"
    url = re.match(r"postgresql://(\w+):([\w-]+)@", job["env"]["TENANTRY_TEST_DATABASE_URL"])
    assert url is not None
    made = next(step["run"] for step in job["steps"] if "psql" in step.get("run", ""))
    assert f"create role {url[1]} login createdb createrole password '{url[2]}'" in made


def test_the_workflow_may_only_read() -> None:
    assert _workflow()["permissions"] == {"contents": "read"}


def test_ci_at_home_is_the_same_two_commands() -> None:
    text = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert re.findall(r"^(?:exec )?(bin/[^&\n]*\S)(?: && exit)?$", text, re.MULTILINE) == [
        "bin/check",
        "bin/test --all",
    ]


@pytest.mark.parametrize(
    ("outcomes", "code", "said"),
    [
        ({"test_a": [1, 1]}, 0, "unsteady"),
        ({"test_a": [0]}, 1, "failed"),
        ({"test_a": [1, 0]}, 1, "failed"),
        ({f"test_{name}": [1, 1] for name in "abcd"}, 1, "4 tests failed; 3 at most"),
        ({}, 1, "0 tests failed"),
    ],
    ids=["unsteady", "broken", "broken now and then", "too many", "broke before a test did"],
)
def test_what_failed_is_asked_again_alone_and_twice(
    tmp_path: Path, outcomes: dict[str, list[int]], code: int, said: str
) -> None:
    tests = "".join(f"def {name}():\n    assert told({name!r})\n" for name in outcomes)
    (tmp_path / "test_made_up.py").write_text(
        "from pathlib import Path\n"
        "def told(name):\n"
        "    left = Path(name).read_text()\n"
        "    Path(name).write_text(left[1:])\n"
        "    return left[0] == '1'\n" + tests
    )
    for name, each in outcomes.items():
        (tmp_path / name).write_text("".join(map(str, each)))
    failed = tmp_path / ".pytest_cache/v/cache/lastfailed"
    failed.parent.mkdir(parents=True)
    failed.write_text(json.dumps({f"test_made_up.py::{name}": True for name in outcomes}))
    done = subprocess.run(
        [sys.executable, str(ROOT / ".ci/again.py")], cwd=tmp_path, capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == code, done.stdout
    assert said in done.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_can_be_run_and_read_by_bash(script: Any) -> None:
    assert subprocess.run(["bash", "-n", script], check=False, timeout=10).returncode == 0
    if not script.name.startswith("_"):
        assert os.access(script, os.X_OK)
        assert "set -euo pipefail" in script.read_text() or "_setup" in script.read_text()
