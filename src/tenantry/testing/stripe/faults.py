"""Trouble on demand: requests that fail, before or after they were carried out, or whose answer never comes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tenantry.testing.stripe.wire import Refusal

CUT = 0
_KINDS = {
    401: ("invalid_request_error", None, "Invalid API Key provided."),
    409: ("idempotency_error", "idempotency_key_in_use", "There is another request in progress with this key."),
    429: ("invalid_request_error", "rate_limit", "Too many requests hit the API too quickly."),
    500: ("api_error", None, "An unknown error occurred."),
    503: ("api_error", None, "The service is unavailable."),
}


@dataclass(slots=True)
class Fault:
    """One kind of trouble: for which requests, how often, and whether the request is carried out all the same."""

    status: int
    times: int = 1
    method: str = ".*"
    path: str = ".*"
    after: bool = False
    seconds: float = 0

    def meets(self, method: str, path: str) -> bool:
        """Whether it strikes this request."""
        return self.times > 0 and bool(re.fullmatch(self.method, method) and re.fullmatch(self.path, path))


@dataclass(slots=True)
class Faults:
    """The trouble that is ordered."""

    ordered: list[Fault] = field(default_factory=list)

    def order(self, fault: Fault) -> Fault:
        """Have this happen."""
        self.ordered.append(fault)
        return fault

    def clear(self) -> None:
        """No more trouble."""
        self.ordered.clear()

    def strike(self, method: str, path: str) -> Fault | None:
        """The fault that meets this request; one time of it is used up."""
        fault = next((one for one in self.ordered if one.meets(method, path)), None)
        if fault is not None:
            fault.times -= 1
        return fault


def refusal(fault: Fault) -> Refusal:
    """The error that a fault answers with."""
    kind, code, message = _KINDS.get(fault.status, ("api_error", None, "An error occurred."))
    return Refusal(fault.status, message, kind=kind, code=code, executed=fault.status >= 500)
