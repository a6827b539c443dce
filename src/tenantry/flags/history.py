"""Which flags an organization had an override of at any instant: which event changes which row."""

from __future__ import annotations

from datetime import datetime

import msgspec

from tenantry.flags.events import FlagOverridden, FlagOverrideLifted
from tenantry.foundation.events.folding import Fold, Rows, Said


class OverrideThen(msgspec.Struct, frozen=True):
    """An organization's own variant of a flag, as it was."""

    flag_key: str
    variant: str
    reason: str
    created_at: datetime
    updated_at: datetime


overrides = Fold("flag_overrides", OverrideThen, ids={}, left_out={"org_id": "whose history is folded"})


@overrides.on(FlagOverridden)
def _given(rows: Rows[OverrideThen], said: Said[FlagOverridden]) -> None:
    one, before = said.event, rows.get(said.event.flag_key)
    since = said.at if before is None else before.created_at
    rows[one.flag_key] = OverrideThen(one.flag_key, one.variant, one.reason, since, said.at)


@overrides.on(FlagOverrideLifted)
def _lifted(rows: Rows[OverrideThen], said: Said[FlagOverrideLifted]) -> None:
    del rows[said.event.flag_key]


FOLDS = (overrides,)
