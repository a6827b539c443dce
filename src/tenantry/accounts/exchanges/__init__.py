"""Verbs of accounts that wait for a password hash between two transactions and hold no connection meanwhile."""

from __future__ import annotations

from tenantry.accounts.exchanges.registration import (
    PROOF,
    VERIFY,
    add_person,
    register,
    resend_verification,
    verify_with_password,
    verify_with_registration,
)
from tenantry.accounts.exchanges.sessions import login, logout, refresh
from tenantry.accounts.exchanges.tokens import SignedIn

__all__ = [
    "PROOF",
    "VERIFY",
    "SignedIn",
    "add_person",
    "login",
    "logout",
    "refresh",
    "register",
    "resend_verification",
    "verify_with_password",
    "verify_with_registration",
]
