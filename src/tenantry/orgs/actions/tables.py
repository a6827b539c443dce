"""What becomes of a purged person in each table of organizations, and how the large ones forget an organization."""

from __future__ import annotations

from collections.abc import Mapping

from tenantry.foundation.data.sql import Run, run
from tenantry.foundation.fate import Fate, erased, kept

TABLES: Mapping[str, Fate] = {
    "invites": erased(
        run("delete from tenantry.invites where email_key = :email_key or user_id = :user_id"),
        why="whom it was for is this person; who sent others is an id, which nothing resolves once the person is gone",
    ),
    "members": erased(run("delete from tenantry.members where user_id = :user_id")),
    "org_slugs": kept("an organization's, not a person's"),
    "orgs": kept("an organization's, not a person's; who owned it alone could not close their account"),
}
"""The order is the order in which it happens."""

# its owners go with it, by the cascade: none of them may be missing while it is there
forget_members = run("""
    delete from tenantry.members
     where org_id = :org_id
       and user_id in (select user_id
                         from tenantry.members
                        where org_id = :org_id
                          and role <> 'owner'
                        limit :most)
""")

forget_invites = run("""
    delete from tenantry.invites
     where org_id = :org_id
       and id in (select id from tenantry.invites where org_id = :org_id limit :most)
""")

ORG_TABLES: Mapping[str, Run] = {"invites": forget_invites, "members": forget_members}
"""What may be too much for one cascade from a purged organization."""
