"""What an organization has of a flag whatever its rules say."""

from __future__ import annotations

from uuid import UUID

from msgspec.structs import asdict

from tenantry.flags import queries
from tenantry.flags.actions.flags import hold_flag, move_on
from tenantry.flags.events import FlagChanged, FlagOverridden, FlagOverrideLifted
from tenantry.flags.problems import NothingOverridden, UnknownVariant
from tenantry.foundation.action import action
from tenantry.foundation.data.sql import run, value
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.problems import FieldError, Invalid, NotFound
from tenantry.foundation.work import SystemWork

LONGEST_REASON = 500
"""Characters of why an organization has its own variant of a flag."""

# its key alone: whoever closes or purges it waits, and what its members do does not
hold_org = value(UUID, "select id from tenantry.orgs where id = :org_id for key share")

keep_override = run("""
    insert into tenantry.flag_overrides (org_id, flag_key, variant, reason)
    values (:org_id, :flag_key, :variant, :reason)
        on conflict (org_id, flag_key) do update
       set variant = excluded.variant, reason = excluded.reason, updated_at = tenantry.now()
""")

forget_override = run("delete from tenantry.flag_overrides where org_id = :org_id and flag_key = :key")


@action(requires=HOUSE, records=(FlagChanged, FlagOverridden))
async def override_flag(work: SystemWork, *, org_id: UUID, key: str, variant: str, reason: str) -> None:
    """Give an organization a variant of a flag whatever its rules say, with the reason."""
    flag = await hold_flag(work, key)
    if variant not in flag.definition.variants:
        raise UnknownVariant(f"The flag {key} has no variant {variant}.")
    if not 1 <= len(reason) <= LONGEST_REASON:
        raise Invalid(errors=(FieldError("body.reason", f"1 to {LONGEST_REASON} characters"),))
    if await hold_org(work, org_id=org_id) is None:
        raise NotFound
    before = await queries.override(work, org_id=org_id, key=key)
    given = FlagOverridden(org_id=org_id, flag_key=key, variant=variant, reason=reason)
    await keep_override(work, **asdict(given))
    work.record(given, was=None if before is None else {"flag_key": key, "variant": before.variant})


@action(requires=HOUSE, records=FlagOverrideLifted)
async def lift_flag_override(work: SystemWork, *, org_id: UUID, key: str) -> None:
    """Let an organization have of a flag what its rules give again."""
    await move_on(work)
    before = await queries.override(work, org_id=org_id, key=key)
    if before is None:
        raise NothingOverridden
    await forget_override(work, org_id=org_id, key=key)
    work.record(FlagOverrideLifted(org_id=org_id, flag_key=key), was={"flag_key": key, "variant": before.variant})
