"""Verbs of organizations for people who belong to none of them yet, so that no narrower work could be opened."""

from __future__ import annotations

from tenantry.orgs.exchanges.invites import accept_invite, decline_invite, look_at_invite, offers_of_oneself

__all__ = ["accept_invite", "decline_invite", "look_at_invite", "offers_of_oneself"]
