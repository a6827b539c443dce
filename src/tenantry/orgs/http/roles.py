"""The matrix of roles and permissions over HTTP."""

from __future__ import annotations

from tenantry.foundation.call import Call
from tenantry.foundation.permission import ANYONE, ROLES, Role
from tenantry.foundation.wire import Wire
from tenantry.orgs.http.shapes import routes


class RoleView(Wire):
    """A role, and the names of the permissions that it holds in its organization."""

    role: Role
    permissions: list[str]


class RoleMatrix(Wire):
    """Every role, the highest first; and the permissions that an API key can hold as a scope."""

    items: list[RoleView]
    scopes: list[str]


@routes.get(
    "/roles",
    requires=ANYONE,
    answer_example={
        "items": [{"role": "member", "permissions": ["members:leave", "members:read", "org:read"]}],
        "scopes": ["members:read", "org:read"],
    },
)
async def roles(call: Call) -> RoleMatrix:
    """What each role may do in its organization."""
    permissions = call.runtime.permissions
    return RoleMatrix(
        items=[
            RoleView(role=role, permissions=sorted(one.name for one in permissions if role in one.roles))
            for role in reversed(ROLES)
        ],
        scopes=sorted(one.name for one in permissions if one.roles and one.by_key),
    )
