"""What a request names: another tenant's things, or in its twin well-formed names that nothing has."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from tenantry.foundation.data.ids import IdKind
from tenantry.testing.matrix.actors import Asking
from tenantry.testing.matrix.asking import Ask
from tenantry.testing.matrix.operations import Operation
from tenantry.testing.matrix.tenants import Tenant, joined, text_of

MOST_ROWS = 2
NO_TAG = '"v1-00000000"'


class Side(msgspec.Struct):
    """How things are called on one side of a probe."""

    org: str
    slug: str
    email: str
    words: str
    ids: dict[str, list[str]]
    tags: Mapping[str, str]
    cursors: Mapping[str, str]
    exists: bool

    @property
    def texts(self) -> tuple[str, ...]:
        """What a filter may be given, whatever it takes."""
        return (self.slug, self.org, self.email, self.words, self.named("usr"))

    def named(self, prefix: str, place: int = 0) -> str:
        """One of its ids of a kind."""
        kind = IdKind(prefix)
        known = self.ids.get(prefix, [])
        # in the order that they were made, from the last: who owns a tenant is known before everything else
        return known[-1 - place] if place < len(known) else self.ids.setdefault(prefix, [kind.text(kind.new())])[0]

    def rows(self, operation: Operation) -> Iterator[dict[str, str]]:
        """Ids for the nested part of a path, of several rows where there are."""
        if operation.nested:
            for place in range(MOST_ROWS):
                yield {name: self.named(kind.prefix, place) for name, kind in operation.nested.items()}

    def said(self, *sent: str) -> tuple[str, ...]:
        """Which of its names a request says."""
        names = (*self.texts, *(one for some in self.ids.values() for one in some))
        return tuple(one for one in dict.fromkeys(names) if any(one in part for part in sent))


def theirs(tenant: Tenant, operation: Operation) -> Side:
    """How another tenant's things are called."""
    ids = {prefix: list(some) for prefix, some in tenant.ids.items()}
    ids |= {kind.prefix: tenant.named(kind) for kind in operation.nested.values()}
    person = tenant.people["member"]
    words = person.tokens["user"]["name"]
    return Side(tenant.org, tenant.slug, person.email, words, ids, tenant.tags, tenant.cursors, exists=True)


def nothings(tenant: Tenant) -> Side:
    """Well-formed names that nothing has, and cursors and tags that nobody gave."""
    fresh, org = f"nothing-{secrets.token_hex(4)}", IdKind("org")
    tags = dict.fromkeys(tenant.tags, NO_TAG)
    cursors = {path: _altered(cursor) for path, cursor in tenant.cursors.items()}
    email, words = f"{fresh}-member@example.com", f"{fresh} member"
    return Side(org.text(org.new()), fresh, email, words, {}, tags, cursors, exists=False)


def _altered(cursor: str) -> str:
    middle = len(cursor) // 2
    return f"{cursor[:middle]}{'A' if cursor[middle] != 'A' else 'B'}{cursor[middle + 1 :]}"


def written(
    operation: Operation,
    asking: Asking,
    side: Side,
    ids: Mapping[str, str],
    *,
    method: str = "",
    tail: str = "",
    body: Any = msgspec.UNSET,
    data: bytes | None = None,
    more: Mapping[str, str] = MappingProxyType({}),
) -> Ask:
    """A request as an operation takes it, by somebody; `more` are headers."""
    path = operation.path(ids) + _asked(operation.needs, tail)
    if data is None:
        data = text_of(operation.body() if body is msgspec.UNSET else body)
    headers = dict(asking.headers) | ({"content-type": "application/json"} if data is not None else {})
    # whatever version there is: the question is whose it is
    headers |= {"if-match": "*"} if operation.matches else {}
    headers |= more
    sent = (path, (data or b"").decode(), *more.values())
    said = (*side.said(*sent), *(one for one in ids.values() if len(one) > 3))
    return Ask(method or operation.route.method, path, headers, data, tuple(dict.fromkeys(said)))


def _asked(needs: str, tail: str) -> str:
    """The tail of a path, with what the operation needs in its query unless the tail says it."""
    if not tail.startswith("?"):
        return tail or joined(needs)
    said = {part.partition("=")[0] for part in tail[1:].split("&")}
    return joined(*(part for part in needs.split("&") if part.partition("=")[0] not in said), tail[1:])
