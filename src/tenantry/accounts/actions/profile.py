"""What a person changes about themselves."""

from __future__ import annotations

from tenantry.accounts.events import (
    ProfileChanged,
)
from tenantry.accounts.models import (
    User,
)
from tenantry.foundation.action import action
from tenantry.foundation.data.sql import maybe
from tenantry.foundation.permission import ONESELF
from tenantry.foundation.problems import VersionMismatch
from tenantry.foundation.work import PersonWork

change_user = maybe(
    User,
    """
    update tenantry.users
       set name = coalesce(:name, name),
           locale = coalesce(:locale, locale),
           timezone = coalesce(:timezone, timezone),
           version = version + 1,
           updated_at = tenantry.now()
     where id = tenantry.person()
       and version = coalesce(:version, version)
 returning id, email, name, locale, timezone, version, created_at, purge_at
    """,
)


@action(requires=ONESELF, records=ProfileChanged)
async def change_profile(
    work: PersonWork,
    *,
    name: str | None = None,
    locale: str | None = None,
    timezone: str | None = None,
    version: int | None = None,
) -> User:
    """Change one's name, language or time zone; with a version, only if nobody changed it since."""
    user = await change_user(work, name=name, locale=locale, timezone=timezone, version=version)
    if user is None:
        raise VersionMismatch
    given = {"name": name, "locale": locale, "timezone": timezone}
    fields = tuple(field for field, content in given.items() if content is not None)
    work.record(ProfileChanged(user_id=user.id, fields=fields, version_after=user.version))
    return user
