"""The tables that the stories are told on."""

from __future__ import annotations

import pytest
from stories import AUTOMATIC, MODEL

from payagent.flow.states import Pace, Profile
from payagent.flow.table import Flow, build

FLOWS = {f"{pace}-{profile}": build(pace, profile) for profile in Profile for pace in Pace}


@pytest.fixture(params=FLOWS.values(), ids=FLOWS)
def flow(request: pytest.FixtureRequest) -> Flow:
    """Both paces, both profiles."""
    found: Flow = request.param
    return found


@pytest.fixture(params=[MODEL, AUTOMATIC], ids=["model", "automatic"])
def paced(request: pytest.FixtureRequest) -> Flow:
    """Both paces."""
    found: Flow = request.param
    return found
