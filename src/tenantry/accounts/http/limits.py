"""How often the routes before login may be asked, by source and by address.

Refresh and logout have none: a token that is not ours is refused before the database is asked, and counting would
cost the most frequent of these routes a second transaction. What must not tell whether it was too often (asking for a
mail again) is counted in its verb, in silence.
"""

from __future__ import annotations

from datetime import timedelta

from tenantry.foundation.security.limits import Limit

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
