"""Flags as code asks for them: the process's snapshot, and the handle by which it is asked.

Not here: the OpenFeature provider, which is imported by whoever has its SDK.
"""

from __future__ import annotations

from tenantry.flags.exchanges.evaluating import Flags, flag_is_on, flag_value, flags_for, flags_of
from tenantry.flags.exchanges.keeping import FlagsKept, flags_kept

__all__ = ["Flags", "FlagsKept", "flag_is_on", "flag_value", "flags_for", "flags_kept", "flags_of"]
