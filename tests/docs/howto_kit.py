"""What a page of the documentation has to be typed: its commands, its files, and a shell to type them in."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from commands import run
from tenantry.testing import Installation

DOCS = Path(__file__).parents[2] / "docs"
RUN = re.compile(r"^<!-- run(?:: (\w+))? -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^<!-- file: (\S+) -->\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
FIELD = f"{sys.executable} -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])'"


def commands_of(page: str, name: str = "") -> list[str]:
    """The blocks of a page that are to be typed under a name, in their order."""
    found = RUN.findall((DOCS / page).read_text(encoding="utf-8"))
    return [text for named, text in found if named == name]


def files_of(page: str) -> dict[str, str]:
    """The files that a page shows, by their paths."""
    return dict(FILE.findall((DOCS / page).read_text(encoding="utf-8")))


async def types(
    house: Installation, typed: str, *, more: dict[str, str] | None = None, **named: str
) -> subprocess.CompletedProcess[str]:
    """What becomes of commands in a shell that knows `tenantry`, `field` and what is named."""
    start = "".join(f"{name}={text!r}\n" for name, text in {"url": house.origin, **named}.items())
    script = f'field() {{ {FIELD} "$1"; }}\n{start}{typed}'
    return await run(["bash", "-euo", "pipefail", "-c", script], house, **({"PATH": PATH} | (more or {})))
