"""Tenantry's public names: what a plugin or a host may rely on. Each is imported when it is first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

# The one place with imports for the type checker alone: Python must not load half the product for `import tenantry`,
# and a checker cannot follow `__getattr__`. A test holds the two lists together.
if TYPE_CHECKING:
    from tenantry.flags import Flags, flag_is_on, flag_value, flags_for, flags_of
    from tenantry.foundation.action import Refusal, action, exchange
    from tenantry.foundation.around import around
    from tenantry.foundation.call import Call
    from tenantry.foundation.data.ids import EVENT_ID, JOB_ID, ORG_ID, IdKind, new_id
    from tenantry.foundation.data.sql import many, maybe, one, run, value, values
    from tenantry.foundation.domain import Domain
    from tenantry.foundation.events.consumer import ConsumerWork, Logged, consumer
    from tenantry.foundation.events.details import Details
    from tenantry.foundation.events.event import Audited, Event
    from tenantry.foundation.fate import anonymized, erased, kept
    from tenantry.foundation.flag import FlagDeclaration
    from tenantry.foundation.jobs.handler import GiveUp, Job, Queue, Rate, Retry, Snooze, every, handles, on
    from tenantry.foundation.jobs.job import NewJob
    from tenantry.foundation.listing import ListAnswer, Listing, ListQuery
    from tenantry.foundation.meter import Meter
    from tenantry.foundation.net.letters import Letter, Link
    from tenantry.foundation.operating import OperatorWork
    from tenantry.foundation.pages import ConsolePages, Download, Pages, Receipt, SeeOther
    from tenantry.foundation.permission import ADMINS, ANYONE, HOUSE, MEMBERS, ONESELF, OWNERS, Permission, Role
    from tenantry.foundation.problems import Conflict, FieldError, Forbidden, Invalid, NotFound, PlanNeeded, Problem
    from tenantry.foundation.question import Question
    from tenantry.foundation.quota import Quota
    from tenantry.foundation.routes import Routes, Versioned
    from tenantry.foundation.security.secret import Secret
    from tenantry.foundation.wire import Wire
    from tenantry.foundation.work import OrgWork, PersonWork, SystemWork, Work
    from tenantry.plans import require_feature, require_room, require_within, requires_feature
    from tenantry.settings import Settings, says
    from tenantry.usage import use

_HOMES = {
    "flags": ("Flags", "flag_is_on", "flag_value", "flags_for", "flags_of"),
    "foundation.action": ("Refusal", "action", "exchange"),
    "foundation.around": ("around",),
    "foundation.call": ("Call",),
    "foundation.data.ids": ("EVENT_ID", "JOB_ID", "ORG_ID", "IdKind", "new_id"),
    "foundation.data.sql": ("many", "maybe", "one", "run", "value", "values"),
    "foundation.domain": ("Domain",),
    "foundation.events.consumer": ("ConsumerWork", "Logged", "consumer"),
    "foundation.events.details": ("Details",),
    "foundation.events.event": ("Audited", "Event"),
    "foundation.fate": ("anonymized", "erased", "kept"),
    "foundation.flag": ("FlagDeclaration",),
    "foundation.jobs.handler": ("GiveUp", "Job", "Queue", "Rate", "Retry", "Snooze", "every", "handles", "on"),
    "foundation.jobs.job": ("NewJob",),
    "foundation.meter": ("Meter",),
    "foundation.net.letters": ("Letter", "Link"),
    "foundation.listing": ("Listing", "ListAnswer", "ListQuery"),
    "foundation.operating": ("OperatorWork",),
    "foundation.pages": ("ConsolePages", "Download", "Pages", "Receipt", "SeeOther"),
    "foundation.permission": ("ADMINS", "ANYONE", "HOUSE", "MEMBERS", "ONESELF", "OWNERS", "Permission", "Role"),
    "foundation.problems": ("Conflict", "FieldError", "Forbidden", "Invalid", "NotFound", "PlanNeeded", "Problem"),
    "foundation.question": ("Question",),
    "foundation.quota": ("Quota",),
    "foundation.routes": ("Routes", "Versioned"),
    "foundation.security.secret": ("Secret",),
    "foundation.wire": ("Wire",),
    "foundation.work": ("OrgWork", "PersonWork", "SystemWork", "Work"),
    "plans": ("require_feature", "require_room", "require_within", "requires_feature"),
    "settings": ("Settings", "says"),
    "usage": ("use",),
}
_HOME = {name: f"tenantry.{module}" for module, names in _HOMES.items() for name in names}

__all__ = [
    "ADMINS",
    "ANYONE",
    "EVENT_ID",
    "HOUSE",
    "JOB_ID",
    "MEMBERS",
    "ONESELF",
    "ORG_ID",
    "OWNERS",
    "Audited",
    "Call",
    "Conflict",
    "ConsolePages",
    "ConsumerWork",
    "Details",
    "Domain",
    "Download",
    "Event",
    "FieldError",
    "FlagDeclaration",
    "Flags",
    "Forbidden",
    "GiveUp",
    "IdKind",
    "Invalid",
    "Job",
    "Letter",
    "Link",
    "ListAnswer",
    "ListQuery",
    "Listing",
    "Logged",
    "Meter",
    "NewJob",
    "NotFound",
    "OperatorWork",
    "OrgWork",
    "Pages",
    "Permission",
    "PersonWork",
    "PlanNeeded",
    "Problem",
    "Question",
    "Queue",
    "Quota",
    "Rate",
    "Receipt",
    "Refusal",
    "Retry",
    "Role",
    "Routes",
    "Secret",
    "SeeOther",
    "Settings",
    "Snooze",
    "SystemWork",
    "Versioned",
    "Wire",
    "Work",
    "action",
    "anonymized",
    "around",
    "consumer",
    "erased",
    "every",
    "exchange",
    "flag_is_on",
    "flag_value",
    "flags_for",
    "flags_of",
    "handles",
    "kept",
    "many",
    "maybe",
    "new_id",
    "on",
    "one",
    "require_feature",
    "require_room",
    "require_within",
    "requires_feature",
    "run",
    "says",
    "use",
    "value",
    "values",
]


def __dir__() -> list[str]:
    return list(__all__)


if not TYPE_CHECKING:
    # hidden from the checker, which would otherwise believe that any name exists
    def __getattr__(name: str) -> Any:
        if name not in _HOME:
            raise AttributeError(f"tenantry has no public name {name!r}")
        return getattr(import_module(_HOME[name]), name)
