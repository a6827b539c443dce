"""Truth: what Stripe answered when it was asked what a notice is about."""

from __future__ import annotations

import msgspec

from tenantry.billing.stripe import shapes


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one notice made us ask for; `asked` is the place of the question in the order of all of them.

    `gone` is a subscription that Stripe does not know any more.
    """

    asked: int
    subscription: shapes.Subscription | None = None
    gone: str | None = None
    invoices: tuple[shapes.Invoice, ...] = ()
    customer: shapes.Customer | None = None
    checkout: shapes.Session | None = None
    payment: shapes.Payment | None = None

    @property
    def customer_id(self) -> str | None:
        """Whom all of it is about, as Stripe says."""
        told = (
            None if self.customer is None else self.customer.id,
            None if self.subscription is None else self.subscription.customer,
            None if self.checkout is None else self.checkout.customer,
            None if self.payment is None else self.payment.customer,
            *(shapes.id_of(invoice.customer) for invoice in self.invoices),
        )
        return next((one for one in told if one is not None), None)
