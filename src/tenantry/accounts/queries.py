"""Reads of accounts."""

from __future__ import annotations

from tenantry.accounts.models import Credential, Registration, Session, User
from tenantry.foundation.data.sql import many, maybe, one, value

oneself = one(
    User,
    """
    select id, email, name, locale, timezone, version, created_at
      from tenantry.users
     where id = tenantry.person()
    """,
)

user_by_id = one(
    User,
    """
    select id, email, name, locale, timezone, version, created_at
      from tenantry.users
     where id = :user_id
    """,
)

credential_of_address = maybe(
    Credential,
    """
    select users.id as user_id, credentials.password_hash
      from tenantry.users
      join tenantry.credentials on credentials.user_id = users.id
     where users.email_key = :email_key
       and users.disabled_at is null
       and users.closed_at is null
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

address_of_account = value(str, "select email from tenantry.users where email_key = :email_key")

session_for_update = maybe(
    Session,
    """
    select sessions.id, sessions.user_id, sessions.counter, sessions.rotated_at, tenantry.now() as asked_at
      from tenantry.sessions
      join tenantry.users on users.id = sessions.user_id
     where sessions.id = :session_id
       and sessions.ended_at is null
       and sessions.expires_at > tenantry.now()
       and users.disabled_at is null
       and users.closed_at is null
       for update of sessions
    """,
)
