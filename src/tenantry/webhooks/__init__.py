"""Customer webhooks: where organizations want their events, told by the standard, tried for days, and sent again."""
