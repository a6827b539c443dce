"""Billing: what organizations pay for, as Stripe has it, and what that lets them do."""
