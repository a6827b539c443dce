"""Everything sealed is sealed anew under the first master key, beside whatever goes on; what does not open is named."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import msgspec
import pytest

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import USER_ID, new_id
from tenantry.foundation.data.sql import Run
from tenantry.foundation.domain import BadDomains, Domain, Registry
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.keyring import KeyRing, NewKey, place_of, sealed_private
from tenantry.foundation.security.keys import MasterKeys, new_master_key
from tenantry.foundation.security.resealing import PASSES, Resealed, reseal
from tenantry.foundation.security.sealed import SealedColumn
from tenantry.foundation.security.sealing import Sealer, place
from tenantry.foundation.security.succession import keep_key, move_along, replace_at_once
from tenantry.foundation.work import SystemWork
from tenantry.testing import Installation, installed
from tenantry.testing.installation import MASTER_KEYS

FIRST = new_master_key("first").reveal()
after_it_all = Sealer(MasterKeys.parse(FIRST))
CLAIMS = {"subject": "usr_1", "session": "ses_1"}
KEYS = 5


@pytest.fixture
async def turned(database_url: str, registry: Registry, tmp_path: Path) -> AsyncIterator[Installation]:
    """An installation that has a new master key in front of the one that sealed what is there."""
    async with installed(database_url, tmp_path, registry=registry) as before:
        for _ in range(KEYS - 1):
            key = NewKey.sealed_by(before.runtime.sealer)
            async with _work(before.runtime) as work:
                await keep_key(
                    work, kid=key.kid, state="retiring", public_key=key.public_key, sealed_private=key.sealed_private
                )
    environ = {"TENANTRY_MASTER_KEYS": f"{FIRST},{MASTER_KEYS}"}
    async with installed(database_url, tmp_path, registry=registry, environ=environ) as after:
        yield after


def _call(runtime: Runtime) -> Call:
    return Call(runtime, Actor("cli", name="a test"), "request-of-a-test")


def _work(runtime: Runtime) -> SystemWork:
    return SystemWork(_call(runtime), reason="a test")


async def _reseal(house: Installation, columns: tuple[SealedColumn, ...] | None = None) -> Resealed:
    return await reseal(_call(house.runtime), columns or house.registry.sealed)


async def _needs(house: Installation) -> list[str]:
    """The keys that the first master key alone does not open."""
    rows = await house.rows("select kid, sealed_private from tenantry.signing_keys where state <> 'retired'")
    return [row["kid"] for row in rows if house.runtime.sealer.needs_reseal(row["sealed_private"])]


async def test_everything_is_sealed_under_the_first_key_and_the_others_are_not_needed(turned: Installation) -> None:
    assert len(await _needs(turned)) == KEYS
    assert await _reseal(turned) == Resealed(resealed=KEYS, already=0)
    ring = KeyRing(turned.runtime.database, after_it_all, issuer="tenantry")
    await ring.load()
    assert await ring.verify(ring.issue(CLAIMS)[0])


async def test_running_it_again_changes_nothing(turned: Installation) -> None:
    await _reseal(turned)
    rows = "select kid, sealed_private from tenantry.signing_keys order by kid"
    before = await turned.rows(rows)
    assert await _reseal(turned) == Resealed(resealed=0, already=KEYS)
    assert await turned.rows(rows) == before


async def test_stopped_half_way_it_goes_on_where_it_was(turned: Installation) -> None:
    third = msgspec.structs.replace(_meanwhile(sealed_private, at=3, do=_stop), at_once=2)
    with pytest.raises(KeyboardInterrupt):
        await _reseal(turned, (third,))
    assert len(await _needs(turned)) == KEYS - 2
    assert await _reseal(turned) == Resealed(resealed=KEYS - 2, already=2)


async def test_rows_that_do_not_open_are_named_and_hold_nothing_up(turned: Installation) -> None:
    kids = sorted(await _needs(turned))
    for kid, blob in ((kids[0], b"garbage"), (kids[3], after_it_all.seal(b"moved", aad="elsewhere"))):
        await turned.rows(
            "update tenantry.signing_keys set sealed_private = $2 where kid = $1 returning kid", kid, blob
        )
    found = await _reseal(turned)
    assert (found.resealed, found.already) == (KEYS - 2, 0)
    assert found.broken == (
        f"signing_keys.sealed_private of {kids[0]}: malformed",
        f"signing_keys.sealed_private of {kids[3]}: altered",
    )


async def test_a_value_that_changes_meanwhile_is_not_overwritten(turned: Installation) -> None:
    async def retire_all() -> None:
        async with _work(turned.runtime) as work:
            await replace_at_once(work)

    # after it was read and before it is replaced
    column = _meanwhile(sealed_private, at=1, do=retire_all)
    found = await _reseal(turned, (column,))
    assert found == Resealed(resealed=0, already=1)
    retired = await turned.rows("select sealed_private from tenantry.signing_keys where state = 'retired'")
    assert [row["sealed_private"] for row in retired] == [b""] * KEYS


async def test_a_value_that_somebody_sealed_under_the_old_key_meanwhile_is_looked_at_again(
    turned: Installation,
) -> None:
    old = Sealer(MasterKeys.parse(MASTER_KEYS))

    async def seal_all_anew() -> None:
        for row in await turned.rows("select kid, sealed_private from tenantry.signing_keys"):
            plain = old.open(row["sealed_private"], aad=place_of(row["kid"]))
            blob = old.seal(plain, aad=place_of(row["kid"]))
            await turned.rows(
                "update tenantry.signing_keys set sealed_private = $2 where kid = $1 returning kid", row["kid"], blob
            )

    found = await _reseal(turned, (_meanwhile(sealed_private, at=1, do=seal_all_anew),))
    assert (found.resealed, found.broken) == (KEYS, ())
    assert await _needs(turned) == []


async def test_a_column_that_keeps_changing_is_said_to_be_unfinished(turned: Installation) -> None:
    nothing = msgspec.structs.replace(
        sealed_private,
        replace=Run(
            "update tenantry.signing_keys set sealed_private = :fresh"
            " where kid = :row and sealed_private = :old and false"
        ),
    )
    found = await _reseal(turned, (nothing,))
    assert found.broken == (f"signing_keys.sealed_private keeps changing after {PASSES} passes",)


async def test_it_goes_on_beside_a_rotation(turned: Installation) -> None:
    async def rotate() -> None:
        for _ in range(5):
            async with _work(turned.runtime) as work:
                await move_along(work, begin=True)
            async with _work(turned.runtime) as work:
                await replace_at_once(work)

    await asyncio.gather(rotate(), *(_reseal(turned) for _ in range(3)))
    assert (await _reseal(turned)).broken == ()
    assert await _needs(turned) == []
    ring = KeyRing(turned.runtime.database, after_it_all, issuer="tenantry")
    await ring.load()
    assert await ring.verify(ring.issue(CLAIMS)[0])


async def test_every_declared_column_is_gone_through(turned: Installation) -> None:
    ada = await turned.person()
    asked = new_id()
    old = Sealer(MasterKeys.parse(MASTER_KEYS))
    here = place("exports", "sealed", org=None, row=asked)
    await turned.rows(
        "insert into tenantry.exports (id, user_id, sealed, expires_at) values ($1, $2, $3, now()) returning id",
        asked,
        USER_ID.read(ada.user_id),
        old.seal(b"all there is about Ada", aad=here),
    )
    assert await _reseal(turned) == Resealed(resealed=KEYS + 1, already=0)
    (row,) = await turned.rows("select sealed from tenantry.exports")
    assert after_it_all.open(row["sealed"], aad=here) == b"all there is about Ada"


async def test_every_sealed_column_of_the_schema_is_declared(installation: Installation) -> None:
    owner = await asyncpg.connect(installation.runtime.database.url)
    found = await owner.fetch(
        """
        select relname || '.' || attname as name
          from pg_attribute
          join pg_class on pg_class.oid = attrelid
         where relnamespace = 'tenantry'::regnamespace
           and relkind in ('r', 'p')
           and not relispartition
           and atttypid = 'bytea'::regtype
           and attname like 'sealed%'
        """
    )
    await owner.close()
    # what is kept for a day is over before anybody takes a key away
    over_soon = {"kept_answers.sealed"}
    assert {row["name"] for row in found} - over_soon == {column.name for column in installation.registry.sealed}


def test_a_sealed_column_is_declared_once() -> None:
    with pytest.raises(BadDomains, match=r"signing_keys\.sealed_private is declared twice"):
        Registry([Domain(name="another", sealed=(sealed_private,))])


async def _stop() -> None:
    raise KeyboardInterrupt


def _meanwhile(column: SealedColumn, *, at: int, do: object) -> SealedColumn:
    """The column, where something happens just before its n-th value is replaced."""

    class Watched:
        seen = 0

        async def __call__(self, work: SystemWork, **values: object) -> int:
            self.seen += 1
            if self.seen == at:
                await do()  # type: ignore[operator]
            return await column.replace(work, **values)

    return msgspec.structs.replace(column, replace=Watched())
