"""What the operations of usage have in common: the routes they are declared in."""

from __future__ import annotations

from tenantry.foundation.routes import Routes

routes = Routes("usage")
