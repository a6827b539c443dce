"""The start of the command line. The assembly is handed over unopened: `serve` starts its workers without it."""

from __future__ import annotations

import importlib

from tenantry.entrypoints.cli import run


def main() -> None:
    """Run one command and exit with its code."""
    # late: the assembly imports every domain, and the parent of the web workers needs none of them
    run(lambda: importlib.import_module("tenantry.assemble"))


if __name__ == "__main__":
    main()
