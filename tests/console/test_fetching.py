"""The console's files of others: fetched as the lock says, or plainly not at all."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tenantry.entrypoints.console import assets, fetch
from tenantry.foundation.domain import Registry
from tenantry.testing import Databases, installed
from tenantry.testing.installation import PASSWORD


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder that says what is to be fetched, and has nothing of it yet."""
    for name in ("fetch.py", "package.json", "package-lock.json"):
        shutil.copy(fetch.HERE / name, tmp_path)
    return tmp_path


def _fetch(place: Path, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *options, str(place / "fetch.py")]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=150, env={**_environment(), **environ}
    )
    if re.search("ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH", done.stderr):
        pytest.skip("there is no registry of packages to be reached")
    return done


def _environment() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if name in {"HOME", "PATH"} or "CERT" in name}


def test_every_file_that_a_page_refers_to_is_fetched_once(place: Path) -> None:
    assert _fetch(place).stderr == ""
    there = {path.name for path in (place / "fetched").iterdir()}
    assert set(assets.NEEDED) <= there
    assert {"htmx.LICENSE", "uPlot.LICENSE"} <= there
    assert "MIT" in (place / "fetched/tabler.min.css").read_text()[:500]
    (place / "fetched/htmx.min.js").unlink()
    # the lock is the same: nothing is done, not even without npm
    assert _fetch(place, "-I", "-S", PATH="").stderr == ""
    assert not (place / "fetched/htmx.min.js").exists()


def test_a_package_that_is_not_what_the_lock_names_is_refused(place: Path) -> None:
    lock = json.loads((place / "package-lock.json").read_text())
    packages = lock["packages"]
    packages["node_modules/htmx.org"]["integrity"] = packages["node_modules/uplot"]["integrity"]
    (place / "package-lock.json").write_text(json.dumps(lock))
    assert "What came as htmx.org is not what the lock names" in _fetch(place).stderr
    assert not (place / "fetched/htmx.min.js").exists()
    assert not (place / "fetched/lock.sha256").exists(), "it is tried again the next time"


def test_a_machine_without_npm_is_told_so_and_goes_on(place: Path) -> None:
    said = _fetch(place, "-I", "-S", PATH="").stderr
    assert said == (
        "The console's style and scripts were not fetched; it works without them. There is no npm on this machine.\n"
    )


def test_a_machine_without_network_is_told_why_and_is_not_kept_waiting(place: Path) -> None:
    nowhere = {"npm_config_registry": "http://127.0.0.1:9", "npm_config_cache": str(place / "cache")}
    done = subprocess.run(
        [sys.executable, str(place / "fetch.py")], capture_output=True, text=True, check=True, timeout=40,
        env=_environment() | nowhere,
    )  # fmt: skip
    assert "it works without them. npm ended with 1: " in done.stderr
    assert "ECONNREFUSED" in done.stderr
    assert not (place / "fetched").exists()


async def test_without_them_the_console_works_and_says_so(
    databases: Databases, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assets, "FETCHED", tmp_path / "nothing")
    assets.assets.cache_clear()
    try:
        async with databases.fresh() as url, installed(url, tmp_path, registry=registry) as house:
            person = await house.person()
            browser = await (await house.browser().sign_in(person.email, PASSWORD)).visit("/console")
            assert "were not fetched when this was set up; everything works without them" in browser.text
            assert "tabler" not in browser.sheet.html
            await browser.submit(name="Acme")
            assert browser.status == 200
    finally:
        assets.assets.cache_clear()
