"""A program that ends with whoever sent it, from its first moment on: `errand PID MODULE WORDS...`."""

from __future__ import annotations

import os
import sys

from tenantry.foundation.parent import die_with_parent


def sent_by(pid: int, module: str, *words: str) -> tuple[str, ...]:
    """The command that runs a module so."""
    return (sys.executable, "-m", __name__, str(pid), module, *words)


def main() -> None:
    """Become the program."""
    die_with_parent(int(sys.argv[1]))
    # the promise to die survives becoming another program
    os.execv(sys.executable, (sys.executable, "-m", *sys.argv[2:]))  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
