"""Rotation: another secret for the same API key, beside those before it for as long as somebody still uses them."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from tenantry.api_keys.actions.keys import NewSecret, fresh_secret, known_by, shown
from tenantry.api_keys.actions.standing import key_to_change, refuse_above
from tenantry.api_keys.events import ApiKeyRotated
from tenantry.api_keys.models import KEYS_KEPT, MOST_SECRETS, OVERLAP
from tenantry.api_keys.permissions import API_KEYS_OWN
from tenantry.api_keys.problems import TooManySecrets
from tenantry.foundation.action import action
from tenantry.foundation.data.sql import one, run, value
from tenantry.foundation.work import OrgWork

# those of a rotation a moment ago keep their own end, unless this one is sooner
end_secrets = run("""
    update tenantry.api_key_secrets
       set ends_at = least(ends_at, tenantry.now() + :overlap::interval)
     where org_id = tenantry.org()
       and key_id = :key_id
       and coalesce(ends_at > tenantry.now() + :overlap::interval, true)
""")

forget_secrets = run("""
    delete from tenantry.api_key_secrets
     where org_id = tenantry.org()
       and key_id = :key_id
       and ends_at < tenantry.now() - :kept::interval
""")

living_secrets = value(
    int,
    """
    select count(*)
      from tenantry.api_key_secrets
     where org_id = tenantry.org()
       and key_id = :key_id
       and coalesce(ends_at > tenantry.now(), true)
    """,
)


class Turned(msgspec.Struct, frozen=True):
    """The version of a key since it has another secret, and when those before end."""

    version: int
    old_secret_ends_at: datetime


keep_secret = one(
    Turned,
    """
    with kept as (
        insert into tenantry.api_key_secrets (org_id, key_id, digest, hint)
        values (tenantry.org(), :key_id, :digest, :hint)
    )
    update tenantry.api_keys
       set version = version + 1
     where org_id = tenantry.org()
       and id = :key_id
 returning version, tenantry.now() + :overlap::interval as old_secret_ends_at
    """,
    not_null=("old_secret_ends_at",),
)


@action(requires=API_KEYS_OWN, records=ApiKeyRotated)
async def rotate_key(work: OrgWork, *, key_id: UUID, overlap: timedelta = OVERLAP) -> NewSecret:
    """Give an API key another secret, shown this once; what it had before opens the same until the overlap is over."""
    role, held = await key_to_change(work, key_id)
    # whoever sees the secret has the key's rights
    refuse_above(work, role, held.scopes)
    await end_secrets(work, key_id=key_id, overlap=overlap)
    await forget_secrets(work, key_id=key_id, kept=KEYS_KEPT)
    if (await living_secrets(work, key_id=key_id) or 0) >= MOST_SECRETS:
        raise TooManySecrets
    secret = fresh_secret(work, held.kind)
    turned = await keep_secret(work, key_id=key_id, overlap=overlap, **known_by(secret))
    work.record(
        ApiKeyRotated(
            org_id=work.org,
            key_id=key_id,
            old_secret_ends_at=turned.old_secret_ends_at,
            version_after=turned.version,
        )
    )
    return NewSecret(await shown(work, key_id), secret)
