"""The rates of this house: which policies there are, by the settings, and what a process counts of them."""

from __future__ import annotations

import time

from tenantry.foundation.data.clock import Clock
from tenantry.foundation.security.rates.counted import Policy, Rates
from tenantry.foundation.security.rates.known import Known, org_policy
from tenantry.settings import Settings

REFUSED_CREDENTIALS = 60
"""Requests a minute from one source whose credential is not known and turns out to be none."""


class HouseRates(Rates):
    """What a process counts, with the policies for sources, credentials, persons, API keys and organizations."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        # a clock of a test may stand still, and is what the database goes by as well; else no clock can be set back
        super().__init__(clock.seconds if settings.test_clock else time.monotonic)
        self.source = Policy("source", settings.source_rate)
        self.credentials = Policy("credentials", REFUSED_CREDENTIALS)
        self.person = Policy("person", settings.api_rate)
        self.key = Policy("key", settings.api_rate)
        self.orgs = Known(org_policy(settings.api_rate))
        # digests of API keys that were shown for the first time and are being looked at; a request each
        self.proving: set[bytes] = set()
        self.counts = settings.rate_limits != "off"
        self.spares_loopback = settings.rate_limits == "remote"
