"""Reads of operators."""

from __future__ import annotations

from tenantry.admin.models.operators import Operator
from tenantry.foundation.data.sql import many, maybe

OPERATOR = """
    select users.id, email, name, role, granted_at
      from tenantry.operators
      join tenantry.users on users.id = operators.user_id
"""

operators = many(Operator, OPERATOR + " order by email")
operator = maybe(Operator, OPERATOR + " where users.id = :user_id")
