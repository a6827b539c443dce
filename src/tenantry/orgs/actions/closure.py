"""How an organization is closed, opened again while there is time, and purged when there is none left."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from tenantry.accounts.problems import Blocker
from tenantry.foundation.action import action
from tenantry.foundation.data.sql import maybe, one, run, value
from tenantry.foundation.forgetting import ForgettingWork, forget_some, let_audit_go
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.problems import NotFound
from tenantry.foundation.question import Question, all_of
from tenantry.foundation.refusals import OrgClosed as OrgIsClosed
from tenantry.foundation.work import OrgWork
from tenantry.orgs import queries
from tenantry.orgs.events import OrgClosed, OrgPurged, OrgReopened
from tenantry.orgs.models import GRACE, Closing, Closure, Org
from tenantry.orgs.permissions import ORG_CLOSE
from tenantry.orgs.problems import NotOwner, OrgClosureBlocked, OrgNotClosed, PurgeBegun, WrongSlug

what_blocks_org_closing: Question[[UUID], Sequence[Blocker]] = Question(
    "what_blocks_org_closing", "What must be settled before this organization can be closed?", settle=all_of
)

what_delays_purging: Question[[UUID], bool] = Question(
    "what_delays_purging", "Must something of this organization end elsewhere before it is purged?", settle=any
)

closure_for_update = maybe(
    Closure,
    """
    select slug, purge_at, purge_began_at
      from tenantry.orgs
     where id = tenantry.org()
       for no key update
    """,
)

own_role = value(
    str,
    """
    select role
      from tenantry.members
     where org_id = tenantry.org()
       and user_id = tenantry.person()
    """,
)

set_closed = one(
    Closing,
    """
    update tenantry.orgs
       set closed_at = tenantry.now(), purge_at = tenantry.now() + :grace::interval,
           version = version + 1, updated_at = tenantry.now()
     where id = tenantry.org()
 returning purge_at, version
    """,
    not_null=("purge_at",),
)


@action(requires=ORG_CLOSE, records=OrgClosed)
async def close_org(work: OrgWork, *, slug: str) -> Org:
    """Close an organization for all its members; it is purged when the grace is over."""
    closure = await _held(work, slug)
    if closure.purge_at is not None:
        raise OrgIsClosed
    if blockers := await what_blocks_org_closing.ask(work, work.org):
        raise OrgClosureBlocked(blockers)
    closing = await set_closed(work, grace=GRACE)
    work.record(
        OrgClosed(org_id=work.org, user_id=work.person, purge_at=closing.purge_at, version_after=closing.version)
    )
    return await queries.org(work, role=work.role)


set_open = run("""
    update tenantry.orgs
       set closed_at = null, purge_at = null, version = version + 1, updated_at = tenantry.now()
     where id = tenantry.org()
""")


@action(requires=ORG_CLOSE, records=OrgReopened)
async def reopen_org(work: OrgWork, *, slug: str) -> Org:
    """Open a closed organization again, as long as its purge has not begun."""
    closure = await _held(work, slug)
    if closure.purge_at is None:
        raise OrgNotClosed
    if closure.purge_began_at is not None:
        raise PurgeBegun
    await set_open(work)
    org = await queries.org(work, role=work.role)
    work.record(OrgReopened(org_id=work.org, user_id=work.person, version_after=org.version))
    return org


async def _held(work: OrgWork, slug: str) -> Closure:
    """Whether the organization is closed, held until the commit by an owner who means this one."""
    closure = await closure_for_update(work)
    if closure is None:
        raise NotFound
    # since the work was opened they may have handed their ownership on; nobody does after this lock, for the last word
    # of that is the same lock
    if await own_role(work) not in ORG_CLOSE.roles:
        raise NotOwner
    if closure.slug != slug:
        raise WrongSlug
    return closure


# The strongest lock: it waits for whoever is just adding a row that refers to the organization, and decides between
# this and an opening at the same moment. Who comes second finds nothing to do, or learns that it is too late.
purge_for_update = value(
    bool,
    """
    select purge_began_at is not null
      from tenantry.orgs
     where id = :org_id
       and purge_at <= tenantry.now()
       for update
    """,
)

begin_purge = run("update tenantry.orgs set purge_began_at = tenantry.now() where id = :org_id")
remove_org = run("delete from tenantry.orgs where id = :org_id")


@action(requires=HOUSE, records=OrgPurged)
async def purge_org(work: ForgettingWork, *, org_id: UUID) -> bool:
    """Forget one batch of an organization whose grace is over; whether there is nothing left to do now."""
    begun = await purge_for_update(work, org_id=org_id)
    if begun is None:
        return True
    if not begun:
        if await what_delays_purging.ask(work, org_id):
            # asked for again within the hour
            return True
        await begin_purge(work, org_id=org_id)
        await let_audit_go(work, org_id=org_id)
    if await forget_some(work, org_id):
        return False
    await remove_org(work, org_id=org_id)
    work.record(OrgPurged(purged_id=org_id))
    return True
