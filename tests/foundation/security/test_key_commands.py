"""`tenantry tokens` and `tenantry secrets` as an operator types them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from typing import Any

import pytest
from typer.testing import CliRunner

from tenantry.entrypoints.cli import build
from tenantry.entrypoints.cli.assembly import Assembly
from tenantry.foundation.domain import BadDomains, Domain, Registry
from tenantry.foundation.security.keys import new_master_key
from tenantry.testing import Installation
from tenantry.testing.installation import MASTER_KEYS

FIRST = new_master_key("first").reveal()


async def _tenantry(house: Installation, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    settings = {
        "TENANTRY_ENVIRONMENT": "development",
        "TENANTRY_DATABASE_URL": house.runtime.database.url,
        "TENANTRY_DATA": house.runtime.settings.data,
        "TENANTRY_MASTER_KEYS": MASTER_KEYS,
    }
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("TENANTRY_")}
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tenantry", *words],
        env=inherited | settings | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )


async def _states(house: Installation) -> list[str]:
    return sorted(row["state"] for row in await house.rows("select state from tenantry.signing_keys"))


async def test_rotating_says_what_was_done_and_what_it_waits_for(installation: Installation) -> None:
    begun = await _tenantry(installation, "tokens", "rotate-keys")
    assert begun.returncode == 0, begun.stderr
    did, waits = begun.stdout.splitlines()
    assert did.endswith(" is next")
    assert " will be active after 20" in waits
    again = await _tenantry(installation, "tokens", "rotate-keys", "--json")
    assert again.returncode == 0
    answer = json.loads(again.stdout)
    assert (answer["done"], [wait["state"] for wait in answer["waiting"]]) == ([], ["active"])
    assert await _states(installation) == ["active", "next"]


async def test_replacing_stolen_keys_is_to_be_meant(installation: Installation) -> None:
    ada = await installation.person()
    asked = await _tenantry(installation, "tokens", "rotate-keys", "--now")
    assert asked.returncode == 2
    assert "--yes" in asked.stderr
    assert await _states(installation) == ["active"]
    meant = await _tenantry(installation, "tokens", "rotate-keys", "--now", "--yes", "--json")
    assert [change["state"] for change in json.loads(meant.stdout)["done"]] == ["retired", "active"]
    await installation.runtime.keys.load()
    assert (await ada.get("/v1/users/me")).status == 401


async def test_revoking_says_how_many_sessions_ended(installation: Installation) -> None:
    ada, bob = await installation.person(), await installation.person()
    one = await _tenantry(installation, "tokens", "revoke", "--user", ada.email)
    assert (one.returncode, one.stdout) == (0, "sessions: 1\n"), one.stderr
    assert [(await someone.get("/v1/users/me")).status for someone in (ada, bob)] == [401, 200]
    everybody = await _tenantry(installation, "tokens", "revoke", "--all", "--json")
    assert json.loads(everybody.stdout) == {"sessions": 1}
    assert (await bob.get("/v1/users/me")).status == 401


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("tokens", "revoke"), 2),
        (("tokens", "revoke", "--all", "--user", "ada@example.com"), 2),
        (("tokens", "revoke", "--user", "nobody@example.com"), 1),
    ],
)
async def test_revoking_what_makes_no_sense_is_refused(house: Installation, words: tuple[str, ...], code: int) -> None:
    done = await _tenantry(house, *words)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr


@pytest.mark.parametrize("words", [("tokens", "rotate-keys"), ("tokens", "revoke", "--all"), ("secrets", "reseal")])
async def test_a_database_that_is_away_is_out_of_reach(house: Installation, words: tuple[str, ...]) -> None:
    done = await _tenantry(house, *words, TENANTRY_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert (done.returncode, done.stdout) == (3, ""), done.stderr
    assert "Traceback" not in done.stderr


async def test_resealing_says_how_much_and_names_what_does_not_open(installation: Installation) -> None:
    keys = {"TENANTRY_MASTER_KEYS": f"{FIRST},{MASTER_KEYS}"}
    done = await _tenantry(installation, "secrets", "reseal", "--json", **keys)
    assert (done.returncode, json.loads(done.stdout)) == (0, {"resealed": 1, "already": 0, "broken": []})
    # only the old key now: nothing opens any more
    lost = await _tenantry(installation, "secrets", "reseal")
    (row,) = await installation.rows("select kid from tenantry.signing_keys")
    assert lost.returncode == 1
    assert f"signing_keys.sealed_private of {row['kid']}: unknown_key" in lost.stderr
    assert (await _tenantry(installation, "secrets", "reseal", **keys)).stdout == (
        "sealed anew: 0, sealed under the first master key already: 1\n"
    )


# domains' commands, and when they are looked for


class _Opened(AssertionError):
    pass


def _closed() -> Any:
    raise _Opened


@pytest.mark.parametrize(
    "words", ["serve --help", "migrate --help", "tokens rotate-keys --help", "secrets reseal --help"]
)
def test_a_command_of_core_does_not_open_the_assembly_for_being_found(words: str) -> None:
    done = CliRunner().invoke(build(Assembly(_closed)), words.split())
    assert (done.exit_code, done.exception) == (0, None)


def test_the_list_of_commands_shows_those_of_the_domains(registry: Registry) -> None:
    assembly = Assembly(_closed)
    assembly.registry = lambda: registry  # type: ignore[method-assign]
    listed = CliRunner().invoke(build(assembly), ["tokens", "--help"]).output
    assert "rotate-keys" in listed
    assert "revoke" in listed


def test_a_domain_brings_a_group_of_its_own(registry: Registry) -> None:
    revoke, *_ = registry.domains[0].commands
    assembly, own = Assembly(_closed), type(revoke)("people", "sign-out", revoke.function)
    assembly.registry = lambda: Registry([Domain(name="people", commands=(own,))])  # type: ignore[method-assign]
    app = build(assembly)
    assert "people" in CliRunner().invoke(app, ["--help"]).output
    assert "sign-out" in CliRunner().invoke(app, ["people", "--help"]).output
    shown = CliRunner().invoke(app, ["people", "sign-out", "--help"], env={"COLUMNS": "100"}).output
    assert "--user" in shown
    assert "--all" in shown


def test_two_domains_cannot_bring_the_same_command(registry: Registry) -> None:
    commands = registry.domains[0].commands
    with pytest.raises(BadDomains, match="tokens revoke is declared twice"):
        Registry([Domain(name="one", commands=commands), Domain(name="two", commands=commands)])
