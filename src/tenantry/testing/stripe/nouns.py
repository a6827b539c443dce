"""All nouns that the local Stripe answers for; importing them enters their endpoints."""

from __future__ import annotations

from tenantry.testing.stripe import (
    account,
    checkout,
    customers,
    discounts,
    endpoints,
    entitlements,
    invoices,
    meter_events,
    notices,
    payment_methods,
    payments,
    pending,
    portal,
    previews,
    prices,
    products,
    refunds,
    schedules,
    setups,
    subscriptions,
    tax_ids,
    test_clocks,
)

ALL = (
    account, checkout, customers, discounts, endpoints, entitlements, invoices, meter_events, notices, payment_methods,
    payments, pending, portal, previews, prices, products, refunds, schedules, setups, subscriptions, tax_ids,
    test_clocks,
)  # fmt: skip
