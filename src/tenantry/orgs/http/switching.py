"""Binding a device's tokens to one organization, over HTTP."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from tenantry.foundation.data.ids import ORG_ID, SESSION_ID, USER_ID
from tenantry.foundation.permission import ONESELF, Role
from tenantry.foundation.problems import NotFound
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import PersonWork
from tenantry.orgs import actions
from tenantry.orgs.http.shapes import OrgId, routes


class Switch(Wire):
    """The only organization that this device's tokens shall open; null for all of one's own."""

    org: OrgId | None


class BoundToken(Wire):
    """An access token, and what it is bound to."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: Annotated[int, Meta(description="Seconds until the access token expires.")]
    org: OrgId | None
    role: Role | None


@routes.post(
    "/auth/switch-org",
    requires=ONESELF,
    problems=(NotFound,),
    example={"org": "org_01jd4w2q8nf6v9m3x5c7b1r0kt"},
    answer_example={
        "access_token": "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCJ9.e30.c2ln",
        "token_type": "Bearer",
        "expires_in": 300,
        "org": "org_01jd4w2q8nf6v9m3x5c7b1r0kt",
        "role": "admin",
    },
)
async def switch_org(work: PersonWork, body: Switch) -> BoundToken:
    """Get an access token for one organization only, or for all; refreshing keeps what was chosen."""
    org_id = ORG_ID.read(body.org) if body.org is not None else None
    if body.org is not None and org_id is None:
        raise NotFound
    role = await actions.switch_org(work, org_id=org_id)
    subject = {"subject": USER_ID.text(work.person), "session": SESSION_ID.text(work.session_id)}
    # before the commit: where there is no key to sign with, nothing has happened
    token, life = work.runtime.keys.issue(subject | {"org": body.org, "role": role})
    return BoundToken(access_token=token, token_type="Bearer", expires_in=life, org=body.org, role=role)  # noqa: S106
