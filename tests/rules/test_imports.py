"""Imports say what a file depends on: at the top, without cycles, without hiding."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

from rules.source import Import, Module, imports, modules

# a lazy export needs two voices: one for Python, one for a type checker
MAY_CHECK_TYPES = {"tenantry"}


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name: {found.target for found in imports(module)} - {name} for name, module in modules().items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from error


def test_an_import_inside_a_function_says_why_it_is_late() -> None:
    silent = [
        f"{module.place}:{found.line} imports {found.target}"
        for module in modules().values()
        for found in imports(module)
        if found.late and not _has_reason(module, found)
    ]
    assert not silent, "put `# late: why` on the line above:\n" + "\n".join(silent)


def _has_reason(module: Module, found: Import) -> bool:
    """A comment above starts with `late:`; it may be some lines long, and speak for several imports in a row."""
    lines = module.text.splitlines()[: found.line - 1]
    while lines and (not lines[-1].strip() or lines[-1].lstrip().startswith(("import ", "from "))):
        lines.pop()
    while lines and lines[-1].lstrip().startswith("#"):
        if lines.pop().lstrip().startswith("# late:"):
            return True
    return False


def test_nothing_is_imported_for_the_type_checker_alone() -> None:
    hiding = {name for name, module in modules().items() if "TYPE_CHECKING" in module.text}
    assert hiding <= MAY_CHECK_TYPES


def test_settings_stand_on_nothing_but_the_secret_type() -> None:
    found = {one.target for one in imports(modules()["tenantry.settings"]) if one.target.startswith("tenantry")}
    assert found == {"tenantry.foundation.security.secret"}
    for below in ("foundation.security.secret", "foundation.security", "foundation"):
        assert not [one for one in imports(modules()[f"tenantry.{below}"]) if one.target.startswith("tenantry")]


def test_our_own_code_never_goes_through_the_public_names() -> None:
    assert not [name for name, module in modules().items() for one in imports(module) if one.target == "tenantry"]
