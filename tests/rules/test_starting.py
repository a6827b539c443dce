"""What a start loads: a process pays only for what it does."""

from __future__ import annotations

import subprocess
import sys

# the parent of the web workers, as `tenantry serve` makes it: the command line and the server, no domain
PARENT = "import tenantry.__main__, tenantry.entrypoints.http.server"
WEB = "import tenantry.assemble"
ONLY_MIGRATORS = {"alembic", "sqlalchemy"}
ONLY_BUILDS = {"mjml", "hatchling"}
ONLY_OUTGOING = {"aiohttp", "stripe", "httpx"}


def _loaded(start: str) -> set[str]:
    code = f"import sys; {start}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


def test_the_parent_of_the_web_workers_loads_neither_the_framework_nor_a_domain() -> None:
    loaded = _loaded(PARENT)
    heavy = {"litestar", "zxcvbn_rs_py", *ONLY_MIGRATORS, *ONLY_BUILDS, *ONLY_OUTGOING}
    assert not heavy & loaded
    assert not {name for name in loaded if name.startswith(("tenantry.accounts", "tenantry.assemble"))}


def test_a_web_worker_loads_nothing_that_only_others_use() -> None:
    assert not (ONLY_MIGRATORS | ONLY_BUILDS | ONLY_OUTGOING) & _loaded(WEB)
