"""Flags themselves: made, changed, killed, revived and removed. Each change moves the version that processes watch."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from msgspec.structs import asdict

from tenantry.flags import queries
from tenantry.flags.events import FlagChanged, FlagKilled, FlagOverrideLifted, FlagRemoved, FlagRevived
from tenantry.flags.models import Definition, StoredFlag, chain_fault, declared
from tenantry.flags.problems import BadFlag, FlagNeeded, UnknownFlag
from tenantry.foundation.action import action
from tenantry.foundation.data.sql import one, run, value, values
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.problems import FieldError, VersionMismatch
from tenantry.foundation.work import SystemWork

MOST_FLAGS = 1_000
"""Flags of an installation."""
MOST_FAULTS = 20
_text = msgspec.json.Encoder().encode

# its row is locked until the commit, so that those who change flags go one after the other
move_on = run("update tenantry.flags_version set version = version + 1, changed_at = tenantry.tick()")

keep_flag = one(
    StoredFlag,
    """
    insert into tenantry.flags as known (key, kind, variants, default_variant, off_variant, rules, salt, visible,
                                         description, team, expires_at, same_since)
    values (:key, :kind, :variants::text::jsonb, :default, :off, :rules::text::jsonb, :salt, :visible,
            :description, :team, :expires, case when :is_same then tenantry.now() end)
        on conflict (key) do update
       set kind = excluded.kind, variants = excluded.variants, default_variant = excluded.default_variant,
           off_variant = excluded.off_variant, rules = excluded.rules, salt = excluded.salt,
           visible = excluded.visible, description = excluded.description, team = excluded.team,
           expires_at = excluded.expires_at, updated_at = tenantry.now(), version = known.version + 1,
           same_since = case when not :is_same then null when :same_as_before then known.same_since
                             else tenantry.now() end
 returning key, kind, variants, default_variant, off_variant, rules, salt, killed, visible, description, team,
           expires_at, same_since, version, created_at, updated_at
    """,
)

set_killed = value(
    int,
    """
    update tenantry.flags
       set killed = :killed, version = version + 1, updated_at = tenantry.now()
     where key = :key
       and killed <> :killed
 returning version
    """,
)

forget_flag = run("delete from tenantry.flags where key = :key")
forget_overrides = values(UUID, "delete from tenantry.flag_overrides where flag_key = :key returning org_id")
forget_evaluations = run("delete from tenantry.flag_evaluations where flag_key = :key")


@action(requires=HOUSE, records=FlagChanged)
async def put_flag(work: SystemWork, *, key: str, definition: Definition, if_version: int | None = None) -> StoredFlag:
    """Make a flag, or define it otherwise; `if_version` is the one to be changed, 0 for one that is not there."""
    await move_on(work)
    before = await queries.flag(work, key=key)
    if if_version not in (None, 0 if before is None else before.version):
        raise VersionMismatch
    await _check(work, key, definition, before)
    return await _keep(work, key, definition, before)


@action(requires=HOUSE, records=(FlagChanged, FlagKilled))
async def kill_flag(work: SystemWork, *, key: str) -> None:
    """Turn a flag off for everybody, whatever its rules and overrides say."""
    await hold_flag(work, key)
    version = await set_killed(work, key=key, killed=True)
    if version is not None:
        work.record(FlagKilled(flag_key=key, flag_version=version), was={"flag_key": key, "flag_version": version - 1})


@action(requires=HOUSE, records=(FlagChanged, FlagRevived))
async def revive_flag(work: SystemWork, *, key: str) -> None:
    """Let a flag that was killed go by its rules and overrides again."""
    await hold_flag(work, key)
    version = await set_killed(work, key=key, killed=False)
    if version is not None:
        work.record(FlagRevived(flag_key=key, flag_version=version), was={"flag_key": key, "flag_version": version - 1})


@action(requires=HOUSE, records=(FlagRemoved, FlagOverrideLifted))
async def remove_flag(work: SystemWork, *, key: str) -> None:
    """Remove a flag with all its overrides; one that a domain declares is as that declares it from then on."""
    await move_on(work)
    if await queries.flag(work, key=key) is None:
        raise UnknownFlag
    needing = [other for other, needs in (await _needs(work)).items() if key in needs and not _is_declared(work, key)]
    if needing:
        raise FlagNeeded(f"{', '.join(sorted(needing))}: there are rules that need this flag.")
    for org_id in await forget_overrides(work, key=key):
        work.record(FlagOverrideLifted(org_id=org_id, flag_key=key))
    await forget_evaluations(work, key=key)
    await forget_flag(work, key=key)
    work.record(FlagRemoved(flag_key=key))


async def hold_flag(work: SystemWork, key: str) -> StoredFlag:
    """A flag that nobody else changes until the commit; one that is declared only gets its row now."""
    await move_on(work)
    found = await queries.flag(work, key=key)
    if found is not None:
        return found
    own = next((flag for flag in work.runtime.flags if flag.key == key), None)
    if own is None:
        raise UnknownFlag(f"There is no flag {key}, and no domain declares one.")
    return await _keep(work, key, declared(own), None)


async def _keep(work: SystemWork, key: str, definition: Definition, before: StoredFlag | None) -> StoredFlag:
    old = None if before is None else before.readable
    given = asdict(definition) | {
        "variants": _text(definition.variants).decode(),
        "rules": _text(definition.rules).decode(),
        "is_same": definition.same is not None,
        "same_as_before": old is not None and _same_value(old) == _same_value(definition),
    }
    kept = await keep_flag(work, key=key, **given)
    was = None if old is None or before is None else asdict(_changed(key, old, before.version))
    work.record(_changed(key, definition, kept.version), was=was)
    return kept


def _same_value(definition: Definition) -> Any:
    return None if definition.same is None else (definition.same, definition.variants.get(definition.same))


def _changed(key: str, one: Definition, version: int) -> FlagChanged:
    return FlagChanged(
        flag_key=key, values_are=one.kind, variants=dict(one.variants), default_variant=one.default,
        off_variant=one.off, rules=[msgspec.to_builtins(rule) for rule in one.rules], salt=one.salt,
        visible=one.visible, description=one.description, team=one.team, expires_at=one.expires, flag_version=version,
    )  # fmt: skip


async def _check(work: SystemWork, key: str, definition: Definition, before: StoredFlag | None) -> None:
    faults = list(definition.faults())
    needs = await _needs(work) | {key: definition.needs}
    faults += [f"there is no flag {other} to need" for other in sorted(definition.needs - needs.keys() - {key})]
    faults += [f"{one}: {fault}" for one in sorted(needs) if (fault := chain_fault(needs, one))]
    if own := next((flag for flag in work.runtime.flags if flag.key == key and flag.kind != definition.kind), None):
        faults.append(f"it is declared to be a {own.kind}")
    overridden = set(await queries.overridden_variants(work, key=key)) - definition.variants.keys()
    faults += [f"an organization has the variant {variant} by an override" for variant in sorted(overridden)]
    if before is None and (await queries.how_many(work) or 0) >= MOST_FLAGS:
        faults.append(f"there are {MOST_FLAGS} flags already")
    if faults:
        told = tuple(FieldError("body", fault) for fault in faults[:MOST_FAULTS])
        raise BadFlag(f"This does not make a flag: {'; '.join(faults[:MOST_FAULTS])}.", errors=told)


async def _needs(work: SystemWork) -> dict[str, set[str]]:
    """What each flag needs of others; one that cannot be read needs nothing."""
    stored = {row.key: row.readable for row in await queries.every_flag(work)}
    return {flag.key: set[str]() for flag in work.runtime.flags} | {
        key: set[str]() if found is None else found.needs for key, found in stored.items()
    }


def _is_declared(work: SystemWork, key: str) -> bool:
    return any(flag.key == key for flag in work.runtime.flags)
