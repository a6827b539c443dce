"""The reference of plans: what it says of the plan file is what the plan file's reader says, and plugins are in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tenantry.plans.models import Catalogue, Plan, Price, Seats

PAGE = Path(__file__).parents[2] / "docs/reference/plans.md"
PARTS = {"": Catalogue, "plans[].": Plan, "plans[].prices[].": Price, "plans[].seats.": Seats}


def _rows() -> dict[str, list[str]]:
    """The cells behind each key of the first table."""
    lines = PAGE.read_text(encoding="utf-8").partition("## ")[0].splitlines()
    cells = [line.strip("|").split(" | ") for line in lines if line.startswith("| `")]
    return {first.strip(" `"): [cell.strip() for cell in rest] for first, *rest in cells}


@pytest.mark.parametrize("path", PARTS)
def test_each_key_is_told_with_what_it_means_and_whether_it_is_needed(path: str) -> None:
    rows = _rows()
    for field in msgspec.structs.fields(PARTS[path]):
        takes, default, meaning = rows[f"{path}{field.name}"]
        assert (default == "needed") is field.required
        assert takes
        assert meaning.endswith("."), field.name


def test_no_key_is_told_that_the_reader_refuses() -> None:
    known = {f"{path}{name}" for path, part in PARTS.items() for name in part.__struct_fields__}
    assert _rows().keys() == known


def test_what_an_enabled_plugin_counts_and_limits_is_told(tmp_path: Path) -> None:
    environ = {name: text for name, text in os.environ.items() if not name.startswith("TENANTRY_")}
    command = [sys.executable, "-m", "tenantry", "reference", str(tmp_path)]
    places = {"TENANTRY_PLUGINS": "shelf", "PYTHONPATH": str(_plugin(tmp_path / "shelf"))}
    subprocess.run(command, check=True, capture_output=True, timeout=60, env=environ | places, cwd=tmp_path)
    told = (tmp_path / "plans.md").read_text(encoding="utf-8")
    assert "| `shelf.lent` | Books that were lent. | book | yes | shelf |" in told
    assert "| `lent` | Books lent a period | `shelf.lent` a period | refused | shelf |" in told


def _plugin(folder: Path) -> Path:
    """Where a plugin lies with a meter and a quota on it, as if it were installed."""
    package, info = folder / "shelf", folder / "shelf-1.dist-info"
    package.mkdir(parents=True)
    info.mkdir()
    (package / "__init__.py").write_text("")
    (package / "domain.py").write_text(
        "from tenantry import Domain, Meter, Quota\n"
        'lent = Meter("shelf.lent", "book", "Books that were lent.", ingest=True)\n'
        'quota = Quota(limit="lent", title="Books lent a period", meter=lent)\n'
        'domain = Domain(name="shelf", meters=(lent,), quotas=(quota,))\n'
    )
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shelf\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[tenantry.plugins]\nshelf = shelf.domain:domain\n")
    return folder
