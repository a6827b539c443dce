"""The settings of billing; without a secret key billing is off, and everything else works."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.secret import Secret
from tenantry.settings import says, variable

SHORTEST_SECRET = 16
"""Characters of a webhook secret, at least: one that is guessed lets anybody say what Stripe would."""
LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))
STRIPES_OWN = "https://api.stripe.com"
STRIPES_PAGES = ("https://checkout.stripe.com", "https://billing.stripe.com")
_KEY = re.compile(r"[sr]k_(?:live|test)_[!-~]+")
PAGE = r"^$|^https?://.*\{org\}"


class BillingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which Stripe account billing is done with, and how what it tells is recognized."""

    stripe_api_base: Annotated[
        str, says("Where Stripe answers; another address than Stripe's own is for development and tests.")
    ] = STRIPES_OWN
    stripe_secret_key: Annotated[
        Secret[str] | None, says("Secret or restricted key of the Stripe account; absent: billing is off.")
    ] = None
    stripe_webhook_secrets: Annotated[
        Secret[str] | None,
        says("Signing secrets of the webhook endpoint (comma list); several while one replaces another."),
    ] = None
    link_billing: Annotated[
        str,
        says(
            "The page where an organization pays, with `{org}`. Default: our `/console/orgs/{org}/billing` page.",
            pattern=PAGE,
        ),
    ] = ""
    stripe_portal_configuration: Annotated[
        str,
        says(
            "Which of the account's portal configurations people see (`bpc_...`). Default: the account's default.",
            pattern=r"^$|^bpc_[A-Za-z0-9]+$",
        ),
    ] = ""
    payment_grace_days: Annotated[
        int, says("Days that a plan stays after a payment failed, while Stripe tries again.", ge=0, le=90)
    ] = 14

    @property
    def on(self) -> bool:
        """Whether there is a Stripe account to bill with."""
        return self.stripe_secret_key is not None

    @property
    def page_origins(self) -> tuple[str, ...]:
        """Where the pages of Stripe's are that people are sent to; in development they are where it answers."""
        if self.stripe_api_base.rstrip("/") == STRIPES_OWN:
            return STRIPES_PAGES
        parts = urlsplit(self.stripe_api_base)
        return (f"{parts.scheme}://{parts.netloc}",)

    @property
    def live(self) -> bool:
        """Whether real money moves; what Stripe tells of the other mode is not about us."""
        key = "" if self.stripe_secret_key is None else self.stripe_secret_key.reveal()
        return key.startswith(("sk_live_", "rk_live_"))

    @property
    def secrets(self) -> tuple[Secret[bytes], ...]:
        """What a notice may be signed with; none while billing is off."""
        if not self.on or self.stripe_webhook_secrets is None:
            return ()
        return tuple(Secret(one.encode()) for one in _listed(self.stripe_webhook_secrets))

    def faults(self) -> list[str]:
        """What cannot be used, without the values."""
        return [*self._bad_base(), *self._bad_key(), *self._bad_secrets()]

    def _bad_base(self) -> list[str]:
        try:
            parts = urlsplit(self.stripe_api_base)
            good = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
            good = good and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            return [f"{variable('stripe_api_base')} is no address"]
        if good and parts.path in {"", "/"} and not (parts.query or parts.fragment or parts.username):
            return []
        return [f"{variable('stripe_api_base')} must be an https:// origin, or http:// on this machine"]

    def _bad_key(self) -> list[str]:
        key = self.stripe_secret_key
        # It goes into a header: what is no header's would fail at the first call, with the key in the message. And it
        # says the mode: of one that says none, all that Stripe tells would be let go as the other mode's.
        if key is None or _KEY.fullmatch(key.reveal()):
            return []
        return [f"{variable('stripe_secret_key')} holds no secret or restricted key of Stripe's (sk_..., rk_...)"]

    def _bad_secrets(self) -> list[str]:
        if self.stripe_webhook_secrets is None:
            return []
        name, given = variable("stripe_webhook_secrets"), _listed(self.stripe_webhook_secrets)
        if not all(given):
            # anybody can sign with an empty key
            return [f"{name} holds an empty secret"]
        short = any(len(one) < SHORTEST_SECRET for one in given)
        return [f"{name} holds a secret of less than {SHORTEST_SECRET} characters"] if short else []


def _listed(secrets: Secret[str]) -> list[str]:
    return [one.strip() for one in secrets.reveal().split(",")]


def billing_page(runtime: Runtime, org_id: UUID) -> str:
    """Where an organization sees what it pays for, and pays."""
    template = runtime.section(BillingSettings).link_billing or f"{runtime.origin}/console/orgs/{{org}}/billing"
    return template.replace("{org}", ORG_ID.text(org_id))
