"""What can be refused about organizations and their members."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from tenantry.accounts.problems import Blocker
from tenantry.foundation.problems import Conflict, Forbidden, Invalid


class SlugTaken(Conflict):
    """Another organization has this slug, or had it not long ago."""

    code, constraint = "slug_taken", "one_org_per_slug"


class BadSlug(Invalid):
    """A slug is 3 to 40 small letters, digits and single dashes, and none of the reserved words."""

    code = "bad_slug"


class TooManyOrgs(Conflict):
    """You belong to as many organizations as one person may."""

    code = "too_many_orgs"


class TooManyMembers(Conflict):
    """This organization has as many members as one may have."""

    code = "too_many_members"


class LastOwner(Conflict):
    """An organization keeps at least one owner; make somebody else owner first."""

    code, constraint = "last_owner", "an_owner_remains"


class NotOwner(Conflict):
    """You are not the owner any more; somebody was faster."""

    code = "not_owner"


class AboveYou(Forbidden):
    """Nobody gives, changes or takes away a role above their own."""

    code = "above_you"


class AlreadyMember(Conflict):
    """This person is a member already."""

    code, constraint = "already_member", "one_membership_per_person"


class WrongSlug(Conflict):
    """This is not the slug of this organization; type it once more to show that you mean this one."""

    code = "wrong_slug"


class OrgNotClosed(Conflict):
    """This organization is not closed."""

    code = "org_not_closed"


class PurgeBegun(Conflict):
    """It is too late: this organization is being purged."""

    code = "purge_begun"


class OrgClosureBlocked(Conflict):
    """Something still needs this organization; settle what blocks closing it, then close it."""

    code = "org_closure_blocked"

    def __init__(self, blockers: Sequence[Blocker]) -> None:
        super().__init__(more={"blockers": [msgspec.to_builtins(blocker) for blocker in blockers]})

    @classmethod
    def sample(cls) -> OrgClosureBlocked:
        return cls([Blocker("open_invoice", "An invoice is not paid yet.", "inv_01jd4w2q8nf6v9m3x5c7b1r0kt")])


class TooManyInvites(Conflict):
    """As many invites of this organization wait for an answer as may; revoke some, or wait until they expire."""

    code = "too_many_invites"


class AlreadyInvited(Conflict):
    """Another invite to this address waits for an answer."""

    code, constraint = "already_invited", "one_pending_invite_per_address"


class ListedTwice(Conflict):
    """This address stands in the list already."""

    code = "listed_twice"


class InviteSettled(Conflict):
    """This invite was accepted, declined or revoked, and stays that."""

    code = "invite_settled"


class InviteVoid(Conflict):
    """Whoever sent this invite may not let anybody in any more; ask for a new one."""

    code = "invite_void"


class InviteForAnother(Conflict):
    """This invite is for another address than yours; sign in with that one."""

    code = "invite_for_another"

    def __init__(self, detail: str | None = None, *, invited: str = "a***@example.com", **rest: Any) -> None:
        super().__init__(detail, more={"invited": invited}, **rest)
