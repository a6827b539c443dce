"""What each kind of file in a domain may not hold: no rules in ways in, no network in verbs, no writes in reads."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from rules.source import Module, imports, modules, texts

SQL = "tenantry.foundation.data.sql"
NETWORK = ("tenantry.foundation.net", "aiohttp", "asyncio", "httpx", "socket", "smtplib", "urllib.request", "stripe")
MAIL = ("tenantry.foundation.net.letters", "tenantry.foundation.net.mail", "tenantry.foundation.net.smtp")
DATABASE = ("tenantry.foundation.data.database", "tenantry.foundation.data.pool", "tenantry.foundation.work", "asyncpg")
CLOCK = ("time", "tenantry.foundation.data.clock", "tenantry.settings")
# an address is text with a canonical form, and a job to be asked for a value: neither asks anybody
ASKS_NOBODY = {"tenantry.foundation.net.address", "tenantry.foundation.jobs.job"}
FORBIDDEN = {
    "models": (*NETWORK, *DATABASE, *CLOCK, SQL, "os", "random"),
    "events": (*NETWORK, *DATABASE, *CLOCK, SQL),
    "permissions": (*NETWORK, *DATABASE, *CLOCK, SQL),
    "problems": (*NETWORK, *DATABASE, *CLOCK, SQL),
    "queries": (*NETWORK, "tenantry.foundation.events", "tenantry.foundation.jobs"),
    "history": (*NETWORK, *DATABASE, *CLOCK, SQL),
    "actions": (*NETWORK, "tenantry.foundation.jobs", "tenantry.foundation.routes", "time"),
    "exchanges": (SQL, "tenantry.foundation.routes", "tenantry.foundation.jobs"),
    "jobs": (SQL, "tenantry.foundation.routes"),
    "http": (SQL, *MAIL, "tenantry.foundation.jobs", "asyncpg"),
    "graph": (SQL, *MAIL, "tenantry.foundation.jobs", "asyncpg"),
    "console": (SQL, *MAIL, "tenantry.foundation.jobs", "asyncpg"),
    "cli": (SQL, *MAIL, "asyncpg"),
    "domain": (SQL, *NETWORK, *DATABASE),
}
WRITES = re.compile(r"^\s*(?:with\b.*\b)?(?:insert\s+into|update\s+tenantry|delete\s+from|merge\s+into)\b", re.DOTALL)
DECLARES = re.compile(r"^@(?:routes\.|on\(|every\(|handles\(|consumer\()", re.MULTILINE)


def _files(kind: str) -> Iterator[Module]:
    for module in modules().values():
        if module.domain and module.name.split(".")[2:3] == [kind]:
            yield module


@pytest.mark.parametrize("kind", sorted(FORBIDDEN))
def test_a_kind_of_file_keeps_to_its_task(kind: str) -> None:
    strays = [
        f"{module.place}:{found.line} imports {found.target}"
        for module in _files(kind)
        for found in imports(module)
        if found.target not in ASKS_NOBODY and any(_is_in(found.target, package) for package in FORBIDDEN[kind])
    ]
    assert not strays


def _is_in(target: str, package: str) -> bool:
    return target == package or target.startswith(package + ".")


def test_reads_write_nothing() -> None:
    for module in _files("queries"):
        assert not [line for line, text in texts(module) if WRITES.match(text)], module.place
        assert ".record(" not in module.text


def test_rows_and_facts_do_not_change() -> None:
    for kind in ("models", "events"):
        for module in _files(kind):
            loose = [
                line for line in module.text.splitlines() if "msgspec.Struct" in line and "frozen=True" not in line
            ]
            assert not loose, module.place


def test_a_table_of_contents_holds_no_logic() -> None:
    for module in _files("domain"):
        assert not re.search(r"^\s*(?:def|async def|class|if|for|while)\b", module.text, re.MULTILINE), module.place


def test_a_file_that_declares_jobs_or_routes_is_imported_by_its_folder() -> None:
    """What nobody imports declares nothing, and nobody would notice."""
    forgotten = [
        module.place
        for kind in ("jobs", "http")
        for module in _files(kind)
        if DECLARES.search(module.text) and module.name not in _imported_by(module.name.rpartition(".")[0])
    ]
    assert not forgotten


def _imported_by(folder: str) -> set[str]:
    """What a folder imports; what is one file stands in its domain's folder, and the manifest imports it."""
    places = [name for name in (folder, f"{folder}.domain") if name in modules()]
    return {found.target for name in places for found in imports(modules()[name])}
