"""`tenantry new`: what it writes works, installed and enabled as it stands; what it refuses leaves nothing."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from errno import ENOSPC
from itertools import count
from pathlib import Path

import asyncpg
import pytest
from click.testing import Result
from typer.testing import CliRunner

from commands import TOOLS, a_shell
from tenantry import assemble
from tenantry.entrypoints.cli import build
from tenantry.entrypoints.cli.assembly import Assembly
from tenantry.entrypoints.cli.project.words import RESERVED, plural, singular

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs/howto/write-a-plugin.md"
COMMANDS = re.compile(r"^<!-- run -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """`tenantry new` as typed in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TENANTRY_PLUGINS", raising=False)
    return lambda *words: CliRunner().invoke(build(Assembly(lambda: assemble)), ["new", *words])


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("Library",), "'Library' is no name of a plugin"),
        (("my-library",), "'my-library' is no name of a plugin"),
        (("_library",), "'_library' is no name of a plugin"),
        (("../library",), "'../library' is no name of a plugin"),
        (("pg_library",), "'pg_library' is no name of a plugin"),
        (("public",), "'public' is no name of a plugin"),
        (("class", "--thing", "pupil"), "class is a word of Python's own"),
        (("order", "--thing", "parcel"), "order is a word of SQL's own"),
        (("json", "--thing", "book"), "json is a package that Python finds already"),
        (("msgspec", "--thing", "book"), "msgspec is a package that Python finds already"),
        (("tenantry", "--thing", "book"), "tenantry is Tenantry's own"),
        (("orgs", "--thing", "book"), "orgs is Tenantry's own"),
        (("library", "--thing", "Book"), "'Book' is no thing to keep"),
        (("library", "--thing", "a_word_that_is_far_too_long"), "is no thing to keep"),
        (("library", "--thing", "import"), "import is what the files call something else"),
        (("library", "--thing", "routes"), "routes is what the files call something else"),
        (("members",), "members are somebody's already"),
        (("library", "--thing", "super_user"), "super_users are somebody's already"),
        (("library", "--folder", "away/library"), "away is no folder"),
        (("library", "--folder", "."), "the folder you are in"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_nothing_is_written(
    words: tuple[str, ...], why: str, new: Callable[..., Result], tmp_path: Path
) -> None:
    done = new(*words)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("tenantry: ")
    assert why in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_with_something_in_it_stays_as_it_is(new: Callable[..., Result], tmp_path: Path) -> None:
    mine = tmp_path / "library" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for words in (("library",), ("library", "--folder", "file"), ("library", "--folder", "link")):
        done = new(*words)
        assert (done.exit_code, done.stdout) == (1, "")
        assert "is there, and not an empty folder" in done.stderr
    assert {path.name for path in tmp_path.rglob("*")} == {"library", "mine.txt", "file", "link"}


def test_when_a_file_cannot_be_written_nothing_is_left(
    new: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, files = Path.write_text, count()

    def full(path: Path, text: str, encoding: str) -> int:
        if next(files) == 7:
            raise OSError(ENOSPC, "No space left on device")
        return whole(path, text, encoding)

    monkeypatch.setattr(Path, "write_text", full)
    done = new("library")
    assert (done.exit_code, done.stderr) == (1, "tenantry: library: No space left on device\n")
    assert not list(tmp_path.iterdir())


def test_who_comes_first_to_a_folder_keeps_it(
    new: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Path.write_text

    def meanwhile(path: Path, text: str, encoding: str) -> int:
        (tmp_path / "library" / "another").mkdir(parents=True, exist_ok=True)
        return whole(path, text, encoding)

    monkeypatch.setattr(Path, "write_text", meanwhile)
    assert new("library").exit_code == 1
    assert {path.name for path in tmp_path.rglob("*")} == {"library", "another"}


def test_an_installed_plugins_name_is_taken(
    new: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "tenantry_library-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tenantry-library\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[tenantry.plugins]\nlibrary = library.domain:domain\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    done = new("library")
    assert (done.exit_code, "library is a plugin that is installed" in done.stderr) == (1, True)
    assert not (tmp_path / "library").exists()


def test_an_empty_folder_of_the_name_or_another_one_is_filled(new: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    assert new("library").exit_code == 0
    assert new("library", "--folder", "another").exit_code == 0
    for folder in ("library", "another"):
        assert (tmp_path / folder / "src/library/migrations/0001_libraries.py").is_file()
    assert {path.name for path in tmp_path.iterdir()} == {"library", "another"}


@pytest.mark.parametrize(
    "words",
    [
        ("library", "--thing", "book"),
        ("zebra_facts",),
        ("ox", "--thing", "ox"),
        ("a_name_as_long_as_a_plugin_can_be_called", "--thing", "as_long_as_a_plank"),
    ],
)
def test_what_is_written_is_as_our_own_code_is_for_the_linter(
    words: tuple[str, ...], new: Callable[..., Result], tmp_path: Path
) -> None:
    done = new(*words)
    assert done.exit_code == 0, done.stderr
    for settings in ([], ["--config", str(ROOT / "pyproject.toml")]):
        for judged in (["check"], ["format", "--check"]):
            ruff = subprocess.run(
                [TOOLS / "ruff", *judged, "--no-cache", *settings, "."],
                cwd=tmp_path / words[0], capture_output=True, text=True, check=False, timeout=60,
            )  # fmt: skip
            assert ruff.returncode == 0, ruff.stdout


@pytest.mark.timeout(240)
def test_what_the_guide_shows_works_as_it_stands(tmp_path: Path) -> None:
    [script] = COMMANDS.findall(GUIDE.read_text(encoding="utf-8"))
    done = subprocess.run(
        ["bash", "-c", f"set -euo pipefail\n{script}"],
        cwd=tmp_path, env=a_shell(tmp_path), capture_output=True, text=True, check=False, timeout=220,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    assert "library  library 0.1.0  ok" in done.stdout
    assert "6 passed" in done.stdout


async def test_words_that_sql_takes_for_itself_are_known(server_url: str) -> None:
    owner: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(server_url)
    try:
        rows = await owner.fetch("select word from pg_get_keywords() where catcode in ('R', 'T')")
    finally:
        await owner.close()
    assert not {row["word"] for row in rows} - RESERVED


@pytest.mark.parametrize(
    ("one", "several"),
    [("book", "books"), ("entry", "entries"), ("day", "days"), ("box", "boxes"), ("class", "classes"),
     ("batch", "batches"), ("status", "statuses"), ("tie", "ties")],
)  # fmt: skip
def test_the_plural_of_a_thing_is_englishs(one: str, several: str) -> None:
    assert plural(one) == several
    assert one == "status" or singular(several) == one
