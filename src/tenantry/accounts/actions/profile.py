"""What a person changes about themselves."""

from __future__ import annotations

from tenantry.accounts.events import (
    ProfileChanged,
)
from tenantry.accounts.models import (
    Rewritten,
    User,
)
from tenantry.foundation.action import action
from tenantry.foundation.data.sql import maybe
from tenantry.foundation.events.details import Details
from tenantry.foundation.permission import ONESELF
from tenantry.foundation.problems import VersionMismatch
from tenantry.foundation.work import PersonWork

change_user = maybe(
    Rewritten,
    """
    update tenantry.users
       set name = coalesce(:name, users.name),
           locale = coalesce(:locale, users.locale),
           timezone = coalesce(:timezone, users.timezone),
           version = users.version + 1,
           updated_at = tenantry.now()
      from (select id, name, locale, timezone
              from tenantry.users
             where id = tenantry.person()
               for no key update) as before
     where users.id = before.id
       and users.version = coalesce(:version, users.version)
 returning users.id, email, users.name, users.locale, users.timezone, version, created_at, purge_at,
           before.name as name_was, before.locale as locale_was, before.timezone as timezone_was
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
    rewritten = await change_user(work, name=name, locale=locale, timezone=timezone, version=version)
    if rewritten is None:
        raise VersionMismatch
    user = rewritten.user
    given = {"name": name, "locale": locale, "timezone": timezone}
    fields = tuple(field for field, content in given.items() if content is not None)
    said = Details(rewritten.said(fields), person=user.id) if fields else None
    work.record(ProfileChanged(user_id=user.id, fields=fields, version_after=user.version), details=said)
    return user
