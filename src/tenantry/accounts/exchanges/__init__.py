"""Verbs of accounts that wait for a password hash between two transactions and hold no connection meanwhile."""

from __future__ import annotations

from tenantry.accounts.exchanges.addresses import CHANGE, ask_address_change, confirm_address
from tenantry.accounts.exchanges.closure import close_account, reopen_account
from tenantry.accounts.exchanges.devices import revoke
from tenantry.accounts.exchanges.exports import EXPORT, ExportTooLarge, gather_export, take_export
from tenantry.accounts.exchanges.passwords import RESET, change_password, forgot_password, reset_password
from tenantry.accounts.exchanges.proving import Proven, prove_password, prove_recently, try_password
from tenantry.accounts.exchanges.registration import (
    PROOF,
    VERIFY,
    add_person,
    register,
    register_invited,
    resend_verification,
    verify_with_password,
    verify_with_registration,
)
from tenantry.accounts.exchanges.revocation import key_of, sign_out, sign_out_everybody
from tenantry.accounts.exchanges.sessions import leave, login, logout, refresh
from tenantry.accounts.exchanges.tokens import SignedIn

__all__ = [
    "CHANGE",
    "EXPORT",
    "PROOF",
    "RESET",
    "VERIFY",
    "ExportTooLarge",
    "Proven",
    "SignedIn",
    "add_person",
    "ask_address_change",
    "change_password",
    "close_account",
    "confirm_address",
    "forgot_password",
    "gather_export",
    "key_of",
    "leave",
    "login",
    "logout",
    "prove_password",
    "prove_recently",
    "refresh",
    "register",
    "register_invited",
    "reopen_account",
    "resend_verification",
    "reset_password",
    "revoke",
    "sign_out",
    "sign_out_everybody",
    "take_export",
    "try_password",
    "verify_with_password",
    "verify_with_registration",
]
