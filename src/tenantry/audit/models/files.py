"""The audit log as a file: a line an entry, and nothing in it that a spreadsheet or a terminal would obey."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import msgspec

from tenantry.audit.models.entries import Shown

HEADER = (
    *("id", "at", "action", "outcome", "times", "actor_kind", "actor_id", "actor_name", "on_behalf_of"),
    *("target_kind", "target_id", "target_label", "address", "user_agent", "request_id", "before", "after"),
)
MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
# what makes a formula of a cell; behind blanks as well, which some spreadsheets pass over
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# where a comma stands in numbers, spreadsheets cut at semicolons, within what we quoted too
_BEHIND_A_CUT = re.compile(r'(;[ "]*)([=+\-@＝＋－＠])')
_text = msgspec.json.Encoder().encode


def jsonl_line(entry: Shown) -> bytes:
    """An entry as a line of JSON, as the API gives it."""
    return _text(entry) + b"\n"


def csv_header() -> bytes:
    """The first line of a table."""
    return _line(HEADER)


def csv_line(entry: Shown) -> bytes:
    """An entry as a line of a table (RFC 4180)."""
    return _line(_cells(entry))


def _line(cells: tuple[Any, ...]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow([_harmless(cell) for cell in cells])
    return line.getvalue().encode()


def _cells(entry: Shown) -> tuple[Any, ...]:
    actor, target = entry.actor, entry.target or {}
    return (
        *(entry.id, entry.at.isoformat(), entry.action, entry.outcome, entry.times),
        *(actor["kind"], actor["id"], actor["name"], entry.on_behalf_of),
        *(target.get("kind"), target.get("id"), target.get("label"), entry.address, entry.user_agent),
        *(entry.request_id, _json(entry.before), _json(entry.after)),
    )


def _json(content: Any) -> str | None:
    return None if content is None else _text(content).decode()


def _harmless(cell: Any) -> str:
    if cell is None:
        return ""
    text = str(cell)
    # judged as it came: what is escaped first would not begin with a tab any more
    quoted = f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text
    quoted = _BEHIND_A_CUT.sub(r"\1'\2", quoted)
    return quoted if quoted.isprintable() else "".join(map(_visible, quoted))


def _visible(sign: str) -> str:
    return sign if sign.isprintable() else f"\\u{ord(sign):04x}"
