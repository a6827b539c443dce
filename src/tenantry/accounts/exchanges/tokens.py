"""What exchanges of accounts read and hand out: tokens of mailed links, and those of a signed-in device."""

from __future__ import annotations

from uuid import UUID

import msgspec

from tenantry.accounts.models import Rotation, User
from tenantry.accounts.problems import LinkInvalid
from tenantry.foundation.call import Call
from tenantry.foundation.data.ids import SESSION_ID, USER_ID
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


def hand_tokens(call: Call, user: User, rotation: Rotation) -> SignedIn:
    # before the commit: where there is no key to sign with, nothing has happened
    subject = {"subject": USER_ID.text(user.id), "session": SESSION_ID.text(rotation.session_id)}
    access, life = call.runtime.keys.issue(subject)
    refresh = call.runtime.refresh.issue(rotation.session_id, rotation.counter)
    return SignedIn(rotation.session_id, access, refresh, life, user)
