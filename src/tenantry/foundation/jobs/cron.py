"""Cron expressions: five fields, in UTC, and the last and next minute they name."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

_DAYS = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
# a leap day falls on each weekday within these years
_HORIZON = 366 * 41


class Cron(msgspec.Struct, frozen=True):
    """The minutes that an expression such as `*/15 9-17 * * mon-fri` names."""

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool

    @classmethod
    def parse(cls, text: str) -> Cron:
        """The expression, or ValueError that says which field is wrong; one that never comes is refused too."""
        fields = text.lower().split()
        if len(fields) != 5:
            raise ValueError(f"{text!r} needs five fields: minute, hour, day, month, weekday")
        minute, hour, day, month, weekday = fields
        cron = cls(
            text,
            _values(minute, 0, 59, {}),
            _values(hour, 0, 23, {}),
            _values(day, 1, 31, {}),
            _values(month, 1, 12, _MONTHS),
            frozenset(number % 7 for number in _values(weekday, 0, 7, _DAYS)),
            # as in every cron: a day and a weekday, both restricted, mean either of them
            not day.startswith("*") and not weekday.startswith("*"),
        )
        cron.last(datetime.fromisoformat("2400-01-01T00:00Z"))
        return cron

    def last(self, now: datetime) -> datetime:
        """The latest minute named that is not after `now`."""
        end = now.replace(second=0, microsecond=0)
        return next(moment for moment in self._moments(end, -1) if moment <= end)

    def next(self, now: datetime) -> datetime:
        """The first minute named after `now`."""
        return next(moment for moment in self._moments(now, +1) if moment > now)

    def _moments(self, start: datetime, step: int) -> Iterator[datetime]:
        midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
        for offset in range(_HORIZON):
            day = midnight + timedelta(days=offset * step)
            if self._names(day):
                for hour in sorted(self.hours, reverse=step < 0):
                    for minute in sorted(self.minutes, reverse=step < 0):
                        yield day + timedelta(hours=hour, minutes=minute)
        raise ValueError(f"{self.text!r} names no day")

    def _names(self, day: datetime) -> bool:
        if day.month not in self.months:
            return False
        by_day, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return by_day or by_weekday if self.either_day else by_day and by_weekday


def _values(field: str, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, slash, step = part.partition("/")
        first, last = _span(span, low, high, names, open_end=bool(slash))
        width = int(step) if slash and step.isdecimal() else 1
        if width < 1 or (slash and not step.isdecimal()) or not low <= first <= last <= high:
            raise ValueError(f"{part!r} is not within {low} to {high}")
        found.update(range(first, last + 1, width))
    return frozenset(found)


def _span(span: str, low: int, high: int, names: dict[str, int], *, open_end: bool) -> tuple[int, int]:
    if span == "*":
        return low, high
    first, dash, last = span.partition("-")
    start = _number(first, names)
    if dash:
        return start, _number(last, names)
    return start, high if open_end else start


def _number(word: str, names: dict[str, int]) -> int:
    if word in names:
        return names[word]
    if not (word.isascii() and word.isdecimal()):
        raise ValueError(f"{word!r} is not a number that cron knows")
    return int(word)
