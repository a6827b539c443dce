"""Plugins are found by name and taken if they fit; whatever is wrong with one is told, and the rest runs on."""

from __future__ import annotations

import pytest
from shelf import Shelf

from tenantry import assemble
from tenantry.assemble import DOMAINS, registry
from tenantry.foundation.action import every_verb
from tenantry.foundation.domain import Registry
from tenantry.foundation.plugins import finding, fitting
from tenantry.foundation.plugins.plugin import Plugin
from tenantry.settings import Settings, plugins_named, read_settings

CORE = [domain.name for domain in DOMAINS]
BROKEN = "raise RuntimeError('out of order')"
ROUTE = """
from tenantry import ANYONE, Call, Domain, Routes
routes = Routes("{name}")
@routes.get("{path}", requires=ANYONE)
async def look(call: Call) -> {answer}:
    \"\"\"Look.\"\"\"
domain = Domain(name="{name}", routes=routes)
"""
JOB = """
from tenantry import Job, handles
@handles("{kind}")
async def work(job: Job) -> None:
    \"\"\"Work.\"\"\"
"""
SETTING = """
import msgspec
from tenantry import Domain
class Own(msgspec.Struct):
    {field}
domain = Domain(name="extra", settings=Own)
"""
# what is wrong, the state that tells it, and a part of the sentence beside it
FAULTS = {
    "raises": (BROKEN, "broken", "RuntimeError: out of order"),
    "exits": ("raise SystemExit(3)", "broken", "SystemExit: 3"),
    "no such module": ("import a_module_of_nobody", "broken", "a_module_of_nobody"),
    "no manifest": ("domain = 'a text'", "unfit", "not a Domain"),
    "another name": ("from tenantry import Domain\ndomain = Domain(name='other')", "unfit", "one name"),
    "needs": ("from tenantry import Domain\ndomain = Domain(name='extra', needs=('absent',))", "unfit", "needs absent"),
    "newer core": ("from tenantry import Domain\ndomain = Domain(name='extra', core='>=99')", "needs_core", ">=99"),
    "odd core": ("from tenantry import Domain\ndomain = Domain(name='extra', core='<2')", "unfit", "core that it"),
    "route of core": (ROUTE.format(name="extra", path="/users/me", answer="None"), "unfit", "GET /v1/users/me"),
    "a route that cannot be served": (ROUTE.format(name="extra", path="/x/{a}/{a}", answer="None"), "broken", ""),
    "tables": ("from tenantry import Domain\nfrom tenantry.foundation.fate import kept\n"
               "domain = Domain(name='extra', tables={'x': kept('nobody')})", "unfit", "no migrations"),
    "no folder": ("from pathlib import Path\nfrom tenantry import Domain\n"
                  "domain = Domain(name='extra', migrations=Path('/nowhere'))", "unfit", "not there"),
    "a setting of core": (SETTING.format(field="database_url: str = ''"), "unfit", "setting database_url"),
    "a setting that must be given": (SETTING.format(field="extra_key: str"), "unfit", "no default"),
    "a job of somebody else": ("from extra import jobs\nfrom tenantry import Domain\n"
                               "domain = Domain(name='extra', jobs=jobs)", "unfit", "accounts.own"),
}  # fmt: skip


def _names(known: Registry) -> list[str]:
    return [domain.name for domain in known.domains]


def test_where_no_plugin_is_named_nothing_is_scanned_and_nothing_rehearsed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the distributions were scanned")

    monkeypatch.setattr(finding, "entry_points", refuse)
    rehearsed: list[Registry] = []
    monkeypatch.setattr(assemble, "_rehearse", rehearsed.append)
    assert _names(registry(())) == CORE
    assert rehearsed == []
    with pytest.raises(AssertionError, match="scanned"):
        registry(("extra",))


def test_a_named_plugin_is_loaded_behind_core_and_says_where_it_comes_from(shelf: Shelf) -> None:
    shelf.put("extra", more=", needs=('accounts',), core='>=0.0'")
    known = registry(("extra",))
    assert _names(known) == [*CORE, "extra"]
    assert known.plugins == (Plugin("extra", "tenantry-extra", "1.2.3", "ok"),)


def test_plugins_stand_in_the_order_in_which_they_are_named(shelf: Shelf) -> None:
    shelf.put("first")
    shelf.put("second", more=", needs=('first',)")
    assert _names(registry(("first", "second", "first"))) == [*CORE, "first", "second"]
    known = registry(("second", "first"))
    assert _names(known) == [*CORE, "first"]
    assert known.plugins[0].state == "unfit"


def test_what_is_installed_and_not_named_is_off(shelf: Shelf) -> None:
    shelf.put("idle", BROKEN)
    assert _names(registry(())) == CORE
    assert Plugin("idle", "tenantry-idle", "1.2.3", "off") in list(finding.installed())


def test_a_plugin_that_nobody_installed_is_missing() -> None:
    known = registry(("absent",))
    assert _names(known) == CORE
    assert (known.plugins[0].name, known.plugins[0].state) == ("absent", "missing")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_plugin_that_cannot_be_taken_is_reported_and_the_others_stand(shelf: Shelf, fault: str) -> None:
    manifest, state, said = FAULTS[fault]
    shelf.put("sound")
    shelf.put("extra", manifest, files={"jobs.py": JOB.format(kind="accounts.own")})
    shelf.put("after")
    known = registry(("sound", "extra", "after"))
    assert _names(known) == [*CORE, "sound", "after"]
    assert [plugin.state for plugin in known.plugins] == ["ok", state, "ok"]
    assert said in known.plugins[1].why


def test_two_distributions_with_a_plugin_of_one_name_are_told(shelf: Shelf) -> None:
    shelf.put("extra")
    shelf.announce("extra", "extra.domain:domain", dist="impostor")
    (plugin,) = registry(("extra",)).plugins
    assert plugin.state == "unfit"
    assert "impostor, tenantry-extra" in plugin.why


def test_of_two_plugins_with_one_route_the_first_has_it(shelf: Shelf) -> None:
    shelf.put("first", ROUTE.format(name="first", path="/same", answer="None"))
    shelf.put("second", ROUTE.format(name="second", path="/same", answer="None"))
    known = registry(("first", "second"))
    assert _names(known) == [*CORE, "first"]
    assert "/v1/same" in known.plugins[1].why


def test_a_plugin_that_fails_answers_no_question(shelf: Shelf) -> None:
    asking = """
from tenantry import ANYONE, Domain, Question
from tenantry.accounts import actions
async def answer(work, user_id):
    return ()
"""
    answers = asking + "domain = Domain(name='extra', answers={actions.what_blocks_closing: answer}"
    shelf.put("extra", f"{answers})")
    assert registry(("extra",)).plugins[0].state == "ok"
    from tenantry.accounts import actions  # noqa: PLC0415  (the very object that the plugin answers)

    with_it = len(actions.what_blocks_closing._answerers)
    shelf.put("failing", f"{answers.replace('extra', 'failing')}, letters='no folder')", dist="failing")
    assert registry(("failing",)).plugins[0].state == "broken"
    assert len(actions.what_blocks_closing._answerers) == with_it - 1


def test_a_start_is_rehearsed_once_where_all_is_well(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    rehearsed: list[int] = []
    monkeypatch.setattr(assemble, "_rehearse", lambda known: rehearsed.append(len(known.domains)))
    shelf.put("first")
    shelf.put("second")
    registry(("first", "second"))
    assert rehearsed == [len(CORE) + 2]


def test_verbs_and_jobs_are_called_by_the_plugin_wherever_its_package_lies(shelf: Shelf) -> None:
    actions = """
from tenantry import ANYONE, Work, action
@action(requires=ANYONE)
async def stroll(work: Work) -> None:
    \"\"\"Go for a walk.\"\"\"
"""
    jobs = """
from tenantry import Job, every
@every(days=1)
async def rest(job: Job) -> None:
    \"\"\"Rest.\"\"\"
"""
    manifest = "from acme.strolls import actions, jobs\nfrom tenantry import Domain\n"
    manifest += "domain = Domain(name='strolls', jobs=jobs)"
    files = {"actions/__init__.py": "from acme.strolls.actions import walks", "actions/walks.py": actions,
             "jobs.py": jobs}  # fmt: skip
    shelf.put("strolls", manifest, package="acme.strolls", files=files)
    known = registry(("strolls",))
    assert known.plugins[0].state == "ok", known.plugins
    assert "strolls.rest" in [handler.kind for handler in known.handlers]
    assert "strolls.stroll" in [verb.name for key, verb in every_verb() if key.startswith("acme.")]


def test_the_names_come_from_the_environment_or_the_file_beside_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("env") / ".env"
    file.write_text("TENANTRY_PLUGINS=notes, tasks\n")
    assert plugins_named(environ={}, dotenv=file) == ("notes", "tasks")
    assert plugins_named(environ={"TENANTRY_PLUGINS": "other"}, dotenv=file) == ("other",)
    assert plugins_named(environ={}, dotenv=None) == ()
    environ = {"TENANTRY_ENVIRONMENT": "development", "TENANTRY_PLUGINS": "notes,tasks"}
    assert read_settings(environ=environ, dotenv=None).settings.plugins == ("notes", "tasks")
    assert Settings().plugins == ()


@pytest.mark.parametrize(
    ("needed", "given", "fits"),
    [
        ("", "0.0.1", True),
        (">=0.1", "0.1.0", True),
        (">=0.1.0", "0.1", True),
        (">=0.2", "0.10.dev1", True),
        (">=0.10", "0.2", False),
        (">= 1", "0.99.9", False),
        (">=0.1", "unknown", False),
    ],
)
def test_the_core_that_a_plugin_needs_is_compared_as_a_version(needed: str, given: str, fits: bool) -> None:
    assert finding._works_with(needed, given) is fits


def test_a_sentence_about_a_failure_gives_no_secret_away() -> None:
    error = RuntimeError("cannot reach postgresql://owner:hunter2@db\nat all")
    assert "hunter2" not in finding.said(error)
    assert "\n" not in fitting._failed(Plugin("extra"), error).why
