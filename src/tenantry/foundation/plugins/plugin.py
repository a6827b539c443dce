"""One plugin as an operator sees it: what it is called, where it comes from, and whether it works."""

from __future__ import annotations

from typing import Literal

import msgspec

GROUP = "tenantry.plugins"
"""The entry point group: a plugin's name leads to its manifest, `notes = "notes.domain:domain"`."""
PluginState = Literal["ok", "off", "missing", "broken", "unfit", "needs_core"]


class Plugin(msgspec.Struct, frozen=True):
    """A plugin: `off` is installed and not enabled, `missing` the opposite, the rest is what became of loading it."""

    name: str
    distribution: str | None = None
    version: str | None = None
    state: PluginState = "ok"
    why: str = ""

    def as_state(self, state: PluginState, why: str) -> Plugin:
        """The same plugin, found to be otherwise."""
        return msgspec.structs.replace(self, state=state, why=why)
