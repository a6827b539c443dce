"""The settings of accounts."""

from __future__ import annotations

from typing import Annotated

import msgspec

from tenantry.settings import says

LINK = r"^$|^https?://.*\{token\}"


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the links in mails about accounts lead."""

    link_verify: Annotated[
        str, says("Link in a verification mail, with `{token}`. Default: our `/account/verify` page.", pattern=LINK)
    ] = ""
    link_reset: Annotated[
        str, says("Link that sets a new password, with `{token}`. Default: our `/account/reset` page.", pattern=LINK)
    ] = ""
