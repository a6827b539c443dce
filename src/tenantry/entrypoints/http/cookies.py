"""The one cookie, and the one of operators beside it: how each is called, read, given and taken away."""

from __future__ import annotations

from tenantry.entrypoints.http.arrival import Arrival
from tenantry.foundation.problems import Unauthenticated
from tenantry.foundation.refusals import SessionEnded
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.limits import is_loopback
from tenantry.foundation.security.tokens import BadToken
from tenantry.foundation.security.visits import Visit, Visits

NAME, NAME_IN_DEVELOPMENT = "__Host-tenantry", "tenantry"
OF_OPERATORS = "-operator"
FLAGS = "Path=/; HttpOnly; SameSite=Lax"


def read_visit(runtime: Runtime, arrival: Arrival) -> Visit | None:
    """The visit that the request's cookie is about; one that is not ours, or comes twice, is none."""
    name = _name(runtime, arrival)
    pairs = (pair.strip().partition("=") for pair in (arrival.header(b"cookie") or "").split(";"))
    found = [text for given, _, text in pairs if given == name]
    if len(found) != 1:
        return None
    try:
        return _visits(runtime, arrival).read(found[0])
    except BadToken:
        # as if there were none: a browser keeps what it was once given, and its person is asked to sign in
        return None


def give_visit(runtime: Runtime, arrival: Arrival, text: str) -> None:
    """Let the answer give the browser a visit; an empty text takes it away."""
    age = int(_visits(runtime, arrival).kind.idle.total_seconds()) if text else 0
    secure = "" if _plain(runtime, arrival) else "; Secure"
    arrival.cookie = f"{_name(runtime, arrival)}={text}; Max-Age={age}; {FLAGS}{secure}".encode()


def renew_visit(runtime: Runtime, arrival: Arrival, visit: Visit) -> None:
    """Let the answer give the browser the same visit, as of now."""
    give_visit(runtime, arrival, _visits(runtime, arrival).issue(visit.person, visit.session))


def take_dead_visit(runtime: Runtime, arrival: Arrival, problem: Exception) -> None:
    """Take the cookie away from a browser whose session is over."""
    over = isinstance(problem, SessionEnded) or type(problem) is Unauthenticated
    if over and b"cookie" in arrival.headers and b"authorization" not in arrival.headers:
        give_visit(runtime, arrival, "")


def _name(runtime: Runtime, arrival: Arrival) -> str:
    name = NAME_IN_DEVELOPMENT if _plain(runtime, arrival) else NAME
    return name + OF_OPERATORS if arrival.of_operators else name


def _visits(runtime: Runtime, arrival: Arrival) -> Visits:
    return runtime.operators_visits if arrival.of_operators else runtime.visits


def _plain(runtime: Runtime, arrival: Arrival) -> bool:
    # not every browser keeps a secure cookie of http://127.0.0.1
    return runtime.settings.development and is_loopback(arrival.source)
