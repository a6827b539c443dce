"""The sender: takes what is due to endpoints, sends it, and writes down what came of it.

A process holds an endpoint's lane while it sends from it: one lease for all that waits there, in place of one for each
delivery. What it wrote down, what it lets go, what it takes and what it fetches is one transaction, a *turn*; between
two turns nothing but sending happens. `sender` turns, `turns` is what a turn says to the database, `lane` what is known
of an endpoint, `sending` one attempt, `signing` and `pace` are rules without I/O.
"""

from __future__ import annotations

from tenantry.webhooks.sending.sender import drain, send

__all__ = ["drain", "send"]
