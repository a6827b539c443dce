"""Distributions that are installed for one test: written into a folder on the path, and forgotten with it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

MANIFEST = """
from tenantry import Domain
domain = Domain(name="{name}"{more})
"""


class Shelf:
    """A folder of distributions."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        monkeypatch.syspath_prepend(str(folder))

    def put(
        self, name: str, manifest: str | None = None, *, more: str = "", dist: str | None = None, package: str = "",
        entry: str | None = None, files: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        """A distribution with a package and its entry point."""
        package = package or name
        home = self.folder.joinpath(*package.split("."))
        home.mkdir(parents=True, exist_ok=True)
        written = {"__init__.py": "", "domain.py": manifest or MANIFEST.format(name=name, more=more)} | (files or {})
        for file, text in written.items():
            place = home / file
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        self.announce(name, entry or f"{package}.domain:domain", dist=dist or f"tenantry-{name}")
        for module in [known for known in sys.modules if known.split(".")[0] == package.split(".")[0]]:
            self._monkeypatch.delitem(sys.modules, module)

    def announce(self, name: str, entry: str, *, dist: str) -> None:
        """An installed distribution with nothing but an entry point."""
        info = self.folder / f"{dist.replace('-', '_')}-1.2.3.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.2.3\n")
        (info / "entry_points.txt").write_text(f"[tenantry.plugins]\n{name} = {entry}\n")
