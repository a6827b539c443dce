"""Verbs of operators, a file a noun."""

from __future__ import annotations

from tenantry.admin.actions import insights
from tenantry.admin.actions.insights import ORG_TABLES, clear_insights, fold_insights, rebuild_insights
from tenantry.admin.actions.looking import (
    list_orgs,
    list_people,
    look_at_devices,
    look_at_insights,
    look_at_org,
    look_at_person,
    org_found,
    person_found,
)
from tenantry.admin.actions.operators import TABLES as OF_OPERATORS
from tenantry.admin.actions.operators import add_operator, remove_operator
from tenantry.admin.actions.people import keep_person_out, mail_reset, sign_person_out
from tenantry.admin.actions.sessions import (
    let_operator_in,
    operator_who_looks,
    sign_operator_in,
    sign_operator_out,
    sign_operators_out,
)

TABLES = {**insights.TABLES, **OF_OPERATORS}

__all__ = [
    "ORG_TABLES",
    "TABLES",
    "add_operator",
    "clear_insights",
    "fold_insights",
    "keep_person_out",
    "let_operator_in",
    "list_orgs",
    "list_people",
    "look_at_devices",
    "look_at_insights",
    "look_at_org",
    "look_at_person",
    "mail_reset",
    "operator_who_looks",
    "org_found",
    "person_found",
    "rebuild_insights",
    "remove_operator",
    "sign_operator_in",
    "sign_operator_out",
    "sign_operators_out",
    "sign_person_out",
]
