"""The wheel's build step: every letter is set from its MJML source, and the pages travel in the wheel.

Not here: how a letter is set (`foundation/net/typeset.py`). That file is loaded by its path, because a build
has only the build group, not what Tenantry needs to run.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = Path("src/tenantry")
TYPESET = PACKAGE / "foundation/net/typeset.py"


class Letters(BuildHookInterface[Any]):
    """Set the letters before the files of a wheel, or of an editable install, are chosen."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        pages = _typeset(root).build_all(root / PACKAGE)
        # named one by one: git ignores the pages, and what git ignores is in a wheel only as an artifact
        build_data["artifacts"].extend(page.relative_to(root).as_posix() for page in pages)


def _typeset(root: Path) -> Any:
    spec = importlib.util.spec_from_file_location("tenantry_typeset", root / TYPESET)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(root / TYPESET)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
