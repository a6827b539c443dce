"""Every SQL statement against the real schema, and every SQL text against the rules on clocks and settings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from rules.source import modules, texts
from tenantry.foundation.data import migrations
from tenantry.foundation.data.sql import every_statement
from tenantry.testing import statements
from tenantry.testing.statements import Fault, clock_faults, setting_faults

# starts like SQL; the checker's own words about clocks are not statements
SQL = re.compile(r"\s*(select|insert|update|delete|with|set|reset|begin|create|alter|grant|revoke|drop|do|copy)\s")
CHECKER = "tenantry.testing.statements"
# the definitions of our two clocks are the only place that may ask PostgreSQL for its own
OUR_CLOCKS = re.compile(r"create (?:or replace )?function tenantry\.(?:now|tick)\(\).*?;", re.DOTALL)
THEIR_CLOCKS = re.compile(
    r"(?<!tenantry\.)\bnow\s*\(|\b(?:clock|statement|transaction)_timestamp|\bcurrent_(?:timestamp|date)"
)


@dataclass(frozen=True)
class Text:
    """SQL that is not a typed statement."""

    name: str
    sql: str
    parameters: tuple[str, ...] = ()
    shape: str = "run"
    row: Any = None
    not_null: frozenset[str] = frozenset()


def _texts_of_the_code() -> Iterator[Text]:
    for name, module in modules().items():
        if not name.startswith((CHECKER, "tenantry.migrations.")):
            for line, text in texts(module):
                if SQL.match(text):
                    yield Text(f"{module.place}:{line}", text)


def _texts_of_the_migrations() -> list[Text]:
    return [Text(f"revision {revision}", sql) for revision, sql in migrations.plan()]


@pytest.mark.usefixtures("every_module")
async def test_every_statement_fits_the_schema_and_the_struct_it_fills(owner: asyncpg.Connection[Any]) -> None:
    known = [statement for statement in every_statement() if statement.name.startswith("tenantry.")]
    assert known
    faults: list[Fault] = await statements.check(owner, known)
    assert not faults, "\n".join(map(str, faults))


def test_the_only_clocks_are_ours() -> None:
    code = [text for text in _texts_of_the_code() if "data/migrations.py" not in text.name]
    faults = clock_faults([*code, *_texts_of_the_migrations()])
    assert not faults, "\n".join(map(str, faults))


def test_a_function_in_the_schema_asks_no_other_clock_either() -> None:
    for text in _texts_of_the_migrations():
        assert not THEIR_CLOCKS.findall(OUR_CLOCKS.sub("", text.sql)), text.name


def test_no_setting_outlives_its_transaction() -> None:
    faults = setting_faults([*_texts_of_the_code(), *_texts_of_the_migrations()])
    assert not faults, "\n".join(map(str, faults))
