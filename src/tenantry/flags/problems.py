"""What is refused of flags; evaluating one refuses nothing."""

from __future__ import annotations

from tenantry.foundation.problems import Conflict, Invalid, NotFound


class UnknownFlag(NotFound):
    """There is no such flag, and no domain declares one."""

    code = "unknown_flag"


class BadFlag(Invalid):
    """This does not make a flag."""

    code = "bad_flag"


class UnknownVariant(Invalid):
    """The flag has no such variant."""

    code = "unknown_variant"


class FlagNeeded(Conflict):
    """Rules of another flag ask for this one."""

    code = "flag_needed"


class NothingOverridden(NotFound):
    """The organization has no override of this flag."""

    code = "nothing_overridden"
