"""The only way out to a URL that a customer can set: resolve, vet every answer, connect to what was vetted, no further.

Here is what an answer or a failure is and who is asked; not what is sent, nor when it is tried again.
"""

from __future__ import annotations

from tenantry.foundation.net.egress.allowed import faults_of
from tenantry.foundation.net.egress.client import Egress
from tenantry.foundation.net.egress.headers import OURS, fault_of_header
from tenantry.foundation.net.egress.limits import EgressLimits
from tenantry.foundation.net.egress.outcomes import AddressRefused, Answered, Kind, NotReached

__all__ = [
    "OURS",
    "AddressRefused",
    "Answered",
    "Egress",
    "EgressLimits",
    "Kind",
    "NotReached",
    "fault_of_header",
    "faults_of",
]
