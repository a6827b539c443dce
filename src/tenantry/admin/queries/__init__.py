"""Reads for operators: themselves, and whatever of anybody they may look at."""

from __future__ import annotations

from tenantry.admin.queries.anybody import devices, orgs, people
from tenantry.admin.queries.operators import operator, operators

__all__ = ["devices", "operator", "operators", "orgs", "people"]
