"""Flags: what is switched on for whom, decided in memory by rules that operators change while all runs."""

from __future__ import annotations

from tenantry.flags.exchanges import Flags, flag_is_on, flag_value, flags_for, flags_of

__all__ = ["Flags", "flag_is_on", "flag_value", "flags_for", "flags_of"]
