"""How often people may be invited. That others invite somebody as well must not be told: it is counted in silence."""

from __future__ import annotations

from datetime import timedelta

from tenantry.foundation.security.limits import Limit

DAY = timedelta(days=1)

INVITE_MAILS = Limit("invite_mails", 3, DAY, by="address")
"""Invites mailed to one address by one organization."""
INVITE_MAILS_OF_ADDRESS = Limit("invite_mails_of_address", 10, DAY, by="address")
"""Invites mailed to one address by all organizations; further ones are answered as ever and not mailed."""
INVITE_MAILS_OF_ORG = Limit("invite_mails_of_org", 200, DAY)
"""Invites mailed by one organization."""
INVITE_SOURCE = Limit("invite_source", 30, timedelta(minutes=1))
"""Forms of invites sent from one source by whoever is not signed in."""
