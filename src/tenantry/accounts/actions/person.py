"""The person's own row, which every verb that changes how they sign in locks before any other.

In one order for all, none of them waits for another crosswise; and a login, which shares the row, is either seen by
them or sees what they did.
"""

from __future__ import annotations

from tenantry.accounts.models import User
from tenantry.foundation.data.sql import maybe

lock_person = maybe(
    User,
    """
    select id, email, name, locale, timezone, version, created_at, purge_at
      from tenantry.users
     where id = :user_id
       and disabled_at is null
       for no key update
    """,
)
