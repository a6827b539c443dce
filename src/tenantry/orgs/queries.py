"""Reads of organizations and members."""

from __future__ import annotations

from uuid import UUID

from tenantry.foundation.data.sql import many, maybe, one, value, values
from tenantry.foundation.listing import Listing
from tenantry.foundation.surroundings import OrgNamed
from tenantry.orgs.models import (
    AnyOrg,
    Invite,
    InviteHeld,
    InviteMail,
    JobReport,
    Member,
    Membership,
    Offer,
    Org,
    Owner,
    Standing,
)

# `role` is the work's own: whoever made a service key may be no member any more
org = one(
    Org,
    """
    select id, name, slug, version, created_at, purge_at, restricted_from, :role::text as role
      from tenantry.orgs
     where id = tenantry.org()
    """,
    not_null=("role",),
)

orgs_by_name = many(
    Org,
    """
    select id, name, slug, orgs.version, created_at, purge_at, restricted_from, role
      from tenantry.orgs
      join tenantry.members on members.org_id = orgs.id
     where user_id = tenantry.person()
       and (:slug::text is null or id = (select org_id from tenantry.org_slugs where org_slugs.slug = :slug))
       and (name, id) > (coalesce(:after_key, ''), coalesce(:after_id, '00000000-0000-0000-0000-000000000000'::uuid))
     order by name, id
     limit :rows
    """,
)

orgs_by_age = many(
    Org,
    """
    select id, name, slug, orgs.version, created_at, purge_at, restricted_from, role
      from tenantry.orgs
      join tenantry.members on members.org_id = orgs.id
     where user_id = tenantry.person()
       and (:slug::text is null or id = (select org_id from tenantry.org_slugs where org_slugs.slug = :slug))
       and (created_at, id) < (coalesce(:after_key, 'infinity'::timestamptz),
                               coalesce(:after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
     order by created_at desc, id desc
     limit :rows
    """,
)

orgs = Listing("orgs.orgs", {"name": orgs_by_name, "-created_at": orgs_by_age})

orgs_named = many(
    OrgNamed,
    """
    select orgs.id, orgs.name, role
      from tenantry.orgs
      join tenantry.members on members.org_id = orgs.id
     where user_id = tenantry.person()
     order by orgs.id = :org_id desc, orgs.name, orgs.id
     limit :most
    """,
)

orgs_of_person = value(int, "select count(*) from tenantry.members where user_id = tenantry.person()")

ANY_ORG = """
    select id, name, slug, created_at, closed_at, purge_at, restricted_from,
           (select count(*) from tenantry.members where members.org_id = orgs.id) as members
      from tenantry.orgs
"""

# by a slug that it had before, too: that is what an old mail says
NAMED = "where id = :org_id or id = (select org_id from tenantry.org_slugs where org_slugs.slug = :slug)"

any_org = maybe(AnyOrg, ANY_ORG + NAMED, not_null=("members",))

orgs_of_anybody = many(
    AnyOrg,
    ANY_ORG
    + """
     where :search::text is null or strpos(lower(name), lower(:search)) > 0 or strpos(slug, lower(:search)) > 0
     order by created_at desc, id desc
     limit :most
    """,
    not_null=("members",),
)

members_of_any_org = many(
    Member,
    """
    select users.id, users.email, users.name, role, members.version, joined_at
      from tenantry.members
      join tenantry.users on users.id = members.user_id
     where members.org_id = :org_id
     order by joined_at, user_id
     limit :most
    """,
)

members_in_order = many(
    Member,
    """
    select users.id, users.email, users.name, role, members.version, joined_at
      from tenantry.members
      join tenantry.users on users.id = members.user_id
     where members.org_id = tenantry.org()
       and (joined_at, user_id) > (coalesce(:after_key, '-infinity'::timestamptz),
                                   coalesce(:after_id, '00000000-0000-0000-0000-000000000000'::uuid))
     order by joined_at, user_id
     limit :rows
    """,
)

members_newest_first = many(
    Member,
    """
    select users.id, users.email, users.name, role, members.version, joined_at
      from tenantry.members
      join tenantry.users on users.id = members.user_id
     where members.org_id = tenantry.org()
       and (joined_at, user_id) < (coalesce(:after_key, 'infinity'::timestamptz),
                                   coalesce(:after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
     order by joined_at desc, user_id desc
     limit :rows
    """,
)

members = Listing("orgs.members", {"joined_at": members_in_order, "-joined_at": members_newest_first})

MEMBER = """
    select users.id, users.email, users.name, role, members.version, joined_at
      from tenantry.members
      join tenantry.users on users.id = members.user_id
     where members.org_id = tenantry.org()
       and members.user_id = :user_id
"""

member = one(Member, MEMBER)
member_if_any = maybe(Member, MEMBER)

members_of_org = value(int, "select count(*) from tenantry.members where org_id = :org_id")

# in one order for everybody, so that two who govern each other do not wait in a ring
standings_for_update = many(
    Standing,
    """
    select user_id, role, version
      from tenantry.members
     where org_id = tenantry.org()
       and user_id = any (:user_ids)
     order by user_id
       for update
    """,
)

role_in_open_org = value(
    str,
    """
    select role
      from tenantry.members
      join tenantry.orgs on orgs.id = members.org_id
     where members.org_id = :org_id
       and user_id = :user_id
       and closed_at is null
    """,
)

due_for_purge = values(
    UUID,
    """
    select id
      from tenantry.orgs
     where purge_at <= tenantry.now()
     order by purge_at
     limit :most
    """,
)

owners_of_org = values(
    UUID,
    """
    select user_id
      from tenantry.members
     where org_id = :org_id
       and role = 'owner'
     order by joined_at, user_id
     limit :most
    """,
)

# none for one who is owner no more, or has gone too
owner_of_org = maybe(
    Owner,
    """
    select users.email, users.timezone, orgs.name as org_name, orgs.purge_at
      from tenantry.members
      join tenantry.orgs on orgs.id = members.org_id
      join tenantry.users on users.id = members.user_id
     where members.org_id = :org_id
       and members.user_id = :user_id
       and role = 'owner'
       and users.closed_at is null
       and users.disabled_at is null
    """,
)

memberships = many(
    Membership,
    """
    select orgs.id, orgs.name, role, joined_at
      from tenantry.members
      join tenantry.orgs on orgs.id = members.org_id
     where user_id = :user_id
     order by joined_at, orgs.id
     limit :most
    """,
)

invites_newest_first = many(
    Invite,
    """
    select id, email, role,
           case when status = 'pending' and expires_at <= tenantry.now() then 'expired' else status end as status,
           invited_by, generation, created_at, expires_at
      from tenantry.invites
     where org_id = tenantry.org()
       and (:status::text is null
            or case when status = 'pending' and expires_at <= tenantry.now() then 'expired' else status end = :status)
       and (created_at, id) < (coalesce(:after_key, 'infinity'::timestamptz),
                               coalesce(:after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
     order by created_at desc, id desc
     limit :rows
    """,
    not_null=("status",),
)

invites = Listing("orgs.invites", {"-created_at": invites_newest_first})

offers_last_first = many(
    Offer,
    """
    select invites.id, org_id, orgs.name as org, invites.email, invites.email_key, role, status, users.name as inviter,
           expires_at, user_id
      from tenantry.invites
      join tenantry.orgs on orgs.id = org_id
      left join tenantry.users on users.id = invited_by
     where invites.email_key = :email_key
       and status = 'pending'
       and expires_at > tenantry.now()
       and orgs.closed_at is null
       and (expires_at, invites.id) < (coalesce(:after_key, 'infinity'::timestamptz),
                                       coalesce(:after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
     order by expires_at desc, invites.id desc
     limit :rows
    """,
)

offers = Listing("orgs.offers", {"-expires_at": offers_last_first})

offer = maybe(
    Offer,
    """
    select invites.id, org_id, orgs.name as org, invites.email, invites.email_key, role,
           case when status = 'pending' and expires_at <= tenantry.now() then 'expired' else status end as status,
           users.name as inviter, expires_at, user_id
      from tenantry.invites
      join tenantry.orgs on orgs.id = org_id
      left join tenantry.users on users.id = invited_by
     where invites.id = :invite_id
    """,
    not_null=("status",),
)

address_of = value(str, "select email_key from tenantry.users where id = :user_id")

mail_of_invite = maybe(
    InviteMail,
    """
    select invites.email, orgs.name as org, users.name as inviter
      from tenantry.invites
      join tenantry.orgs on orgs.id = org_id
      join tenantry.users on users.id = invited_by
     where invites.id = :invite_id
       and generation = :generation
       and status = 'pending'
       and not muted
       and expires_at > tenantry.now()
       and orgs.closed_at is null
    """,
)

invites_held = many(
    InviteHeld,
    """
    select orgs.name as org, invites.email, role, status, invites.created_at, settled_at
      from tenantry.invites
      join tenantry.orgs on orgs.id = org_id
     where invites.email_key = (select email_key from tenantry.users where users.id = :user_id)
        or invites.user_id = :user_id
     order by invites.created_at, invites.id
     limit :most
    """,
)

job_report = maybe(
    JobReport,
    """
    select id, kind, state, attempt, done, total, note, asked_at, started_at, ended_at
      from tenantry.job_reports
     where id = :job_id
       and org_id = tenantry.org()
       and (person_id = tenantry.person() or :everybodys)
    """,
)
