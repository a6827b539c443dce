"""What a command can ask of the assembly, which is imported when the first command asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from tenantry.foundation.domain import Registry
from tenantry.foundation.runtime import Runtime
from tenantry.settings import Reading


class Assembly:
    """The assembled installation, opened late."""

    def __init__(self, assemble: Callable[[], Any]) -> None:
        self._assemble = assemble
        self._known: Registry | None = None

    def registry(self) -> Registry:
        """Everything that the domains bring; found once, because with plugins it is asked for often and costs more."""
        if self._known is None:
            self._known = cast(Registry, self._assemble().registry())
        return self._known

    def reading(self) -> Reading:
        """The settings in force."""
        return cast(Reading, self._assemble().read(self.registry()))

    def equip(self) -> tuple[Runtime, Registry]:
        """A runtime, and the registry it was built from."""
        return cast("tuple[Runtime, Registry]", self._assemble().equip())
