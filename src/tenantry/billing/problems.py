"""What can be refused about billing."""

from __future__ import annotations

from tenantry.foundation.problems import Conflict, NotFound, Problem


class BillingOff(NotFound):
    """Nothing from Stripe is taken here: billing is off, or no signing secret is set."""

    code = "billing_off"


class BadSignature(Problem):
    """This was not signed by Stripe, or not just now."""

    status, code = 400, "bad_signature"


class NotStripes(Problem):
    """This is signed, and no event of Stripe's that can be read."""

    status, code = 400, "not_stripes"


class NoticeApplied(Conflict):
    """This notice was applied; Stripe is asked about the same thing by the next one."""

    code = "notice_applied"
