"""Lints every migration with squawk, as the SQL that `migrate` would run: `python -m tests.rules.squawk`."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tenantry.foundation.data import migrations

ROOT = Path(__file__).parents[2]
# made by Alembic the way it always does, and never altered
ALEMBICS_OWN = re.compile(rf"CREATE TABLE {re.escape(migrations.TABLE)} \(.*?\);", re.DOTALL)


def main() -> int:
    """Squawk's exit code; its findings are printed."""
    squawk = Path(sys.executable).parent / "squawk"
    with tempfile.TemporaryDirectory() as folder:
        files = [_write(Path(folder), revision, sql) for revision, sql in migrations.plan()]
        command = [squawk, "--config", ROOT / ".squawk.toml", "--reporter", "gcc", *files]
        return subprocess.run(command, check=False, timeout=60).returncode


def _write(folder: Path, revision: str, sql: str) -> Path:
    file = folder / f"{revision}.sql"
    file.write_text(ALEMBICS_OWN.sub("", sql), encoding="utf-8")
    return file


if __name__ == "__main__":
    sys.exit(main())
