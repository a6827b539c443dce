"""What the command line does for operators."""

from __future__ import annotations

from tenantry.admin.cli import insights, operators

commands = (*operators.commands, *insights.commands)
