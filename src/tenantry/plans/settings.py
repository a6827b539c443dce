"""The settings of plans, and the plan file that they name."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

import msgspec

from tenantry.plans.models import EVERYTHING, Catalogue
from tenantry.settings import says, variable

LARGEST_FILE = 1_000_000


class PlanSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which plans there are, and where somebody who needs another one is sent."""

    plan_file: Annotated[
        str, says("The plan file (TOML). Default: one free plan with everything.", extra={"holds": Catalogue})
    ] = ""
    link_upgrade: Annotated[
        str,
        says("Where somebody is sent whose plan is not enough, with `{org}`.", pattern=r"^$|^https?://.*\{org\}"),
    ] = ""

    def faults(self) -> list[str]:
        """What is wrong with the plan file."""
        try:
            return [f"{variable('plan_file')}: {fault}" for fault in read_catalogue(self.plan_file).faults()]
        except (OSError, ValueError) as error:
            return [f"{variable('plan_file')}: {error}"]

    @property
    def catalogue(self) -> Catalogue:
        """The plans; read once in the life of a process."""
        return read_catalogue(self.plan_file)


@cache
def read_catalogue(path: str) -> Catalogue:
    """The plan file; OSError or ValueError for one that cannot be read."""
    if not path:
        return EVERYTHING
    with Path(path).open("rb") as file:
        text = file.read(LARGEST_FILE + 1)
    if len(text) > LARGEST_FILE:
        raise ValueError(f"it is larger than {LARGEST_FILE} bytes")
    return msgspec.toml.decode(text, type=Catalogue)
