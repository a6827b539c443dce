"""The state of the local Stripe: every object by its id, one door for each change, and a way back from a refused one.

Values inside an object are replaced and never altered in place, so that a change can be undone and two objects may
share a part, as a subscription and its items do.
"""

from __future__ import annotations

import heapq
import secrets
import string
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from tenantry.testing.stripe.wire import missing

Thing = dict[str, Any]
Whatever = TypeVar("Whatever")
Due = tuple[int, int, int, str, str]  # when, rank among those due together, order of planning, deed, id

_ALPHABET = string.ascii_letters + string.digits
_ABSENT: Any = object()


@dataclass(slots=True)
class Rules:
    """How this account is set up, as on Stripe's settings pages."""

    dunning_days: tuple[int, ...] = (2, 5, 7, 7)
    after_dunning: str = "cancel"  # cancel | unpaid | past_due
    draft_seconds: int = 3600
    incomplete_seconds: int = 23 * 3600
    checkout_seconds: int = 24 * 3600


class Books:
    """All objects, the agenda of what falls due, and what is to be told at the end of a request."""

    def __init__(self, now: Callable[[], int], rules: Rules) -> None:
        self.rules = rules
        self.livemode = False
        self.request: dict[str, Any] = {"id": None, "idempotency_key": None}
        self.base_url = ""
        self.kinds: dict[str, dict[str, Thing]] = defaultdict(dict)
        self.secrets: dict[str, Any] = {}
        self.agendas: dict[str, list[Due]] = defaultdict(list)
        self.present: dict[str, int] = {}
        self.told: list[Thing] = []
        self.changes = 0
        self._now = now
        self._undo: list[Callable[[], None]] = []
        self._planned = 0
        self._of: dict[tuple[str, str], list[str]] = defaultdict(list)

    # time

    def now(self, customer: str | None = None) -> int:
        """The present of a customer: its test clock's, else the instance's."""
        clock = self.clock_of(customer)
        if clock in self.present:
            return self.present[clock]
        found = self.find("test_helpers.test_clock", clock) if clock else None
        return int(found["frozen_time"]) if found else self._now()

    def clock_of(self, customer: str | None) -> str:
        """The test clock that a customer lives by, or nothing."""
        found = self.find("customer", customer) if customer else None
        return str(found.get("test_clock") or "") if found else ""

    def plan(self, at: int, deed: str, thing: Thing, *, rank: int = 5) -> None:
        """Have this done to the thing at that instant, by the clock of its customer."""
        self._planned += 1
        self.touched()
        clock = self.clock_of(thing.get("customer"))
        heapq.heappush(self.agendas[clock], (at, rank, self._planned, deed, thing["id"]))

    # objects

    def touched(self) -> None:
        """Something is not as it was: what keeps these books has to write them anew."""
        self.changes += 1

    def new_id(self, prefix: str, length: int = 14) -> str:
        """An id that no other object has."""
        return f"{prefix}_{''.join(secrets.choice(_ALPHABET) for _ in range(length))}"

    def put(self, thing: Thing) -> Thing:
        """Enter a new object."""
        kind, id_, owner = thing["object"], thing["id"], thing.get("customer")
        before = self.kinds[kind].get(id_)
        self.kinds[kind][id_] = thing
        if isinstance(owner, str):
            self._of[kind, owner].append(id_)
        self.touched()
        self._undo.append(lambda: self._forget(kind, id_, owner, before))
        return thing

    def change(self, thing: Thing, /, **fields: Any) -> None:
        """Give an object these fields."""
        before = {name: thing.get(name, _ABSENT) for name in fields}
        self._undo.append(lambda: _restore(thing, before))
        self.touched()
        thing.update(fields)

    def keep(self, name: str, value: Any) -> None:
        """Remember something that no object shows."""
        before = self.secrets.get(name, _ABSENT)
        self._undo.append(lambda: _restore(self.secrets, {name: before}))
        self.touched()
        self.secrets[name] = value

    def remove(self, thing: Thing) -> None:
        """Strike an object out."""
        kind, id_ = thing["object"], thing["id"]
        order = list(self.kinds[kind])

        def back() -> None:
            self.kinds[kind][id_] = thing
            self.kinds[kind] = {one: self.kinds[kind][one] for one in order if one in self.kinds[kind]}

        self._undo.append(back)
        self.touched()
        self.kinds[kind].pop(id_, None)

    def tell(self, event: Thing) -> None:
        """Have this event delivered once the request has succeeded."""
        self.told.append(event)

    def find(self, kind: str, id_: str | None) -> Thing | None:
        """The object by its id, or nothing."""
        return self.kinds[kind].get(id_) if id_ else None

    def get(self, kind: str, id_: str, param: str | None = None) -> Thing:
        """The object by its id; a refusal names the parameter that asked for it."""
        found = self.find(kind, id_)
        if found is None:
            raise missing(kind.rpartition(".")[2], id_, param)
        return found

    def anything(self, id_: str) -> Thing | None:
        """The object with this id, of whatever kind."""
        return next((things[id_] for things in self.kinds.values() if id_ in things), None)

    def newest_first(self, kind: str, customer: str | None = None) -> Iterator[Thing]:
        """All objects of a kind, or those of one customer."""
        if customer is None:
            return iter(list(reversed(self.kinds[kind].values())))
        ids = list(dict.fromkeys(reversed(self._of[kind, customer])))
        return (self.kinds[kind][one] for one in ids if one in self.kinds[kind])

    # all or nothing

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """What is done inside is undone afterwards."""
        with self.all_or_nothing():
            kept, self._undo = self._undo, []
            told, agendas = self.told, {clock: list(dues) for clock, dues in self.agendas.items()}
            self.told = []
            try:
                yield
            finally:
                self._roll_back()
                self._undo, self.told = kept, told
                self.agendas = defaultdict(list, agendas)

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """What is done inside stays only if it ends well, or with a refusal that says so."""
        mark, told = len(self._undo), len(self.told)
        try:
            yield
        except BaseException as error:
            if not getattr(error, "keep", False):
                self._roll_back(mark)
                del self.told[told:]
            raise

    def settle(self) -> list[Thing]:
        """What happened is final: the events that it told."""
        self._undo.clear()
        told, self.told = self.told, []
        return told

    def _roll_back(self, mark: int = 0) -> None:
        while len(self._undo) > mark:
            self._undo.pop()()
            self.touched()

    def _forget(self, kind: str, id_: str, owner: Any, before: Thing | None) -> None:
        if before is None:
            self.kinds[kind].pop(id_, None)
        else:
            self.kinds[kind][id_] = before
        if isinstance(owner, str) and id_ in self._of[kind, owner]:
            self._of[kind, owner].remove(id_)

    # snapshots

    def snapshot(self) -> dict[str, Any]:
        """Everything, as JSON can write it."""
        kinds = {kind: things for kind, things in self.kinds.items() if things}
        agendas = {clock: dues for clock, dues in self.agendas.items() if dues}
        return copied({"kinds": kinds, "secrets": self.secrets, "agendas": agendas})

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Begin from a snapshot."""
        self.secrets = dict(snapshot["secrets"])
        self.agendas = defaultdict(list, {c: [_due(one) for one in dues] for c, dues in snapshot["agendas"].items()})
        self._planned = max((due[2] for dues in self.agendas.values() for due in dues), default=0)
        self.kinds.clear()
        self._of.clear()
        for things in snapshot["kinds"].values():
            for thing in things.values():
                self.put(thing)
        self._share_items()
        self._undo.clear()

    def _share_items(self) -> None:
        for item in self.kinds["subscription_item"].values():
            item["price"] = self.kinds["price"][item["price"]["id"]]
        for subscription in self.kinds["subscription"].values():
            items = subscription["items"]
            items["data"] = [self.kinds["subscription_item"].get(one["id"], one) for one in items["data"]]


def _due(raw: list[Any]) -> Due:
    return (int(raw[0]), int(raw[1]), int(raw[2]), str(raw[3]), str(raw[4]))


def _restore(thing: dict[str, Any], before: dict[str, Any]) -> None:
    for name, value in before.items():
        if value is _ABSENT:
            thing.pop(name, None)
        else:
            thing[name] = value


def merged(old: dict[str, str] | None, new: dict[str, str] | None) -> dict[str, str]:
    """Metadata after an update: given keys replace, empty values remove, nothing clears."""
    if new is None:
        return {}
    return {key: value for key, value in {**(old or {}), **new}.items() if value != ""}


def copied(value: Whatever) -> Whatever:
    """A copy that shares no hash and no list with the original."""
    copy: Whatever = _copied(value)
    return copy


def _copied(value: Any) -> Any:
    # the standard library's deep copy keeps account of every part, which takes it four times as long
    if isinstance(value, dict):
        return {key: _copied(one) for key, one in value.items()}
    return [_copied(one) for one in value] if isinstance(value, list) else value
