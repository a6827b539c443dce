"""Whatever is asked for is done whole or not at all, wherever something dies, and asked for again it is done once."""

from __future__ import annotations

from typing import Any

import pytest

from .app import Stage
from .conftest import Chosen, Mortal
from .crash_points import Point, Side, cut, enumerate_points, visit
from .flow import Flow, Trial, hold
from .flows import FLOWS
from .flows.joining import REGISTERING

EACH = pytest.mark.parametrize("flow", [pytest.param(flow, id=flow.name) for flow in FLOWS])


async def test_a_registration_that_was_committed_is_mailed_though_its_answer_was_lost(stage: Stage) -> None:
    trial = Trial(REGISTERING, stage)
    *_, last = await enumerate_points(trial)
    assert (last.side, last.unit.sql) == (Side.AFTER, "commit")
    _, answer = await visit(trial, Point(last.unit, Side.AFTER))
    assert answer is None


@EACH
@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_it_is_done_once_or_not_at_all_wherever_whoever_is_asked_is_killed(
    stage: Stage, chosen: Chosen, flow: Flow[Any]
) -> None:
    await hold(Trial(flow, stage), chosen)


@EACH
@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_it_is_done_once_or_not_at_all_wherever_the_connection_is_cut(
    stage: Stage, chosen: Chosen, flow: Flow[Any]
) -> None:
    await hold(Trial(flow, stage, cut), chosen)


@EACH
@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_it_is_done_once_or_not_at_all_wherever_the_database_is_killed(
    mortal_stage: Stage, mortal: Mortal, chosen: Chosen, flow: Flow[Any]
) -> None:
    await hold(Trial(flow, mortal_stage, mortal.kill), chosen)
