"""The OpenFeature provider: the flags of this process behind the interface that OpenFeature's SDK asks.

Imported by whoever has the SDK (the extra `openfeature`). What it is told of who asks must come from the server:
`openfeature_context(work)` makes it of a work. A targeting key is the organization's, unless it names a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self, TypeVar

from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEventDetails
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType
from openfeature.provider import AbstractProvider, Metadata

from tenantry.flags.exchanges.evaluating import Flags, flags_of
from tenantry.flags.exchanges.keeping import flags_kept
from tenantry.flags.models import Context, Details
from tenantry.foundation.data.ids import API_KEY_ID, ORG_ID, USER_ID
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import Work

Value = TypeVar("Value")
Objects = Sequence[FlagValueType] | Mapping[str, FlagValueType]
# what OpenFeature knows no word for
REASONS = {"OVERRIDE": "TARGETING_MATCH"}


class TenantryProvider(AbstractProvider):
    """Gives OpenFeature's clients the flags of a runtime; made where its loop runs."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__()
        self._kept = flags_kept(runtime)
        self._clock = runtime.clock.seconds
        self._kept.watch.start()
        self._kept.watch.also(self._tell)

    @classmethod
    async def of(cls, runtime: Runtime) -> Self:
        """A provider that has read the flags, unless the database is away."""
        provider = cls(runtime)
        await provider._kept.first()
        return provider

    def get_metadata(self) -> Metadata:
        """What it is called."""
        return Metadata(name="tenantry")

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """What a flag of kind boolean gives."""
        return _resolved(self._details(flag_key, default_value, evaluation_context))

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """What a flag of kind string gives."""
        return _resolved(self._details(flag_key, default_value, evaluation_context))

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """What a flag of kind number gives that is a whole one."""
        found = self._details(flag_key, default_value, evaluation_context)
        if isinstance(found.value, float) and not found.value.is_integer():
            return _resolved(Details(default_value, None, "ERROR", "TYPE_MISMATCH"))
        return _resolved(found, value=int(found.value))

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """What a flag of kind number gives."""
        found = self._details(flag_key, default_value, evaluation_context)
        return _resolved(found, value=float(found.value))

    def resolve_object_details(
        self, flag_key: str, default_value: Objects, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[Objects]:
        """What a flag of kind object gives."""
        return _resolved(self._details(flag_key, default_value, evaluation_context))

    def shutdown(self) -> None:
        """Tell the SDK nothing more; the flags themselves end with the runtime."""
        self.detach()

    def _details(self, key: str, default: Any, given: EvaluationContext | None) -> Details:
        return Flags(self._kept, self._kept.now, _context(given, self._clock)).details(key, default)

    def _tell(self) -> None:
        self.emit_provider_configuration_changed(ProviderEventDetails())


async def openfeature_context(work: Work) -> EvaluationContext:
    """Who a work acts for, as OpenFeature's clients take it."""
    told = (await flags_of(work)).context.told()
    return EvaluationContext(targeting_key=told.get("org"), attributes=told)


def _context(given: EvaluationContext | None, clock: Any) -> Context:
    attributes: Mapping[str, Any] = given.attributes if given is not None and given.attributes else {}
    known = {name: value for name in ("plan", "role", "actor") if isinstance(value := attributes.get(name), str)}
    org, user = _read(ORG_ID, attributes.get("org")), _read(USER_ID, attributes.get("user"))
    key = attributes.get("key")
    target = given.targeting_key if given is not None else None
    if isinstance(target, str):
        if target.startswith(USER_ID.start):
            user = user or _read(USER_ID, target)
        else:
            org = org or _read(ORG_ID, target)
    key_id = API_KEY_ID.read(key) if isinstance(key, str) else None
    return Context(clock=clock, org=org, user=user, key=key_id, attributes=attributes, **known)


def _read(kind: Any, text: Any) -> Any:
    """An id by its kind; another text stands for itself, so that whatever names somebody can be counted by."""
    return (kind.read(text) or text) if isinstance(text, str) else None


def _resolved(found: Details, value: Any = None) -> FlagResolutionDetails[Any]:
    return FlagResolutionDetails(
        value=found.value if value is None else value,
        reason=REASONS.get(found.reason, found.reason),
        variant=found.variant,
        error_code=None if found.fault is None else ErrorCode(found.fault),
    )
