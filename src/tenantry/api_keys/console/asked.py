"""What the forms of API keys ask for: scopes to tick, networks a line each, and the day on which a key ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from tenantry.api_keys.inputs import KeyName, Networks, Scopes
from tenantry.api_keys.models import LONGEST_LIFE, MOST_ADDRESSES
from tenantry.foundation.pages import Values
from tenantry.foundation.permission import Permission
from tenantry.foundation.wire import Wire, decode_query
from tenantry.foundation.work import OrgWork

Lines = Annotated[str, Meta(max_length=MOST_ADDRESSES * 50)]


class Wanted(Wire):
    """What the key is for, what it may do, from where, and from which day on it opens nothing."""

    name: KeyName
    scopes: Scopes
    addresses: Lines = ""
    expires_at: date | None = None


class _Networks(Wire):
    addresses: Networks = msgspec.field(default_factory=list)


def networks(lines: str) -> list[str]:
    """The networks that were typed, a line each."""
    return decode_query({"addresses": lines.split()}, _Networks, at="form").addresses


def beginning(day: date) -> datetime:
    """The moment at which a day begins, in UTC."""
    return datetime.combine(day, time(), UTC)


def choices(work: OrgWork) -> Values:
    """What there is to choose from for whoever looks: the scopes that they hold themselves, and days."""
    today = work.runtime.clock.now().date()
    return {
        "groups": _grouped(one for one in work.runtime.permissions if one.by_key and work.role in one.roles),
        "first_day": today + timedelta(days=1),
        "last_day": today + LONGEST_LIFE,
    }


def _grouped(permissions: Iterable[Permission]) -> Mapping[str, list[Permission]]:
    """Permissions by what they are about."""
    groups: dict[str, list[Permission]] = {}
    for one in sorted(permissions, key=lambda one: one.name):
        groups.setdefault(one.name.partition(":")[0].replace("_", " "), []).append(one)
    return groups
