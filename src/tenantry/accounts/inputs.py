"""What people may send about their accounts, whichever way in they take: kinds of text, and how often they may ask.

Refresh and logout have no limit: a token that is not ours is refused before the database is asked, and counting would
cost the most frequent of these a second transaction. What must not tell whether it was too often (asking for a mail
again) is counted in its verb, in silence.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from msgspec import Meta

from tenantry.foundation.security.limits import Limit
from tenantry.foundation.security.strength import SHORTEST

# the formats are for the document: reading the address, and judging the password with typed reasons, refuse more
EmailText = Annotated[
    str,
    Meta(min_length=3, max_length=254, description="An e-mail address.", extra_json_schema={"format": "idn-email"}),
]
PasswordText = Annotated[str, Meta(max_length=1024, description="A password; every byte counts.")]
NewPassword = Annotated[
    str,
    Meta(
        max_length=1024,
        description="10 to 1024 characters, hard to guess and in no list of stolen ones.",
        extra_json_schema={"minLength": SHORTEST},
    ),
]
TokenText = Annotated[str, Meta(min_length=1, max_length=200, description="The token of a mailed link.")]
Proof = Annotated[str, Meta(min_length=1, max_length=200, description="What registering answered with.")]
RefreshText = Annotated[str, Meta(min_length=1, max_length=200, description="A refresh token.")]

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)

LOGIN = Limit("login", 10, MINUTE, by="both")
"""Sign-ins at one address from one source."""
LOGIN_SOURCE = Limit("login_source", 60, MINUTE)
"""Sign-ins from one source, at whatever addresses."""
# by address it is twice what a person needs, because whoever uses it up keeps the others from asking
REGISTER = Limit("register", 10, HOUR, by="address")
"""Registrations of one address, from wherever."""
REGISTER_SOURCE = Limit("register_source", 30, HOUR)
"""Registrations from one source, of whatever addresses."""
VERIFY_SOURCE = Limit("verify_source", 30, MINUTE)
"""Mailed links redeemed from one source."""
RESEND_SOURCE = Limit("resend_source", 20, HOUR)
"""Mails asked for again from one source."""
FORGOT_SOURCE = Limit("forgot_source", 60, HOUR)
"""Links for a new password asked for from one source."""
RESET_SOURCE = Limit("reset_source", 30, MINUTE)
"""New passwords set by link from one source."""
