"""Reads of accounts."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from tenantry.accounts.models import (
    Account,
    AddressChange,
    Device,
    DeviceHeld,
    Export,
    Happened,
    Noted,
    Registration,
    Session,
    SignIn,
    User,
)
from tenantry.foundation.data.sql import many, maybe, one, value, values
from tenantry.foundation.listing import Listing

oneself = one(
    User,
    """
    select id, email, name, locale, timezone, version, created_at, purge_at
      from tenantry.users
     where id = tenantry.person()
    """,
)

BY_ID = """
    select id, email, name, locale, timezone, version, created_at, purge_at
      from tenantry.users
     where id = :user_id
"""

user_by_id = one(User, BY_ID)
user_if_any = maybe(User, BY_ID)

signed_in_within = value(
    bool,
    """
    select created_at > tenantry.now() - :recent::interval
      from tenantry.sessions
     where id = :session_id
    """,
)

user_of_reset = maybe(
    User,
    """
    select users.id, email, name, locale, timezone, version, users.created_at, purge_at
      from tenantry.password_resets
      join tenantry.users on users.id = password_resets.user_id
     where password_resets.id = :reset_id
       and password_resets.expires_at > tenantry.now()
       and users.disabled_at is null
    """,
)

address_change = maybe(
    AddressChange,
    """
    select user_id, id, email, email_key, previous
      from tenantry.address_changes
     where id = :change_id
    """,
)

pending_registration = maybe(
    Registration,
    """
    select id, email, email_key, name, password_hash, created_at, expires_at
      from tenantry.registrations
     where id = :registration_id
       and expires_at > tenantry.now()
    """,
)

registration_beside = maybe(
    Registration,
    """
    select own.id, own.email, own.email_key, own.name, own.password_hash, own.created_at, own.expires_at
      from tenantry.registrations own
      join tenantry.registrations mailed on mailed.email_key = own.email_key
     where own.id = :own
       and mailed.id = :mailed
       and own.expires_at > tenantry.now()
       and mailed.expires_at > tenantry.now()
    """,
)

registrations_beside = many(
    Registration,
    """
    select own.id, own.email, own.email_key, own.name, own.password_hash, own.created_at, own.expires_at
      from tenantry.registrations mailed
      join tenantry.registrations own on own.email_key = mailed.email_key
     where mailed.id = :mailed
       and mailed.expires_at > tenantry.now()
       and own.expires_at > tenantry.now()
     order by own.id = :mailed desc, own.created_at desc
     limit :most
    """,
)

newest_registration_of_address = maybe(
    Registration,
    """
    select id, email, email_key, name, password_hash, created_at, expires_at
      from tenantry.registrations
     where email_key = :email_key
       and expires_at > tenantry.now()
     order by created_at desc
     limit 1
    """,
)

moment = value(datetime, "select tenantry.now()")

person_named = value(UUID, "select id from tenantry.users where id = :user_id or email_key = :email_key")

# what is signed in now, as an owner sees their own devices
ACCOUNTS = """
    select users.id, email, name, users.created_at, closed_at, purge_at, disabled_at,
           disablings.until as disabled_until, disablings.why as disabled_why, held.sessions, held.last_used_at
      from tenantry.users
      left join tenantry.disablings on disablings.user_id = users.id
     cross join lateral (
           select count(*) as sessions, max(rotated_at) as last_used_at
             from tenantry.sessions
            where user_id = users.id
              and ended_at is null
              and expires_at > tenantry.now()
              and rotated_at > tenantry.now() - :idle::interval) as held
"""

account_of_anybody = maybe(
    Account, ACCOUNTS + " where users.id = :user_id or email_key = :email_key", not_null=("sessions",)
)

accounts_of_anybody = many(
    Account,
    ACCOUNTS
    + """
     where (:search::text is null or strpos(lower(email), lower(:search)) > 0
            or strpos(lower(name), lower(:search)) > 0)
       and (not :disabled::boolean or disabled_at is not null)
       and (users.created_at, users.id) < (coalesce(:after_key, 'infinity'::timestamptz),
                                           coalesce(:after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
     order by users.created_at desc, users.id desc
     limit :rows
    """,
    not_null=("sessions",),
)

address_of_account = value(str, "select email from tenantry.users where email_key = :email_key")

session_for_update = maybe(
    Session,
    """
    select sessions.id, sessions.user_id, sessions.org_id, sessions.counter, sessions.rotated_at,
           tenantry.now() as asked_at
      from tenantry.sessions
      join tenantry.users on users.id = sessions.user_id
     where sessions.id = :session_id
       and sessions.ended_at is null
       and sessions.expires_at > tenantry.now()
       and users.disabled_at is null
       for update of sessions
    """,
)

devices_by_use = many(
    Device,
    """
    select id, created_at, rotated_at as last_used_at, expires_at, source, agent
      from tenantry.sessions
     where user_id = tenantry.person()
       and ended_at is null
       and expires_at > tenantry.now()
       and rotated_at > tenantry.now() - :idle::interval
       and (rotated_at, id) < (coalesce(:after_key, 'infinity'::timestamptz),
                               coalesce(:after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
     order by rotated_at desc, id desc
     limit :rows
    """,
)

devices_by_age = many(
    Device,
    """
    select id, created_at, rotated_at as last_used_at, expires_at, source, agent
      from tenantry.sessions
     where user_id = tenantry.person()
       and ended_at is null
       and expires_at > tenantry.now()
       and rotated_at > tenantry.now() - :idle::interval
       and (created_at, id) < (coalesce(:after_key, 'infinity'::timestamptz),
                               coalesce(:after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
     order by created_at desc, id desc
     limit :rows
    """,
)

devices = Listing("accounts.sessions", {"-last_used_at": devices_by_use, "-created_at": devices_by_age})

sign_in = maybe(
    SignIn,
    """
    select users.email, users.timezone, sessions.created_at, sessions.source, sessions.agent
      from tenantry.sessions
      join tenantry.users on users.id = sessions.user_id
     where sessions.id = :session_id
       and users.disabled_at is null
    """,
)

# what their history says, as long as nobody else's account has it since
addresses_before = values(
    str,
    """
    select distinct email_key
      from tenantry.details
     where person_id = :user_id
       and email_key is not null
       and not exists (select from tenantry.users where users.email_key = details.email_key)
    """,
    not_null=("email_key",),
)

due_for_purge = values(
    UUID,
    """
    select id
      from tenantry.users
     where purge_at <= tenantry.now()
     order by purge_at
     limit :most
    """,
)

recent_export = maybe(
    Export,
    """
    select id, expires_at is not null as ready, used_at is not null as used,
           greatest(1, ceil(extract(epoch from asked_at + :pause::interval - tenantry.now())))::integer as pause_left
      from tenantry.exports
     where user_id = tenantry.person()
       and asked_at > tenantry.now() - :pause::interval
     order by asked_at desc, id desc
     limit 1
    """,
    not_null=("ready", "used", "pause_left"),
)

person_of_export = value(
    UUID,
    """
    select user_id
      from tenantry.exports
     where id = :export_id
       and expires_at is null
       and used_at is null
    """,
)

devices_held = many(
    DeviceHeld,
    """
    select created_at, rotated_at, ended_at, ended_why, source, agent
      from tenantry.sessions
     where user_id = :user_id
     order by created_at desc
     limit :most
    """,
)

history_held = many(
    Happened,
    """
    select events.at, kind, payload, named
      from tenantry.events
      left join tenantry.details on row_id = public_id and about = 'subject'
     where events.person_id = :user_id
       and events.org_id is null
     order by events.at desc, id desc
     limit :most
    """,
)

noted_held = many(
    Noted,
    """
    select at, about, named
      from tenantry.details
     where (person_id = :user_id and (about = 'actor' or org_id is not null))
        or (person_id is null and email_key = (select email_key from tenantry.users where users.id = :user_id))
     order by at desc, row_id desc
     limit :most
    """,
)
