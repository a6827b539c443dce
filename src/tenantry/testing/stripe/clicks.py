"""A click on a page of the local Stripe, and what a page may use of the account behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from tenantry.testing.stripe.books import Books
from tenantry.testing.stripe.clock import Clock
from tenantry.testing.stripe.deliveries import Deliveries
from tenantry.testing.stripe.faults import Fault, Faults


class Account(Protocol):
    """The account that a page shows, with its handles."""

    books: Books
    clock: Clock
    deliveries: Deliveries
    faults: Faults

    def catch_up(self) -> None:
        """Do what fell due."""

    def decline(self, id_: str, code: str = "generic_decline", *, times: int = 0) -> None:
        """Have the bank decline charges of this customer or card, so many times or from now on."""

    def fail(self, status: int = 500, *, after: bool = False) -> Fault:
        """Have the next request fail."""


@dataclass(slots=True)
class Click:
    """A page that is opened, or a button that is pressed on it."""

    stripe: Account
    method: str
    path: str
    query: dict[str, Any]
    form: dict[str, Any]
    id: str = ""
    wrong: str = ""

    @property
    def books(self) -> Books:
        """The books of the account."""
        return self.stripe.books

    def said(self, name: str) -> str:
        """A field of the form."""
        value = self.form.get(name, "")
        return value if isinstance(value, str) else ""
