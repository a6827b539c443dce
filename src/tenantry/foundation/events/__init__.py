"""The log of what happened: event types, and the append-only table they are kept in."""
