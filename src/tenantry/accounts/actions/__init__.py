"""What can be done to an account, each verb inside one transaction."""

from __future__ import annotations

from tenantry.accounts.actions.addresses import ask_address_change, change_address
from tenantry.accounts.actions.closure import (
    TABLES,
    close_account,
    forget_address,
    part_with,
    purge_person,
    reopen_account,
    what_blocks_closing,
)
from tenantry.accounts.actions.crowd import join_crowd
from tenantry.accounts.actions.devices import end_device, remove_ended_sessions, revoke_session
from tenantry.accounts.actions.disabling import disable_user, enable_due_users, enable_user
from tenantry.accounts.actions.exports import (
    ask_export,
    finish_export,
    held_by_accounts,
    remove_old_exports,
    take_export,
    what_is_held,
)
from tenantry.accounts.actions.guesses import forget_guesses, forget_old_guesses, guess
from tenantry.accounts.actions.invited import invited_address, join_invited, take_in
from tenantry.accounts.actions.links import forget_expired_links, forget_links
from tenantry.accounts.actions.passwords import ask_password_reset, reset_password, set_password
from tenantry.accounts.actions.profile import change_profile
from tenantry.accounts.actions.registration import (
    add_person,
    ask_to_join,
    ask_verification_again,
    join,
    may_mail,
    remove_expired_registrations,
)
from tenantry.accounts.actions.revocation import revoke_sessions, revoke_sessions_of_everybody, sign_out_elsewhere
from tenantry.accounts.actions.sealed import sealed_exports
from tenantry.accounts.actions.sessions import (
    Scope,
    bind_session,
    end_every_session,
    end_session,
    let_in,
    log_out,
    refresh_session,
    refuse_login,
    role_of_member,
    start_session,
    use_session,
)

__all__ = [
    "TABLES",
    "Scope",
    "add_person",
    "ask_address_change",
    "ask_export",
    "ask_password_reset",
    "ask_to_join",
    "ask_verification_again",
    "bind_session",
    "change_address",
    "change_profile",
    "close_account",
    "disable_user",
    "enable_due_users",
    "enable_user",
    "end_device",
    "end_every_session",
    "end_session",
    "finish_export",
    "forget_address",
    "forget_expired_links",
    "forget_guesses",
    "forget_links",
    "forget_old_guesses",
    "guess",
    "held_by_accounts",
    "invited_address",
    "join",
    "join_crowd",
    "join_invited",
    "let_in",
    "log_out",
    "may_mail",
    "part_with",
    "purge_person",
    "refresh_session",
    "refuse_login",
    "remove_ended_sessions",
    "remove_expired_registrations",
    "remove_old_exports",
    "reopen_account",
    "reset_password",
    "revoke_session",
    "revoke_sessions",
    "revoke_sessions_of_everybody",
    "role_of_member",
    "sealed_exports",
    "set_password",
    "sign_out_elsewhere",
    "start_session",
    "take_export",
    "take_in",
    "use_session",
    "what_blocks_closing",
    "what_is_held",
]
