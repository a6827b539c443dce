"""What a plan refuses, and what is no plan."""

from __future__ import annotations

from tenantry.foundation.problems import Invalid, NotFound, PlanNeeded


class FeatureNeeded(PlanNeeded):
    """The plan of the organization does not have this feature."""

    code = "feature_needed"


class LimitReached(PlanNeeded):
    """The organization has as much of this as its plan allows."""

    code = "limit_reached"


class OverLimit(PlanNeeded):
    """The plan of the organization ends before this one: it can be read and deleted, and not be changed."""

    code = "over_limit"


class UnknownPlan(Invalid):
    """There is no such plan, or not in this version."""

    code = "unknown_plan"


class UnknownFeature(Invalid):
    """The plan file has no such feature or limit."""

    code = "unknown_feature"


class BadValue(Invalid):
    """A feature is 1 or 0; a limit is a number from 0 on, or none at all."""

    code = "bad_value"


class NothingGiven(NotFound):
    """The organization was given no such thing."""

    code = "nothing_given"
