"""The end of what an organization pays for, when the organization itself has come to its end."""

from __future__ import annotations

from uuid import UUID

import msgspec

from tenantry.foundation.jobs.job import NewJob

END = "billing.end_before_purge"


class ToEnd(msgspec.Struct, frozen=True):
    """Which organization is to pay for nothing any more."""

    org_id: UUID

    def asked(self) -> NewJob:
        """The job that sees to it, once however often it is asked for while it waits."""
        return NewJob.of(END, self, key=str(self.org_id), queue="billing")
