"""What exchanges of accounts read and hand out: tokens of mailed links, and those of a signed-in device."""

from __future__ import annotations

from uuid import UUID

import msgspec

from tenantry.accounts.models import Rotation, User
from tenantry.accounts.problems import LinkInvalid
from tenantry.foundation.call import Call
from tenantry.foundation.data.ids import ORG_ID, SESSION_ID, USER_ID
from tenantry.foundation.permission import Role
from tenantry.foundation.security.tokens import BadToken

BEFORE_LOGIN = "nobody is signed in yet"


class SignedIn(msgspec.Struct, frozen=True):
    """A person's session and its tokens: five minutes of access, and the refresh token that gets the next ones."""

    session_id: UUID
    access_token: str
    refresh_token: str
    expires_in: int
    user: User


def genuine(call: Call, purpose: str, token: str) -> UUID:
    one_time = call.runtime.one_time
    try:
        row = one_time.read(token)
    except BadToken as error:
        raise LinkInvalid from error
    if not one_time.verify(purpose, row, 0, token):
        raise LinkInvalid
    return row


def hand_tokens(call: Call, user: User, rotation: Rotation, *, role: Role | None = None) -> SignedIn:
    """The tokens of a device, bound to its organization if the person has a role there."""
    subject = {"subject": USER_ID.text(user.id), "session": SESSION_ID.text(rotation.session_id)}
    if rotation.org_id is not None and role is not None:
        subject |= {"org": ORG_ID.text(rotation.org_id), "role": role}
    # before the commit: where there is no key to sign with, nothing has happened
    access, life = call.runtime.keys.issue(subject)
    refresh = call.runtime.refresh.issue(rotation.session_id, rotation.counter)
    return SignedIn(rotation.session_id, access, refresh, life, user)
