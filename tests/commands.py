"""Commands as an operator types them, beside an installation of a test."""

from __future__ import annotations

import asyncio
import os
import site
import subprocess
import sys
from pathlib import Path

from tenantry.testing import Installation
from tenantry.testing.installation import MASTER_KEYS

TOOLS = Path(sys.executable).parent


def a_shell(folder: Path) -> dict[str, str]:
    """A shell's environment with a Python of its own in a folder, in which what this one has is installed too."""
    uv, here = TOOLS / "uv", folder / "env"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, here], check=True, timeout=60)
    python = here / "bin" / "python"
    [packages] = (here / "lib").glob("python*/site-packages")
    inherited = [f"import site; site.addsitedir({place!r})" for place in site.getsitepackages()]
    (packages / "inherited.pth").write_text("\n".join(inherited) + "\n")
    command = here / "bin" / "tenantry"
    command.write_text(f"#!{python}\nfrom tenantry.__main__ import main\nmain()\n")
    command.chmod(0o755)
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("TENANTRY_", "PYTEST_", "PYTHON"))}
    return kept | {
        "PATH": f"{here / 'bin'}:{TOOLS}:{os.environ['PATH']}", "VIRTUAL_ENV": str(here), "UV_OFFLINE": "1",
    }  # fmt: skip


async def run(
    command: list[str], house: Installation, *, typed: str = "", **more: str
) -> subprocess.CompletedProcess[str]:
    """What becomes of a command on the database of an installation, with nothing of this process's own settings."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("TENANTRY_")}
    environ = inherited | {
        "TENANTRY_ENVIRONMENT": "development",
        "TENANTRY_DATABASE_URL": house.runtime.database.url,
        "TENANTRY_DATA": house.runtime.settings.data,
        "TENANTRY_MASTER_KEYS": MASTER_KEYS,
    }
    return await asyncio.to_thread(
        subprocess.run, command, env=environ | more, capture_output=True, text=True, check=False, timeout=90,
        input=typed,
    )  # fmt: skip


async def run_with_plans(command: list[str], house: Installation) -> subprocess.CompletedProcess[str]:
    """The same, by the plan file in the installation's folder."""
    return await run(command, house, TENANTRY_PLAN_FILE=f"{house.runtime.settings.data}/plans.toml")
