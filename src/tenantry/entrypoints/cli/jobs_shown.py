"""How jobs are named on the command line and printed: ids as they are told outside, what a job was given on demand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
import typer

from tenantry.entrypoints.cli.calling import show_json
from tenantry.foundation.data.ids import JOB_ID, ORG_ID, USER_ID, IdKind
from tenantry.foundation.problems import NotFound

KINDS_OF_IDS: Mapping[str, tuple[str, IdKind]] = {
    "id": ("job", JOB_ID),
    "org_id": ("org", ORG_ID),
    "person_id": ("person", USER_ID),
}


def job_of(text: str) -> UUID:
    return _id(text, JOB_ID, "JOB")


def jobs_of(texts: Iterable[str]) -> list[UUID]:
    return list(dict.fromkeys(map(job_of, texts)))


def org_of(text: str | None) -> UUID | None:
    return None if text is None else _id(text, ORG_ID, "--org")


def _id(text: str, kind: IdKind, hint: str) -> UUID:
    """An id as it is told outside, or as the database and the logs write it."""
    try:
        return kind.read(text) or UUID(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no id such as {kind.start}...", param_hint=hint) from error


def row_of(found: msgspec.Struct, *, args: bool) -> dict[str, Any]:
    """One thing as it is printed: ids as they are told outside, and what it was given on demand only."""
    row: dict[str, Any] = {}
    for name, content in msgspec.structs.asdict(found).items():
        if name in KINDS_OF_IDS:
            outside, kind = KINDS_OF_IDS[name]
            row[outside] = None if content is None else kind.text(content)
        elif name != "args":
            row[name] = content
        elif args:
            row[name] = msgspec.Raw(content.encode())
    return row


def print_rows(found: Sequence[msgspec.Struct], columns: Sequence[str], *, args: bool, as_json: bool) -> None:
    rows = [row_of(one, args=args) for one in found]
    if as_json:
        show_json(rows)
        return
    shown = [[_text(row[column]) for column in (*columns, *(["args"] if args else []))] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for line in shown:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def tell(row: Mapping[str, Mapping[str, Any] | None]) -> None:
    for part, known in row.items():
        for name, content in (known or {}).items():
            typer.echo(f"{part} {name.replace('_', ' ')}: {_text(content)}".replace("job job:", "job:"))


def _text(content: Any) -> str:
    if content is None:
        return "-"
    if isinstance(content, bytes | msgspec.Raw):
        return bytes(content).decode()
    return content if isinstance(content, str) else msgspec.json.encode(content).decode().strip('"')


def say(answer: Mapping[str, Any], sentence: str, *, as_json: bool) -> None:
    show_json(answer) if as_json else typer.echo(sentence)


def count(did: str, count: int, named: int, *, as_json: bool) -> None:
    show_json({did: count}) if as_json else typer.echo(f"{did}: {count}")
    if count < named:
        raise NotFound(f"{named - count} of them are no dead letters.")
