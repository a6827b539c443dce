"""The settings of organizations."""

from __future__ import annotations

from typing import Annotated

import msgspec

from tenantry.accounts.settings import LINK
from tenantry.settings import says


class OrgSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the links in mails about organizations lead."""

    link_invite: Annotated[
        str, says("Link in an invite, with `{token}`. Default: our `/account/invite` page.", pattern=LINK)
    ] = ""
