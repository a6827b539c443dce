"""What can be done to an account, each verb inside one transaction."""

from __future__ import annotations

from tenantry.accounts.actions.profile import change_profile
from tenantry.accounts.actions.registration import (
    add_person,
    ask_to_join,
    ask_verification_again,
    join,
    may_mail,
    remove_expired_registrations,
)
from tenantry.accounts.actions.sessions import (
    Scope,
    end_session,
    let_in,
    log_out,
    refresh_session,
    refuse_login,
    start_session,
)

__all__ = [
    "Scope",
    "add_person",
    "ask_to_join",
    "ask_verification_again",
    "change_profile",
    "end_session",
    "join",
    "let_in",
    "log_out",
    "may_mail",
    "refresh_session",
    "refuse_login",
    "remove_expired_registrations",
    "start_session",
]
