"""No tenant learns of another or changes it, whatever is asked, by whom, in which shape; and a leak would be found."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import leaking
import pytest

from tenantry.assemble import DOMAINS
from tenantry.foundation.domain import Domain, Registry
from tenantry.testing import Databases, Installation, installed
from tenantry.testing.matrix import MatrixFailed, MatrixReport, cross_tenant_matrix

LEAKS = {
    "GET /v1/orgs/{org}/leaking/people/{user}": {"nested id": "told of the other tenant"},
    "GET /v1/orgs/{org}/leaking/everything": {"plain": "told of the other tenant"},
    "POST /v1/orgs/{org}/leaking/body": {"body": "for what does not exist"},
    "GET /v1/leaking/places/{place}": {"nested id": "answered 403"},
    "POST /v1/orgs/{org}/leaking/writes": {"any": "changed tenantry.orgs"},
    "GET /v1/orgs/{org}/leaking/search": {"query, q": "for what does not exist"},
    "GET /v1/orgs/{org}/leaking/cursors": {"cursor": "for what does not exist"},
    "GET /v1/orgs/{org}/leaking/tagged": {"plain": "broke with 500"},
}
"""What each operation of the leaking domain is found out by."""


async def test_what_another_tenant_has_looks_like_what_does_not_exist(installation: Installation) -> None:
    report = await cross_tenant_matrix(installation)
    assert report.requests > 2000
    # half of that on a machine with nothing else to do
    assert report.seconds < 90
    served = {f"{route.method} {route.path}" for route in installation.registry.routes if route.in_org}
    assert served <= report.operations.keys()
    assert {"cursor", "If-Match", "If-None-Match", "nested id", "body", "query, slug"} <= report.shapes.keys()


@asynccontextmanager
async def _with(databases: Databases, data: Path, more: Domain) -> AsyncIterator[Installation]:
    async with databases.fresh() as url, installed(url, data, registry=Registry((*DOMAINS, more))) as running:
        yield running


@pytest.fixture(scope="module")
async def leaked(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> MatrixReport:
    """What the matrix says of a domain that leaks."""
    async with _with(databases, tmp_path_factory.mktemp("leaking"), leaking.domain) as running:
        with pytest.raises(MatrixFailed) as failed:
            await cross_tenant_matrix(running, tags=("leaking",))
    return failed.value.report


@pytest.mark.parametrize("operation", LEAKS, ids=[name.rpartition("leaking/")[2] for name in LEAKS])
async def test_a_leak_is_found(leaked: MatrixReport, operation: str) -> None:
    found = [leak for leak in leaked.leaks if leak.operation == operation]
    for shape, what in LEAKS[operation].items():
        assert [leak for leak in found if leak.shape == shape and what in leak.what], found[:5]


async def test_only_what_leaks_is_said_to(leaked: MatrixReport) -> None:
    assert {leak.operation for leak in leaked.leaks} == LEAKS.keys()


async def test_an_operation_that_cannot_be_asked_is_not_passed_over(databases: Databases, tmp_path: Path) -> None:
    async with _with(databases, tmp_path, leaking.without) as running:
        with pytest.raises(MatrixFailed) as failed:
            await cross_tenant_matrix(running, tags=("unaskable",))
    paths = {"POST /v1/orgs/{org}/unaskable/bodies", "POST /v1/orgs/{org}/unaskable/wrong"}
    assert {one.partition(":")[0] for one in failed.value.report.uncovered} == paths
    assert failed.value.report.leaks == []
    assert "not covered: POST /v1/orgs/{org}/unaskable/wrong" in str(failed.value)
