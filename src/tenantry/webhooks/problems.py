"""What can be refused about webhooks."""

from __future__ import annotations

from tenantry.foundation.problems import Conflict


class EndpointIsDisabled(Conflict):
    """This endpoint is disabled; enable it first."""

    code = "endpoint_disabled"


class TooManyEndpointSecrets(Conflict):
    """Too many secrets of this endpoint still sign; rotate it with a shorter overlap, or wait."""

    code = "too_many_endpoint_secrets"


class ReplayUnderWay(Conflict):
    """What happened is being sent to this endpoint again already; wait for that to end."""

    code = "replay_under_way"
