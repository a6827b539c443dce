"""The wheel's build step: letters are set from their MJML sources, the console's files of others are fetched, and both
travel in the wheel.

Not here: how a letter is set (`foundation/net/typeset.py`), and what is fetched (`entrypoints/console/fetch.py`). Those
files are loaded by their paths, because a build has only the build group, not what Tenantry needs to run.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = Path("src/tenantry")
TYPESET = PACKAGE / "foundation/net/typeset.py"
FETCH = PACKAGE / "entrypoints/console/fetch.py"


class Made(BuildHookInterface[Any]):
    """Make what is in no repository before the files of a wheel, or of an editable install, are chosen."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        fetching = _loaded(root / FETCH)
        fetching.main()
        made = [*_loaded(root / TYPESET).build_all(root / PACKAGE), *fetching.FETCHED.glob("*")]
        # named one by one: git ignores them, and what git ignores is in a wheel only as an artifact
        build_data["artifacts"].extend(path.relative_to(root).as_posix() for path in made)


def _loaded(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"tenantry_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
