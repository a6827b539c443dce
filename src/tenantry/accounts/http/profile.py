"""One's own profile over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from tenantry.accounts import actions, queries
from tenantry.accounts.http.shapes import ADA, UserView, routes, user_view
from tenantry.foundation.permission import ONESELF
from tenantry.foundation.problems import FieldError, Invalid, VersionMismatch
from tenantry.foundation.routes import Versioned
from tenantry.foundation.text import Locale, Name, TimeZone, check_zone
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import PersonWork


class ProfileChange(Wire):
    """What to change; what is left out stays."""

    described: ClassVar[Mapping[str, Any]] = {"minProperties": 1}
    name: Name | msgspec.UnsetType = msgspec.UNSET
    locale: Locale | msgspec.UnsetType = msgspec.UNSET
    timezone: TimeZone | msgspec.UnsetType = msgspec.UNSET


@routes.get("/users/me", requires=ONESELF, answer_example=ADA, even_closed=True)
async def me(work: PersonWork) -> Versioned[UserView]:
    """One's own account."""
    user = await queries.oneself(work)
    return Versioned(user_view(user), user.version)


@routes.patch(
    "/users/me",
    requires=ONESELF,
    problems=(VersionMismatch,),
    example={"name": "Ada King", "timezone": "Europe/London"},
    answer_example=ADA | {"name": "Ada King", "timezone": "Europe/London"},
)
async def change_me(work: PersonWork, body: ProfileChange, if_match: int | None) -> Versioned[UserView]:
    """Change one's name, language or time zone; `If-Match` refuses the change if somebody was faster."""
    given = msgspec.structs.asdict(body)
    changes = {name: content for name, content in given.items() if content is not msgspec.UNSET}
    if not changes:
        raise Invalid(errors=(FieldError("body", "needs at least one field to change"),))
    if "timezone" in changes:
        check_zone(changes["timezone"])
    user = await actions.change_profile(work, version=if_match, **changes)
    return Versioned(user_view(user), user.version)
