"""What webhooks take and give over HTTP, in every file of these ways in."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from msgspec import UNSET, Meta

from tenantry.foundation.data.ids import EVENT_ID
from tenantry.foundation.routes import Routes
from tenantry.webhooks.models import ENDPOINT_ID

routes = Routes("webhooks")

Instant = Annotated[datetime, Meta(tz=True)]
EndpointId = Annotated[str, Meta(pattern=f"^{ENDPOINT_ID.start}", description="Names a webhook endpoint.")]
DeliveryId = Annotated[str, Meta(pattern=f"^{EVENT_ID.start}", description="Names a delivery, by its event.")]


def given(content: Any) -> Any:
    """What was said, None where nothing was."""
    return None if content is UNSET else content
