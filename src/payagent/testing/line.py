"""A whole line for a test, or one of its stand-ins alone: real HTTP, WebSocket and REST on loopback, up for a block.

The fixtures `line_up`, `stand_in_twilio` and `scripted_model` of `payagent.testing.plugin` give these. They need an
async test (pytest's plugins of anyio or asyncio), since all of it lives in the test's own event loop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

from payagent.lab import scenario as scenarios
from payagent.lab.model import ScriptedModel
from payagent.lab.scenario import Scenario
from payagent.lab.serving import serve
from payagent.lab.twilio import StandInTwilio
from payagent.rehearsal import Stage, stage

SCALE = 0.05
"""A test's waits are a twentieth of the real ones."""

TwilioUp = Callable[..., AbstractAsyncContextManager[tuple[StandInTwilio, str]]]
"""What the fixture `stand_in_twilio` gives: `twilio_up`."""

ModelUp = Callable[..., AbstractAsyncContextManager[tuple[ScriptedModel, str]]]
"""What the fixture `scripted_model` gives: `model_up`."""


class LineUp(Protocol):
    """What the fixture `line_up` gives: brings the line of a scenario up, for as long as the block lasts."""

    def __call__(
        self, scenario: Scenario | str = "full_payment", *, scale: float = SCALE
    ) -> AbstractAsyncContextManager[Stage]:
        """Name a packaged scenario, or give one of your own."""


def line_in(directory: Path) -> LineUp:
    """Brings lines up that keep their records in `directory`."""

    def up(scenario: Scenario | str = "full_payment", *, scale: float = SCALE) -> AbstractAsyncContextManager[Stage]:
        asked = scenarios.load(scenario) if isinstance(scenario, str) else scenario
        return stage(asked, directory=directory, scale=scale)

    return up


@asynccontextmanager
async def twilio_up(twilio: StandInTwilio | None = None) -> AsyncIterator[tuple[StandInTwilio, str]]:
    """The stand-in Twilio and its REST origin (`TWILIO_API_BASE_URL`); `point_at` tells it where the app is."""
    twilio = twilio or StandInTwilio(scale=SCALE)
    async with serve(twilio) as origin, twilio:
        yield twilio, origin


@asynccontextmanager
async def model_up(model: ScriptedModel | None = None) -> AsyncIterator[tuple[ScriptedModel, str]]:
    """The scripted model and its base URL (`OPENAI_BASE_URL`, ends in `/v1`)."""
    model = model or ScriptedModel()
    async with serve(model) as origin:
        yield model, f"{origin}/v1"
