"""The SQL statement checker: every typed statement against the real schema, before anybody runs it.

`check` prepares each statement and compares its columns with the struct they fill: number, order, names,
types and what may be null; `columns` says the same of one query. `clock_faults` and `setting_faults` read the
text alone. Nothing here runs a statement.
"""

from __future__ import annotations

from tenantry.testing.statements.checking import Column, check, columns
from tenantry.testing.statements.faults import Fault, Statement
from tenantry.testing.statements.wording import clock_faults, setting_faults

__all__ = ["Column", "Fault", "Statement", "check", "clock_faults", "columns", "setting_faults"]
