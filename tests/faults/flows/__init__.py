"""The table of what is asked for while something dies, a file a noun."""

from __future__ import annotations

from typing import Any

from faults.flow import Flow

from .closing import CLOSING
from .inviting import INVITING
from .joining import JOINING
from .organizations import CLOSING_ORGS, FOUNDING
from .recovering import RECOVERING
from .revoking import REVOKING
from .rotating import ROTATING
from .signing_in import SIGNING_IN

FLOWS: tuple[Flow[Any], ...] = (
    *(*JOINING, *SIGNING_IN, *RECOVERING, *CLOSING, *REVOKING, *ROTATING),
    *(*FOUNDING, *CLOSING_ORGS, *INVITING),
)

__all__ = ["FLOWS"]
