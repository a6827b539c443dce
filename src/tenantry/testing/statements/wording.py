"""Rules on a statement's text: whose clock it reads, and what it leaves behind in the session."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tenantry.testing.statements.faults import Fault, Statement

_QUOTED = re.compile(
    r"""
      (?P<comment> --[^\n]* )
    | (?P<block> /\* )
    | (?<![\w$]) e '(?P<escaped> (?: [^'\\] | \\. | '' )* )'
    | '(?P<text> (?: [^'] | '' )* )'
    | (?<![\w$]) (?P<fence> \$ (?:[a-z_]\w*)? \$ ) (?P<body> .*? ) (?P=fence)
    | " (?P<name> (?: [^"] | "" )* ) "
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_BLOCK_EDGE = re.compile(r"/\*|\*/")
_CLOCK_WORDS = ("now", "today", "tomorrow", "yesterday")

_CALL = re.compile(
    r"(?:(\w+)\s*\.\s*)?\b(now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday)\s*\("
)
_KEYWORD = re.compile(r"(?<![\w.])(current_timestamp|current_date|current_time|localtimestamp|localtime)\b")
_TIME = r"(?:timestamptz|timestamp|timetz|time|date)\b(?:\s*\(\s*\d+\s*\))?(?:\s+with(?:out)?\s+time\s+zone)?"
_SPECIAL = re.compile(
    rf"'(?:{'|'.join(_CLOCK_WORDS)})'\s*(?:::|\bas)\s*(?:pg_catalog\s*\.\s*)?{_TIME}"
    rf"|\b{_TIME}\s*'(?:{'|'.join(_CLOCK_WORDS)})'"
)

_STARTS = r"(?:^|;|\b(?:begin|then|else|loop)\b)\s*"
_SESSION = re.compile(_STARTS + r"((?:set(?!\s+(?:local|transaction|constraints)\b)|reset|discard)\b(?:\s+[\w.]+)*)")
_CONFIG = re.compile(r"\bset_config\s*\(")
_LOCAL = re.compile(r"(?:is_local\s*(?:=>|:=)\s*)?true")


def clock_faults(statements: Iterable[Statement]) -> list[Fault]:
    """Every clock but `tenantry.now()` and `tenantry.tick()`; text in quotes and comments is not read."""
    return [
        Fault(statement.name, f"{clock} is not our clock: use tenantry.now(), or tenantry.tick() for a lease")
        for statement in statements
        for clock in _clocks(_code(statement.sql))
    ]


def setting_faults(statements: Iterable[Statement]) -> list[Fault]:
    """Every setting that would outlive the transaction and leak through a pooler."""
    return [
        Fault(statement.name, f"'{setting}' outlives the transaction and leaks through a pooler: use set local")
        for statement in statements
        for setting in _settings(_code(statement.sql))
    ]


def _clocks(code: str) -> Iterator[str]:
    for call in _CALL.finditer(code):
        if call.group(1, 2) != ("tenantry", "now"):
            yield "".join(call.group().split()) + ")"
    for found in (*_KEYWORD.finditer(code), *_SPECIAL.finditer(code)):
        yield found.group()


def _settings(code: str) -> Iterator[str]:
    for found in _SESSION.finditer(code):
        yield found.group(1)
    for call in _CONFIG.finditer(code):
        arguments = _arguments(code, call.end())
        if not _LOCAL.fullmatch(arguments[-1].strip()):
            yield f"set_config({','.join(arguments)})"


def _arguments(code: str, start: int) -> list[str]:
    """The arguments of the call whose bracket was opened just before `start`."""
    depth, found = 0, [""]
    for character in code[start:]:
        if character == ")" and depth == 0:
            break
        depth += (character in "([") - (character in ")]")
        if character == "," and depth == 0:
            found.append("")
        else:
            found[-1] += character
    return found


def _code(sql: str) -> str:
    """The SQL in lower case, without comments and texts; what stands between dollars is code."""
    code, position = "", 0
    while match := _QUOTED.search(sql, position):
        code += sql[position : match.start()].lower()
        if match["block"]:
            position = _after_block(sql, match.end())
            code += " "
        else:
            position = match.end()
            code += _replacement(match, called=sql[position:].lstrip().startswith(("(", ".")))
    return code + sql[position:].lower()


def _replacement(match: re.Match[str], *, called: bool) -> str:
    if match["body"] is not None:
        return f" ;{_code(match['body'])}; "
    if match["name"] is not None:
        # "now"() is a call all the same; any other quoted name is a name
        return match["name"] if called else '""'
    text = match["text"] or match["escaped"] or ""
    if text.strip().lower() in _CLOCK_WORDS:
        return f"'{text.strip().lower()}'"
    return " " if match["comment"] else "''"


def _after_block(sql: str, position: int) -> int:
    """Where a block comment ends; they nest."""
    depth = 1
    while depth and (edge := _BLOCK_EDGE.search(sql, position)):
        depth += 1 if edge.group() == "/*" else -1
        position = edge.end()
    return position if depth == 0 else len(sql)
