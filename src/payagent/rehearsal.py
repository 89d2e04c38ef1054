"""Plays whole calls on this machine: the real app over real HTTP, WebSocket and REST on loopback, and three stand-ins.

The stand-ins are Twilio, the model and the caller. The settings are made here; no `.env` and no environment variable of
a real account is looked at, so a rehearsal can never touch one, nor the real book.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from payagent import wiring
from payagent.flow.call import Call
from payagent.flow.step import Step
from payagent.lab.account import LabAccount
from payagent.lab.caller import PATIENCE_SECONDS, Result, play, scripted_model, stand_in
from payagent.lab.model import ScriptedModel
from payagent.lab.observer import Observer, Unwatched
from payagent.lab.scenario import Scenario
from payagent.lab.serving import bind, serve
from payagent.lab.twilio import StandInTwilio
from payagent.session import Watcher
from payagent.settings import Settings

Clock = Callable[[], datetime]

SCALE = 0.1
"""A rehearsal's waits are a tenth of the real ones; order is what is rehearsed, not duration."""


@dataclass(frozen=True, slots=True)
class RealModel:
    """A real model to rehearse with, instead of the scripted one."""

    api_key: str
    base_url: str
    name: str


@dataclass(frozen=True, slots=True)
class Stage:
    """A line that is up: the stand-in Twilio to ring through, and where the record is."""

    twilio: StandInTwilio
    model: ScriptedModel
    database: Path


class StepWatcher:
    """Tells an observer of the call's moves and of the tools that are offered."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._offered: Sequence[str] | None = None

    def __call__(self, call: Call, step: Step, offered: Sequence[str]) -> None:
        """Show what changed."""
        if step.before is not step.after:
            self._observer.on("state", before=str(step.before), after=str(step.after))
        if offered != self._offered:
            self._observer.on("tools", names=tuple(offered))
            self._offered = offered


def lab_directory() -> Path:
    """Where rehearsals keep their records: `.lab` here, or a folder of this user's among the temporary files."""
    here = Path(".lab")
    try:
        here.mkdir(exist_ok=True)
    except OSError:
        here = Path(tempfile.gettempdir()) / f"payagent-lab-{os.getuid()}"
        here.mkdir(exist_ok=True)
    return here


@asynccontextmanager
async def stage(
    scenario: Scenario,
    *,
    directory: Path,
    scale: float = SCALE,
    observer: Observer | None = None,
    real_model: RealModel | None = None,
    watchers: Sequence[Watcher] | None = None,
    clock: Clock = wiring.utc_now,
    chunk_seconds: float = 0.0,
) -> AsyncIterator[Stage]:
    """The line this scenario asks for, up for as long as the block lasts, with a fresh book of demo accounts.

    `watchers` are shown each step, in the place of an observer's own; `clock` is the wall clock for all of it, and
    `chunk_seconds` the scripted model's time between two pieces of an answer.
    """
    observer = observer or Unwatched()
    database = fresh_database(directory, scenario.name)
    twilio = stand_in(scenario, scale=scale, observer=observer, now=clock)
    model = scripted_model(scenario)
    model.chunk_seconds = chunk_seconds
    async with AsyncExitStack() as stack:
        model_origin = await stack.enter_async_context(serve(model))
        rest_origin = await stack.enter_async_context(serve(twilio))
        listener = bind()
        settings = line_settings(twilio.account, f"sqlite:///{database}", scale, rest_origin)
        settings |= {"PUBLIC_URL": listener.origin, "PACE": scenario.pace, "PROFILE": scenario.profile}
        settings |= _model_settings(model_origin, real_model)
        shown_to = [StepWatcher(observer)] if watchers is None else watchers
        app = wiring.application(Settings.only(settings), shown_to, clock)
        await stack.enter_async_context(serve(app, listener))
        await stack.enter_async_context(twilio)
        twilio.point_at(listener.origin)
        yield Stage(twilio, model, database)


async def rehearse(
    scenario: Scenario,
    *,
    directory: Path,
    scale: float = SCALE,
    patience: float = PATIENCE_SECONDS,
    observer: Observer | None = None,
    real_model: RealModel | None = None,
) -> Result:
    """Play the scenario; its result says whether all was as expected."""
    async with stage(scenario, directory=directory, scale=scale, observer=observer, real_model=real_model) as up:
        scripted = None if real_model else up.model
        return await play(scenario, up.twilio, model=scripted, scale=scale, patience=patience)


def fresh_database(directory: Path, name: str) -> Path:
    """The file for this rehearsal's record, an earlier one of the name removed."""
    path = directory / f"{name}.db"
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    shutil.rmtree(f"{path}.spool", ignore_errors=True)
    return path


def line_settings(account: LabAccount, database_url: str, scale: float, rest_origin: str) -> dict[str, object]:
    """The settings of a line in the lab, but for where it is and where its model is."""
    return {
        "TWILIO_ACCOUNT_SID": account.account_sid,
        "TWILIO_AUTH_TOKEN": account.auth_token,
        "TWILIO_API_KEY": account.api_key,
        "TWILIO_API_SECRET": account.api_secret,
        "TWILIO_PAY_CONNECTOR": account.connector,
        "TWILIO_WORKFLOW_SID": "WW" + "0c" * 16,
        "TRANSFER_PHONE_NUMBER": "+15550177",
        "TWILIO_API_BASE_URL": rest_origin,
        "DATABASE_URL": database_url,
        "JOURNAL_KEY": wiring.LAB_KEY,
        "DEMO_ACCOUNTS": "yes",
        "TIME_SCALE": scale,
    }


def _model_settings(origin: str, real: RealModel | None) -> dict[str, object]:
    if real:
        return {"OPENAI_API_KEY": real.api_key, "OPENAI_BASE_URL": real.base_url, "OPENAI_MODEL": real.name}
    return {"OPENAI_API_KEY": "lab", "OPENAI_BASE_URL": f"{origin}/v1", "OPENAI_MODEL": "lab-model"}


async def converse(up: Stage, lines: AsyncIterator[str], caller: str = "+15550100") -> str:
    """A person plays the caller: each line is said, but `#4242…` presses keys, `/interrupt` and `/hangup` do so.

    Returns the call's SID when the call is over or the lines are.
    """
    call = await up.twilio.place_call(caller)
    async for line in _until(lines, asyncio.create_task(call.ended())):
        if line.startswith("#") and len(line) > 1:
            await call.press("".join(key for key in line[1:] if key in "0123456789*#"))
        elif line == "/hangup":
            break
        elif line.startswith("/interrupt"):
            await call.interrupt()
            if words := line.removeprefix("/interrupt").strip():
                await call.say(words)
        elif line:
            await call.say(line)
    if not call.end:
        await call.hang_up()
    return call.sid


async def _until(lines: AsyncIterator[str], over: asyncio.Task[None]) -> AsyncIterator[str]:
    """The lines, until the call is over."""
    while True:
        following = asyncio.ensure_future(anext(lines, None))
        await asyncio.wait({following, over}, return_when=asyncio.FIRST_COMPLETED)
        if not following.done():
            following.cancel()
            return
        if (line := following.result()) is None:
            return
        yield line
