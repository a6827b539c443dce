"""Refusals: what a caller can be told, with a status, a stable code and a sentence (RFC 9457)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self

import msgspec

REFUSES = "refuses"
"""The attribute in which what stands around a handler says what it refuses."""


class FieldError(msgspec.Struct, frozen=True):
    """One thing wrong with the input: where it is (`body.email`, `query.limit`) and what is wrong there."""

    at: str
    message: str


class Problem(Exception):
    """A refusal. A subclass's docstring is the sentence the client reads.

    `constraint` names the database constraint whose violation means this refusal; `more` are extra members of the
    problem document, and `headers` go beside it. A `denial` keeps somebody from what is not theirs, and the audit log
    remembers it.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = ""
    constraint: ClassVar[str | None] = None
    denial: bool = False

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: tuple[FieldError, ...] = (),
        more: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.detail = detail or self.sentence()
        self.errors = errors
        self.more = dict(more or {})
        self.headers = dict(headers or {})
        super().__init__(self.detail)

    def as_denial(self) -> Self:
        """The same, where it says no to a stranger or to a credential."""
        self.denial = True
        return self

    @classmethod
    def sample(cls) -> Problem:
        """One as an example for the documentation."""
        return cls()

    @classmethod
    def sentence(cls) -> str:
        """The first line of the class's docstring: its title, and its detail unless a better one is given."""
        return (cls.__doc__ or cls.__name__).strip().splitlines()[0]

    def document(self, request_id: str) -> dict[str, Any]:
        """The members of the `application/problem+json` body."""
        body: dict[str, Any] = {
            "type": f"urn:tenantry:problem:{self.code}",
            "title": self.sentence(),
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "request_id": request_id,
        }
        if self.errors:
            body["errors"] = [{"at": error.at, "message": error.message} for error in self.errors]
        return body | self.more


class Malformed(Problem):
    """The request could not be parsed."""

    status, code = 400, "malformed"


class Unauthenticated(Problem):
    """Sign in to do this."""

    status, code = 401, "unauthenticated"

    def __init__(self, detail: str | None = None, **rest: Any) -> None:
        super().__init__(detail, **{"headers": {"www-authenticate": "Bearer"}} | rest)


class PlanNeeded(Problem):
    """The plan of the organization is not enough for this."""

    status, code = 402, "plan_needed"


class Forbidden(Problem):
    """You may not do this."""

    status, code = 403, "forbidden"
    denial = True


class NotFound(Problem):
    """There is nothing here."""

    status, code = 404, "not_found"


class MethodNotAllowed(Problem):
    """This address does not answer to that method."""

    status, code = 405, "method_not_allowed"


class Conflict(Problem):
    """This clashes with something that is already there."""

    status, code = 409, "conflict"


class VersionMismatch(Problem):
    """This was changed in the meantime; read it again and repeat the change."""

    status, code = 412, "version_mismatch"


class TooLarge(Problem):
    """The request is larger than is accepted here."""

    status, code = 413, "too_large"


class UnsupportedMediaType(Problem):
    """Send the body as application/json in UTF-8."""

    status, code = 415, "unsupported_media_type"


class Invalid(Problem):
    """The input is well-formed but not acceptable."""

    status, code = 422, "invalid"


class MatchNeeded(Problem):
    """Say in If-Match which version this changes: the ETag that was answered, or `*` for whichever it is."""

    status, code = 428, "match_needed"


class TooMany(Problem):
    """This was asked for too often; wait a little, then try again."""

    status, code = 429, "too_many"

    def __init__(self, detail: str | None = None, *, retry_after: int = 1, **rest: Any) -> None:
        super().__init__(detail, headers={"retry-after": str(retry_after)}, **rest)


class HeadersTooLarge(Problem):
    """The headers of the request are larger than is accepted here."""

    status, code = 431, "headers_too_large"


class Internal(Problem):
    """Something went wrong here; the request id helps us find it."""

    status, code = 500, "internal"


class Unavailable(Problem):
    """This cannot be answered right now; try again shortly."""

    status, code = 503, "unavailable"

    def __init__(self, detail: str | None = None, *, retry_after: int = 1, **rest: Any) -> None:
        super().__init__(detail, headers={"retry-after": str(retry_after)}, **rest)


def every_problem(kind: type[Problem] = Problem) -> Iterator[type[Problem]]:
    """Each refusal that is declared anywhere, abstract families (no code) left out."""
    for child in kind.__subclasses__():
        if child.code:
            yield child
        yield from every_problem(child)
