"""What may be done by operators, and which roles of theirs hold it; no role in an organization does."""

from __future__ import annotations

from tenantry.foundation.permission import OPERATORS, Permission

VIEWERS, SUPPORTERS, ADMINS = OPERATORS, OPERATORS[1:], OPERATORS[2:]
OPERATE = Permission("operators:self", "Be signed in as an operator.", by_key=False, operators=VIEWERS)
LOOK = Permission("operators:read", "See anybody's account and any organization.", by_key=False, operators=VIEWERS)
SUPPORT = Permission("operators:support", "Sign people out and send them links.", by_key=False, operators=SUPPORTERS)
KEEP_OUT = Permission("operators:disable", "Keep people out, and let them in again.", by_key=False,
                      operators=SUPPORTERS, recent=True)  # fmt: skip
RESTRICT = Permission("operators:restrict", "Restrict organizations, and open them again.", by_key=False,
                      operators=ADMINS, recent=True)  # fmt: skip

ALL = (OPERATE, LOOK, SUPPORT, KEEP_OUT, RESTRICT)
