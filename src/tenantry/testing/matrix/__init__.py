"""The matrix of tenants: every operation, asked by every role of one tenant for the things of another, in every shape.

    async def test_no_tenant_learns_of_another(installation):
        await cross_tenant_matrix(installation, tags=("notes",))

It grows by itself with every route that is served: requests are made of the document and its examples.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator

import aiohttp

from tenantry.testing.installation import Installation
from tenantry.testing.matrix.actors import Asking, actors
from tenantry.testing.matrix.asking import Asker
from tenantry.testing.matrix.operations import Operation, chosen, operations
from tenantry.testing.matrix.report import Leak, MatrixFailed, MatrixReport
from tenantry.testing.matrix.rows import Rows
from tenantry.testing.matrix.running import Matrix
from tenantry.testing.matrix.tenants import Plant, Tenant, furnish, tenant

__all__ = ["Leak", "MatrixFailed", "MatrixReport", "cross_tenant_matrix"]


async def cross_tenant_matrix(
    installation: Installation,
    *,
    tenants: int = 2,
    canary: str = "canary",
    tags: Collection[str] = (),
    plant: Plant | None = None,
) -> MatrixReport:
    """Ask everything for another tenant's things; raises MatrixFailed for what is told, changed or not covered.

    Whatever another tenant has is to look like what does not exist. `tags` names the domains whose operations are
    asked; `plant` makes rows that the examples of the document do not make.
    """
    report, started = MatrixReport(), time.monotonic()
    document = (await installation.client.get("/openapi.json")).json
    found, unknown = operations(document, installation.registry)
    report.uncovered += [f"{one}: either served or documented, not both" for one in unknown]
    rows, both = await Rows.of(installation), await installation.person(name="Member of Each")
    own, *others = [await tenant(installation, canary, also=both) for _ in range(tenants)]
    for one in (own, *others):
        await furnish(one, found, rows, plant)
    async with aiohttp.ClientSession() as http:
        matrix = Matrix(Asker(http, installation.origin), rows, report)
        await _ask(matrix, chosen(found, tags), await actors(installation, own, both), (own, *others))
    report.seconds = time.monotonic() - started
    print(report.line)  # noqa: T201  (how much was asked is what a reader wants to know of a test that passed)
    if report.leaks or report.uncovered:
        raise MatrixFailed(report)
    return report


async def _ask(matrix: Matrix, wanted: list[Operation], everybody: list[Asking], known: tuple[Tenant, ...]) -> None:
    own, *others = known
    for other in others:
        await matrix.ask_everything(wanted, everybody, own, other)
    matrix.report.requests, matrix.report.roles = matrix.asked, len(everybody)
    matrix.report.uncovered += [*matrix.unreached(wanted), *_mute(wanted, own, others)]
    matrix.report.thin += _thin(wanted, others)


def _mute(wanted: list[Operation], own: Tenant, others: list[Tenant]) -> Iterator[str]:
    for operation in wanted:
        if operation.route.in_org and any(one.own(operation) is None for one in (own, *others)):
            yield f"{operation.name}: a tenant has nothing to name in its path; `plant` a row"
        # what is for operators is refused to every tenant alike
        elif (status := own.unread.get(operation.name)) and not operation.route.of_operators:
            yield f"{operation.name}: its own owner is answered {status}, so that a refusal says nothing"


def _thin(wanted: list[Operation], others: list[Tenant]) -> Iterator[str]:
    """Lists and versions of which the other tenant had none to be tried: no failure, but worth a row or two."""
    for operation in wanted:
        path = operation.route.path
        if operation.lists and not any(path in one.cursors for one in others):
            yield f"{operation.name}: no cursor"
        if operation.route.versioned and operation.reads and not any(path in one.tags for one in others):
            yield f"{operation.name}: no ETag"
