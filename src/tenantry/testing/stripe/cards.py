"""Test cards: what each of Stripe's test tokens is, and what its bank says."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class Card:
    """A card with its manners: what the bank says when it is attached, and when it is charged."""

    brand: str
    number: str
    on_attach: str = ""
    on_charge: str = ""  # empty: it pays; `authenticate`; else a decline code

    @property
    def fingerprint(self) -> str:
        """The same for the same number, whatever it is called."""
        return sha256(self.number.encode()).hexdigest()[:16]


AUTHENTICATE = "authenticate"
CARDS = {
    "visa": Card("visa", "4242424242424242"),
    "visa_debit": Card("visa", "4000056655665556"),
    "mastercard": Card("mastercard", "5555555555554444"),
    "amex": Card("amex", "378282246310005"),
    "discover": Card("discover", "6011111111111117"),
    "us": Card("visa", "4242424242424242"),
    "chargeDeclined": Card("visa", "4000000000000002", "generic_decline", "generic_decline"),
    "visa_chargeDeclined": Card("visa", "4000000000000002", "generic_decline", "generic_decline"),
    "visa_chargeDeclinedInsufficientFunds": Card(
        "visa", "4000000000009995", "insufficient_funds", "insufficient_funds"
    ),
    "chargeDeclinedInsufficientFunds": Card("visa", "4000000000009995", "insufficient_funds", "insufficient_funds"),
    "visa_chargeDeclinedLostCard": Card("visa", "4000000000009987", "lost_card", "lost_card"),
    "visa_chargeDeclinedStolenCard": Card("visa", "4000000000009979", "stolen_card", "stolen_card"),
    "chargeDeclinedExpiredCard": Card("visa", "4000000000000069", "expired_card", "expired_card"),
    "chargeDeclinedIncorrectCvc": Card("visa", "4000000000000127", "incorrect_cvc", "incorrect_cvc"),
    "chargeDeclinedProcessingError": Card("visa", "4000000000000119", "processing_error", "processing_error"),
    "chargeCustomerFail": Card("visa", "4000000000000341", "", "generic_decline"),
    "authenticationRequired": Card("visa", "4000002760003184", "", AUTHENTICATE),
    "threeDSecure2Required": Card("visa", "4000000000003220", "", AUTHENTICATE),
    "threeDSecureRequired": Card("visa", "4000000000003063", "", AUTHENTICATE),
}
BY_NUMBER = {card.number: name for name, card in reversed(CARDS.items())}
OWN_CODE = {"expired_card", "incorrect_cvc", "processing_error"}
HARD = {"lost_card", "stolen_card", "pickup_card", "restricted_card"}


def named(token: str) -> str | None:
    """The card of `pm_card_visa`, `tok_visa` or a number."""
    if token in BY_NUMBER:
        return BY_NUMBER[token]
    for prefix in ("pm_card_", "tok_"):
        if token.startswith(prefix) and token.removeprefix(prefix) in CARDS:
            return token.removeprefix(prefix)
    return None


def error_code(decline: str) -> str:
    """The error code beside a decline code."""
    return decline if decline in OWN_CODE else "card_declined"


def message(decline: str) -> str:
    """What the cardholder is told."""
    return {
        "expired_card": "Your card has expired.",
        "incorrect_cvc": "Your card's security code is incorrect.",
        "insufficient_funds": "Your card has insufficient funds.",
        "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    }.get(decline, "Your card was declined.")
