"""What notes add to verbs that are not theirs."""

from collections.abc import AsyncGenerator
from uuid import UUID

from tenantry import OrgWork, around, run
from tenantry.orgs.actions import remove_member

forget_private = run("delete from notes.notes where org_id = tenantry.org() and author_id = :user_id and not shared")


@around(remove_member)
async def forget_private_notes(work: OrgWork, user_id: UUID) -> AsyncGenerator[None]:
    """Who is removed leaves no private notes behind, in the same commit."""
    yield
    await forget_private(work, user_id=user_id)
