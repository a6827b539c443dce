"""What the operations of operators have in common: the routes they are declared in, texts and examples."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from tenantry.foundation.data.ids import ORG_ID, USER_ID
from tenantry.foundation.instants import in_utc
from tenantry.foundation.listing import ListQuery
from tenantry.foundation.routes import Routes

routes = Routes("admin", prefix="/v1/admin")

AnyUserId = Annotated[str, Meta(pattern=f"^{USER_ID.start}", description="Names a person.")]
AnyOrgId = Annotated[str, Meta(pattern=f"^{ORG_ID.start}", description="Names an organization.")]
Instant = Annotated[datetime, Meta(tz=True)]
Sought = Annotated[str, Meta(min_length=1, max_length=254, description="What is sought, in any case of letters.")]
ADA = "usr_01jd4w2q8nf6v9m3x5c7b1r0kt"
ACME = "org_01jd4w2q8nf6v9m3x5c7b1r0kt"


class Search(ListQuery):
    """What operators ask lists of anybody's for."""

    q: Sought | UnsetType = UNSET

    @property
    def sought(self) -> str | None:
        """What is sought; nothing in particular: all."""
        return None if self.q is UNSET else self.q


def instant(given: datetime | None, at: str) -> datetime | None:
    """A moment in UTC, where one is given."""
    return None if given is None else in_utc(given, at)
