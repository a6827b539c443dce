"""What an operator is told of plugins: the commands, the doctor, health; and that an empty one changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any, get_args

import pytest
from memos import jobs
from shelf import Shelf
from structlog.testing import capture_logs

from tenantry.assemble import DOMAINS, read, registry
from tenantry.entrypoints.http.openapi import describe
from tenantry.foundation.action import every_verb
from tenantry.foundation.domain import Registry
from tenantry.foundation.pages import Frame
from tenantry.foundation.plugins.plugin import Plugin
from tenantry.foundation.tracing import questions_of
from tenantry.settings import Settings
from tenantry.testing import Databases, Installation, installed
from tenantry.testing.installation import MASTER_KEYS

HERE = Path(__file__).parent
WRAPPING = """
from tenantry import Domain, around
from tenantry.accounts import actions
@around(actions.change_profile, optional=True)
async def look(work, *, name):
    \"\"\"Look at names.\"\"\"
    yield
@around(actions.change_profile)
async def look_closer(work):
    \"\"\"Look closer.\"\"\"
    yield
domain = Domain(name="wrapping", around=(look, look_closer))
"""


def _run(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    known = {name: content for name, content in os.environ.items() if not name.startswith("TENANTRY_")}
    environment = known | {"PYTHONPATH": str(folder), "TENANTRY_ENVIRONMENT": "development"} | environ
    command = [sys.executable, "-m", "tenantry", *arguments]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def test_the_command_lists_what_is_enabled_and_what_is_only_installed(shelf: Shelf) -> None:
    shelf.put("sound")
    shelf.put("broken", "raise RuntimeError('out of order')")
    shelf.put("idle")
    done = _run(shelf.folder, "plugins", "--json", TENANTRY_PLUGINS="sound,broken,absent")
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert rows["sound"] == {
        "name": "sound", "distribution": "tenantry-sound", "version": "1.2.3", "state": "ok", "why": "",
    }  # fmt: skip
    states = {name: row["state"] for name, row in rows.items() if name in {"broken", "absent", "idle"}}
    assert states == {"broken": "broken", "absent": "missing", "idle": "off"}
    assert (
        "broken  tenantry-broken 1.2.3  broken  RuntimeError: out of order"
        in _run(shelf.folder, "plugins", TENANTRY_PLUGINS="broken").stdout
    )


def test_explain_tells_what_stands_around_a_verb_who_listens_and_who_is_asked(shelf: Shelf) -> None:
    shelf.put("wrapping", WRAPPING)
    told = _run(shelf.folder, "explain", "accounts.change_profile", TENANTRY_PLUGINS="wrapping").stdout
    assert "around: wrapping.domain.look (optional)\naround: wrapping.domain.look_closer\n" in told
    (row,) = json.loads(_run(shelf.folder, "explain", "accounts.close_account", "--json").stdout)
    assert row["asks"]["what_blocks_closing"] == ["orgs"]
    assert row["around"] == []


def test_the_questions_of_a_verb_are_read_off_its_code(registry: Registry) -> None:
    asked = {verb.name: {question.name for question in questions_of(verb.function)} for _, verb in every_verb()}
    answered = {question.name for domain in registry.domains for question in domain.answers}
    assert set().union(*asked.values()) & answered
    assert not asked["accounts.change_profile"]


async def test_the_doctor_and_migrate_tell_of_plugins_that_do_not_work(shelf: Shelf, databases: Databases) -> None:
    shelf.put("broken", "raise RuntimeError('out of order')")
    (shelf.folder / "memos").symlink_to(HERE / "memos")
    shelf.announce("memos", "memos.domain:domain", dist="tenantry-memos")
    async with databases.fresh() as url:
        environ = {"TENANTRY_DATABASE_URL": url, "TENANTRY_MASTER_KEYS": MASTER_KEYS}
        behind = _run(shelf.folder, "doctor", "--json", TENANTRY_PLUGINS="memos,broken", **environ)
        assert (behind.returncode, behind.stdout[:1]) == (1, "{"), behind.stderr
        told = json.loads(behind.stdout)
        assert told["checks"]["migrations"] == "ok"
        assert {row["plugin"]: row["state"] for row in told["plugins"]} == {"memos": "behind", "broken": "broken"}
        assert "plugin not loaded" in behind.stderr + behind.stdout
        plan = _run(shelf.folder, "migrate", "--plan", TENANTRY_PLUGINS="memos", **environ)
        assert "-- revision memos:0001" in plan.stdout
        assert "create table memos.memos" in plan.stdout
        migrated = _run(shelf.folder, "migrate", TENANTRY_PLUGINS="memos,broken", **environ)
        assert (migrated.returncode, migrated.stdout) == (0, "migrated: memos:0001, memos:0002\n")
        assert "the plugin broken is left out: RuntimeError: out of order" in migrated.stderr
        well = _run(shelf.folder, "doctor", "--json", TENANTRY_PLUGINS="memos", **environ)
        assert (well.returncode, json.loads(well.stdout)["plugins"]) == (
            0, [{"plugin": "memos", "state": "ok", "why": ""}],
        )  # fmt: skip


async def test_a_plugin_that_does_not_work_is_told_by_health_and_takes_no_traffic_from_core(
    shelf: Shelf, databases: Databases, tmp_path: Path
) -> None:
    shelf.put("broken", "raise RuntimeError('out of order')")
    known = registry(("broken", "absent"))
    async with databases.fresh() as url, installed(url, tmp_path, registry=known) as house:
        states = {"broken": "broken", "absent": "missing"}
        ready = await house.client.get("/readyz")
        assert (ready.status, ready.json["plugins"]) == (200, states)
        health = await house.client.get("/healthz")
        assert (health.json["status"], health.json["plugins"]) == ("degraded", states)
        # the reason is for operators
        assert b"out of order" not in health.body + ready.body
        assert (await (await house.person()).get("/v1/users/me")).status == 200


def test_a_plugin_that_is_not_loaded_is_a_line_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENANTRY_ENVIRONMENT", "development")
    monkeypatch.setattr("tenantry.assemble.configure_logs", lambda **_: None)
    with capture_logs() as lines:
        read(Registry(DOMAINS, plugins=(Plugin("gone", state="missing", why="no one has it"), Plugin("well"))))
    told = [line for line in lines if line["event"] == "plugin not loaded"]
    assert [(line["plugin"], line["state"], line["why"]) for line in told] == [("gone", "missing", "no one has it")]


async def test_an_empty_plugin_changes_nothing(shelf: Shelf, databases: Databases, tmp_path: Path) -> None:
    shelf.put("empty")
    with_it, without = registry(("empty",)), registry(())
    assert with_it.plugins[0].state == "ok"
    for part in ("routes", "pages", "handlers", "commands", "sealed", "events", "problems", "permissions",
                 "sections", "letters", "fates", "wraps", "histories"):  # fmt: skip
        assert getattr(with_it, part) == getattr(without, part), part
    for frame in get_args(Frame):
        assert with_it.menu(frame) == without.menu(frame)
    assert with_it.listeners() == without.listeners()
    assert describe(with_it, Settings()) == describe(without, Settings())
    async with databases.fresh() as url:
        served = []
        for number, known in enumerate((without, with_it)):
            async with installed(url, tmp_path / str(number), registry=known) as house:
                served.append(await _seen(house))
        assert served[0] == served[1]


async def _seen(house: Installation) -> Any:
    document = (await house.client.get("/openapi.json")).json
    document.pop("servers", None)
    tables = await house.rows("select schemaname, tablename from pg_tables order by 1, 2")
    ready = await house.client.get("/readyz")
    return document, [tuple(row) for row in tables], ready.json["checks"], (await house.client.get("/v1/x")).status


async def test_a_plugin_is_served_documented_and_heard(memo_house: Installation) -> None:
    ada = await memo_house.person()
    assert (await ada.post("/v1/memos", {"text": "Buy milk."})).status == 201
    assert "/v1/memos" in (await memo_house.client.get("/openapi.json")).json["paths"]
    assert (await memo_house.client.get("/v1/memos")).status == 401
    jobs.heard.clear()
    await memo_house.drain_jobs()
    assert len(jobs.heard) == 1
    names = {handler.kind for handler in memo_house.registry.handlers}
    assert "memos.listen" in names
    assert {"memos.keep", "memos.keep_by_orm"} <= {verb.name for _, verb in every_verb()}


async def test_what_a_plugin_keeps_about_a_person_is_purged_with_them(memo_house: Installation) -> None:
    assert "memos.memos" in memo_house.runtime.fates
    assert list(memo_house.runtime.fates).index("memos.memos") < list(memo_house.runtime.fates).index("users")


def test_the_reference_of_an_installation_has_its_plugins(shelf: Shelf) -> None:
    (shelf.folder / "memos").symlink_to(HERE / "memos")
    shelf.announce("memos", "memos.domain:domain", dist="tenantry-memos")
    shelf.put("empty")
    done = _run(shelf.folder, "reference", str(shelf.folder / "reference"), TENANTRY_PLUGINS="memos,empty")
    assert done.returncode == 0, done.stderr
    pages = {page.stem: page.read_text() for page in (shelf.folder / "reference").glob("*.md")}
    assert "`POST /v1/memos`" in pages["routes"]
    assert "| `memos.memo_kept` | 1 |  | A person wrote something down. |" in pages["events"]
    assert "`memos.keep`" in pages["permissions"]
    assert "`memo_known`" in pages["problems"]
    assert "`memos.listen`" in pages["jobs"]
    assert StringIO(pages["settings"]).read().count("TENANTRY_PLUGINS") == 1
