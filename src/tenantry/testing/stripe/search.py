"""Search by Stripe's query language, as far as equality goes: `metadata['org']:'7' AND status:'active'`."""

from __future__ import annotations

import re
from typing import Any

from tenantry.testing.stripe.books import Thing
from tenantry.testing.stripe.routes import Asked
from tenantry.testing.stripe.wire import invalid

_CLAUSE = re.compile(r"""(-?)(\w+)(?:\[["'](.+?)["']\])?:["'](.*?)["']""")


def searched(asked: Asked, kind: str, url: str) -> Thing:
    """Objects of a kind that fulfil every clause; pages go by `page`, the number of those already seen."""
    clauses = [_clause(part) for part in asked.params["query"].split(" AND ")]
    found = [
        one for one in asked.books.newest_first(kind) if "deleted" not in one and all(holds(one) for holds in clauses)
    ]
    start, limit = int(asked.get("page", "0")), asked.get("limit", 10)
    more = len(found) > start + limit
    return {
        "object": "search_result",
        "url": url,
        "data": found[start : start + limit],
        "has_more": more,
        "next_page": str(start + limit) if more else None,
    }


def _clause(text: str) -> Any:
    match = _CLAUSE.fullmatch(text.strip())
    if match is None:
        raise invalid(f"The local Stripe cannot read this clause: {text}", "query")
    negated, name, key, wanted = match.groups()

    def holds(one: Thing) -> bool:
        value = one.get(name)
        found = (value or {}).get(key) if key else value
        return (str(found) == wanted) is not bool(negated)

    return holds
