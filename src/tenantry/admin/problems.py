"""What can be refused to operators."""

from __future__ import annotations

from tenantry.foundation.problems import Forbidden


class HigherOperator(Forbidden):
    """This person is an operator with a role above yours."""

    code = "higher_operator"
