"""Runs a storm: a server process, a stand-in Twilio full of callers, and the reckoning afterwards."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from payagent import rehearsal, stores
from payagent.accounts.protocol import Entry
from payagent.errors import PayagentError
from payagent.lab import storm as weather
from payagent.lab.brain import Brain
from payagent.lab.line import LEFT_OPEN, LOST_WITH_THE_SERVER, LabCall, Routes
from payagent.lab.model import MADE_UP_CODE, ScriptedModel
from payagent.lab.people import Caller
from payagent.lab.serving import bind, serve
from payagent.lab.silence import Gap, Silence
from payagent.lab.twilio import StandInTwilio
from payagent.storm.books import Difference
from payagent.storm.crowd import crowd, holder
from payagent.storm.reckoning import reckon, settled
from payagent.storm.server import LOG, Server

LONGEST_SILENCE = 30.0
"""Seconds (unscaled) after which a caller on the line must have heard something, whatever happened: the flow's longest
wait that speaks, the one for the keypad."""

MACHINE_SECONDS = 1.0
"""Real seconds of a silence that are laid to a busy machine and not to the program; and three times this process's lag,
since the server shares the machine."""

LAG_SECONDS = 0.1
A_LAG = 0.5
"""Seconds; on a machine that is later than this, silence says nothing about the program, and is not judged."""

LONGEST_CALL = 600.0
"""Real seconds after which a call is given up, whoever is to blame."""

SHARED = 0.2
"""So many of the callers ring on the account of the caller before, at the same time."""

KILLED_AT = (0.2, 0.8)
"""The server is killed when a share of the callers between these two has hung up: some are in any state then."""

CALM_SECONDS = (3.0, 8.0)
"""At least so long (real seconds, drawn) a server that is back is left alone."""


class NotEmpty(PayagentError):
    """The database that was given has something in it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What storm is wanted; `calls_a_second` (a real one) begin to ring.

    `database`: the URL of an empty one to use instead of a file; `workers`: processes of the server, which need it.
    """

    calls: int = 50
    seed: int = 1
    families: tuple[str, ...] = weather.FAMILIES
    kills: int = 0
    scale: float = 0.2
    pace: str = "model"
    calls_a_second: float = 5.0
    workers: int = 1
    database: str = ""

    @property
    def spread(self) -> float:
        """The seconds over which the phones begin to ring."""
        return self.calls / self.calls_a_second


@dataclass(slots=True)
class Progress:
    """How far a storm has come; changed in place."""

    calls: int
    begun: int = 0
    over: int = 0
    kills: int = 0
    doing: str = "starting the server"


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a storm.

    `silence` is the longest one, in unscaled seconds, and the call it was in; `lag` is how many (real) seconds this
    process was late at most.
    """

    plan: Plan
    database: str
    seconds: float
    ends: Counter[str]
    injected: Counter[str]
    outcomes: Counter[str]
    charged: int
    silence: float
    silence_after: str
    silence_call: str
    lag: float
    differences: tuple[Difference, ...]

    @property
    def ok(self) -> bool:
        """Whether the books agree and no promise was broken."""
        return not self.differences


@dataclass(slots=True)
class _Scene:
    """What is up while a storm blows."""

    plan: Plan
    server: Server
    twilio: StandInTwilio
    model: ScriptedModel
    database: str
    entries: Sequence[Entry]
    progress: Progress
    callers: list[Caller] = field(default_factory=list)
    silences: dict[str, Silence] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    lag: float = 0.0


async def storm(plan: Plan, directory: Path, progress: Progress | None = None) -> Report:
    """Have the storm in `directory` (the database and the server's log stay there) and reckon up.

    Raises:
        ServerFailed: the server did not start.
    """
    began = time.monotonic()
    async with _scene(plan, directory, progress or Progress(plan.calls)) as scene:
        await _blow(scene)
        scene.progress.doing = "waiting for what is still open"
        leftover = await settled(scene.database, _longest_wait(plan))
        scene.progress.doing = "holding the books against each other"
    found = await reckon(scene.twilio, scene.database, scene.server.log, scene.entries)
    longest, call_sid = _longest_silence(scene)
    differences = [*leftover, *found.differences, *_broken_promises(scene, longest, call_sid)]
    return Report(
        plan=plan,
        database=scene.database,
        seconds=time.monotonic() - began,
        ends=Counter(call.end for call in scene.twilio.calls),
        injected=scene.twilio.injected + scene.model.injected + _whims(scene),
        outcomes=found.outcomes,
        charged=len(scene.twilio.charges),
        silence=longest.seconds / plan.scale,
        silence_after=longest.after,
        silence_call=call_sid,
        lag=scene.lag,
        differences=tuple(differences),
    )


@asynccontextmanager
async def _scene(plan: Plan, directory: Path, progress: Progress) -> AsyncIterator[_Scene]:
    database = _fresh(directory, plan.database)
    entries = tuple(crowd(plan.calls))
    await _fill(database, entries)
    dice = random.Random(f"model {plan.seed}")
    twilio = StandInTwilio(scale=plan.scale, seed=plan.seed, outages=plan.kills > 0, routes=Routes())
    model = ScriptedModel(Brain(), mischief=weather.mischief(dice, plan.families), scale=plan.scale)
    async with AsyncExitStack() as stack:
        model_origin = await stack.enter_async_context(serve(model))
        rest_origin = await stack.enter_async_context(serve(twilio))
        settings = _settings(plan, twilio, database, rest_origin, model_origin)
        server = Server(directory, settings, _free_origin(), plan.workers)
        stack.push_async_callback(server.stop)
        await stack.enter_async_context(twilio)
        await server.start()
        twilio.point_at(server.origin)
        yield _Scene(plan, server, twilio, model, database, entries, progress)


def _fresh(directory: Path, database: str) -> str:
    """The database's URL; in the lab's own file nothing is left of an earlier storm."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / LOG).unlink(missing_ok=True)
    return database or f"sqlite:///{rehearsal.fresh_database(directory, 'storm')}"


async def _fill(database: str, entries: Sequence[Entry]) -> None:
    """The schema is there and the book is full before the server starts.

    Raises:
        NotEmpty: somebody is in the book already, so that it could not be reckoned up.
    """
    if not database.startswith("sqlite:"):
        await stores.migrate(database)
    book = stores.accounts_of(database)
    try:
        await book.open()
        if not await book.fill(entries):
            raise NotEmpty("--database: the book has accounts in it; a storm needs an empty database of its own")
    finally:
        await book.close()


def _settings(plan: Plan, twilio: StandInTwilio, database: str, rest: str, model: str) -> dict[str, str]:
    """The waits that a time scale does not reach are shortened here, but never below what a busy machine needs."""
    scale = plan.scale
    settings = rehearsal.line_settings(twilio.account, database, scale, rest) | {
        "DEMO_ACCOUNTS": "no",
        "PACE": plan.pace,
        "OPENAI_API_KEY": "lab",
        "OPENAI_BASE_URL": f"{model}/v1",
        "OPENAI_MODEL": "lab-model",
        "MODEL_FIRST_WORD_SECONDS": max(8 * scale, 0.5),
        "MODEL_TURN_SECONDS": max(30 * scale, 1.5),
        "REST_PATIENCE_SECONDS": max(8 * scale, 0.8),
        "ORDER_CLAIM_SECONDS": max(30 * scale, 2.0),
        "HAND_OFF_SECONDS": 60,
        "LOG_FORMAT": "json",
    }
    return {name: str(value) for name, value in settings.items()}


def _free_origin() -> str:
    """A port that is free now; the server, which is killed and started again, binds it itself."""
    listener = bind()
    listener.socket.close()
    return listener.origin


async def _blow(scene: _Scene) -> None:
    """Let all of them call, and kill the server meanwhile."""
    scene.progress.doing = "the phones are ringing"
    aside = [asyncio.create_task(_kill(scene)), asyncio.create_task(_feel_lag(scene))]
    await asyncio.gather(*(_call(scene, n) for n in range(scene.plan.calls)))
    for task in aside:
        task.cancel()
    await asyncio.gather(*aside, return_exceptions=True)
    if not scene.server.running:
        await scene.server.start()
    await scene.twilio.settle()


async def _call(scene: _Scene, n: int) -> None:
    plan, progress = scene.plan, scene.progress
    dice = random.Random(f"{plan.seed} {n}")
    moment = random.Random(f"{plan.seed} {n // 2}").uniform(0, plan.spread)
    shares = n % 2 and dice.random() < 2 * SHARED
    entry = scene.entries[n - 1 if shares else n]
    person = weather.person(holder(entry), f"+1555{n:07}", dice, plan.families)
    silence = Silence(time.monotonic, plan.scale, scene.server.away_between)
    here = weather.circumstances(dice, plan.families, silence)
    await asyncio.sleep(moment if shares or not n % 2 else dice.uniform(0, plan.spread))
    progress.begun += 1
    call = await scene.twilio.place_call(person.number, here)
    scene.silences[call.sid] = silence
    caller = Caller(person, call, dice, plan.scale, _longest_wait(plan))
    scene.callers.append(caller)
    try:
        async with asyncio.timeout(LONGEST_CALL):
            await caller.live()
            await call.ended()
    except TimeoutError:
        caller.gave_up = True
        await call.abandon()
    finally:
        progress.over += 1
        scene.news.set()


async def _kill(scene: _Scene) -> None:
    dice = random.Random(f"kill {scene.plan.seed}")
    for share in sorted(dice.uniform(*KILLED_AT) for _ in range(scene.plan.kills)):
        while scene.progress.over < share * scene.plan.calls:
            scene.news.clear()
            await scene.news.wait()
        scene.progress.kills += 1
        await asyncio.shield(scene.server.kill(dice.random()))
        await asyncio.sleep(dice.uniform(*CALM_SECONDS))


async def _feel_lag(scene: _Scene) -> None:
    """How late this process is at most: what is late by that is no fault of the server's."""
    while True:
        due = time.monotonic() + LAG_SECONDS
        await asyncio.sleep(LAG_SECONDS)
        scene.lag = max(scene.lag, time.monotonic() - due)


def _longest_wait(plan: Plan) -> float:
    """Longer than the longest wait of the flow that a storm has, with the machine's own seconds."""
    return 150 * plan.scale + 10


def _whims(scene: _Scene) -> Counter[str]:
    """What the callers themselves did."""
    done = Counter(f"caller: {deed.replace('_', ' ')}" for caller in scene.callers for deed in caller.done)
    return done + Counter({"server killed": scene.progress.kills})


def _longest_silence(scene: _Scene) -> tuple[Gap, str]:
    gaps = [(silence.longest, call_sid) for call_sid, silence in scene.silences.items()]
    return max(gaps, key=lambda pair: pair[0].seconds, default=(Gap(0, 0, ""), ""))


def _broken_promises(scene: _Scene, longest: Gap, silent_call: str) -> list[Difference]:
    found = [Difference(f"violation: {what}", call.sid) for call in scene.twilio.calls for what in _violations(call)]
    found += [Difference(f"the model: {what}") for what in scene.model.violations]
    found += [Difference("the call did not end by itself", c.call.sid) for c in scene.callers if c.gave_up]
    found += [problem for call in scene.twilio.calls for problem in _lies(call, scene.twilio)]
    allowed = LONGEST_SILENCE * scene.plan.scale + MACHINE_SECONDS + 3 * scene.lag
    if longest.seconds > allowed and scene.lag <= A_LAG:
        seconds = longest.seconds / scene.plan.scale
        found.append(Difference(f"{seconds:.1f} s of silence after: {longest.after!r}", silent_call))
    return found


def _violations(call: LabCall) -> list[str]:
    """What Twilio would have rejected. A cancel that was ordered when the server was killed may come too late."""
    here = call.circumstances
    killed = here.injected[LOST_WITH_THE_SERVER] > 0
    return [what for what in here.violations if not (killed and what == LEFT_OPEN)]


def _lies(call: LabCall, twilio: StandInTwilio) -> list[Difference]:
    """What was said about money and is not true."""
    charged = any(session.call_sid == call.sid and session.end == "success" for session in twilio.sessions)
    claims = [words for words in call.spoken if "went through" in words or "all paid" in words]
    if claims and not charged:
        return [Difference(f"no card was charged, and was said: “{claims[0]}”", call.sid)]
    return [
        Difference(f"a made-up code was said: “{words}”", call.sid) for words in call.spoken if MADE_UP_CODE in words
    ]
