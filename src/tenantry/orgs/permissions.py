"""What may be done in an organization, and which roles hold it."""

from __future__ import annotations

from tenantry.foundation.permission import ADMINS, MEMBERS, OWNERS, Permission

ORG_READ = Permission("org:read", "See the organization.", roles=MEMBERS)
ORG_WRITE = Permission("org:write", "Rename the organization.", roles=ADMINS)
ORG_CLOSE = Permission("org:close", "Close the organization, and open it again.", roles=OWNERS, by_key=False)
ORG_TRANSFER = Permission("org:transfer", "Hand one's ownership to another member.", roles=OWNERS, by_key=False)
MEMBERS_READ = Permission("members:read", "See who belongs to the organization.", roles=MEMBERS)
MEMBERS_WRITE = Permission("members:write", "Change the role of members, and remove them.", roles=ADMINS)
MEMBERS_LEAVE = Permission("members:leave", "Leave the organization.", roles=MEMBERS, by_key=False)
MEMBERS_INVITE = Permission("members:invite", "Invite people, and see and revoke invites.", roles=ADMINS)
# who was invited, removed or demoted by whom is for those who could do it themselves; members see what came of it
EVENTS_READ = Permission("events:read", "See what happened in the organization, and to whom.", roles=ADMINS)
JOBS_READ = Permission("jobs:read", "See every job that was asked for in the organization.", roles=ADMINS)

ALL = (
    ORG_READ,
    ORG_WRITE,
    ORG_CLOSE,
    ORG_TRANSFER,
    MEMBERS_READ,
    MEMBERS_WRITE,
    MEMBERS_INVITE,
    MEMBERS_LEAVE,
    EVENTS_READ,
    JOBS_READ,
)
