"""Webhooks as rows, and as they are told outside."""

from __future__ import annotations

from tenantry.webhooks.models.endpoints import (
    ENDPOINT_ID,
    LONGEST_HEADER,
    MOST_HEADERS,
    MOST_KEPT_DAYS,
    MOST_TYPES,
    USUAL_ENDPOINTS,
    Addressee,
    AnyEndpoint,
    Attempt,
    Delivery,
    DeliveryState,
    Endpoint,
    EndpointShown,
    Sent,
    WhyDisabled,
    said_of,
    wants,
)
from tenantry.webhooks.models.messages import LARGEST, Told, Untellable, body_of, is_told
from tenantry.webhooks.models.replays import Replay, Which
from tenantry.webhooks.models.schemas import schema_of
from tenantry.webhooks.models.secrets import LONGEST_OVERLAP, MOST_SECRETS, OVERLAP, fresh_secret, spelled

__all__ = [
    "ENDPOINT_ID",
    "LARGEST",
    "LONGEST_HEADER",
    "LONGEST_OVERLAP",
    "MOST_HEADERS",
    "MOST_KEPT_DAYS",
    "MOST_SECRETS",
    "MOST_TYPES",
    "OVERLAP",
    "USUAL_ENDPOINTS",
    "Addressee",
    "AnyEndpoint",
    "Attempt",
    "Delivery",
    "DeliveryState",
    "Endpoint",
    "EndpointShown",
    "Replay",
    "Sent",
    "Told",
    "Untellable",
    "Which",
    "WhyDisabled",
    "body_of",
    "fresh_secret",
    "is_told",
    "said_of",
    "schema_of",
    "spelled",
    "wants",
]
