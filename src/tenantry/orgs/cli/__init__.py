"""What the command line does with organizations, a file a noun."""

from __future__ import annotations

from tenantry.orgs.cli.demo import scale, story
from tenantry.orgs.cli.looking import commands

__all__ = ["commands", "scale", "story"]
