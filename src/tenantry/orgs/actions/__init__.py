"""Verbs of organizations, a file a noun."""

from __future__ import annotations

from tenantry.orgs.actions.acceptance import (
    PURPOSE,
    accept_invite,
    decline_invite,
    enter,
    hold_person,
    invite_of_link,
    invited_address,
    offered,
    take_in,
)
from tenantry.orgs.actions.belonging import role_of, sole_ownerships, what_is_held
from tenantry.orgs.actions.closure import (
    close_org,
    purge_org,
    reopen_org,
    what_blocks_org_closing,
    what_delays_purging,
)
from tenantry.orgs.actions.crowd import found_crowd
from tenantry.orgs.actions.expiry import expire_invites
from tenantry.orgs.actions.invites import Wanted, hold_open_org, invite, invite_many, resend_invite, revoke_invite
from tenantry.orgs.actions.members import (
    add_member,
    change_role,
    leave,
    may_add_member,
    remove_member,
    transfer_ownership,
)
from tenantry.orgs.actions.naming import change_org, create_org, plans_of
from tenantry.orgs.actions.parting import part_with
from tenantry.orgs.actions.restriction import restrict_org
from tenantry.orgs.actions.surroundings import surroundings_of
from tenantry.orgs.actions.switching import switch_org
from tenantry.orgs.actions.tables import ORG_TABLES, TABLES

__all__ = [
    "ORG_TABLES",
    "PURPOSE",
    "TABLES",
    "Wanted",
    "accept_invite",
    "add_member",
    "change_org",
    "change_role",
    "close_org",
    "create_org",
    "decline_invite",
    "enter",
    "expire_invites",
    "found_crowd",
    "hold_open_org",
    "hold_person",
    "invite",
    "invite_many",
    "invite_of_link",
    "invited_address",
    "leave",
    "may_add_member",
    "offered",
    "part_with",
    "plans_of",
    "purge_org",
    "remove_member",
    "reopen_org",
    "resend_invite",
    "restrict_org",
    "revoke_invite",
    "role_of",
    "sole_ownerships",
    "surroundings_of",
    "switch_org",
    "take_in",
    "transfer_ownership",
    "what_blocks_org_closing",
    "what_delays_purging",
    "what_is_held",
]
