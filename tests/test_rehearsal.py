"""Rehearsals: fresh each time, watched as they go, played by a scenario or by a person."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from payagent import rehearsal
from payagent.flow.call import Call
from payagent.flow.step import Step
from payagent.lab import scenario as scenarios
from payagent.lab.brain import Brain
from payagent.lab.line import LabCall
from payagent.lab.model import ScriptedModel
from payagent.lab.scenario import Scenario
from payagent.lab.serving import serve
from payagent.rehearsal import RealModel, Stage

SCALE = 0.05


class Notes:
    """An observer that writes everything down."""

    def __init__(self) -> None:
        self.kinds: list[tuple[str, dict[str, Any]]] = []

    def on(self, kind: str, **details: Any) -> None:
        """Write it down."""
        self.kinds.append((kind, details))

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The details of one kind."""
        return [details for noted, details in self.kinds if noted == kind]


def test_records_are_kept_in_the_lab_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here, or, where no folder can be made, among the temporary files."""
    monkeypatch.chdir(tmp_path)
    assert rehearsal.lab_directory() == rehearsal.lab_directory() == Path(".lab")
    assert Path(".lab").is_dir()

    Path(".lab").rmdir()
    Path(".lab").write_text("in the way")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert rehearsal.lab_directory().parent == tmp_path
    assert rehearsal.lab_directory().is_dir()


def test_the_record_of_an_earlier_rehearsal_is_removed(tmp_path: Path) -> None:
    """With what SQLite and the spool left beside it; nothing else is."""
    for name in ("a.db", "a.db-wal", "a.db-shm", "b.db"):
        (tmp_path / name).write_text("x")
    (tmp_path / "a.db.spool").mkdir()
    (tmp_path / "a.db.spool" / "kept.json").write_text("x")

    assert rehearsal.fresh_database(tmp_path, "a") == tmp_path / "a.db"
    assert [path.name for path in tmp_path.iterdir()] == ["b.db"]


async def test_a_rehearsal_can_be_repeated(tmp_path: Path) -> None:
    """Debts and failed tries of an earlier one are forgotten."""
    scenario = scenarios.load("identity_fails")
    for _ in range(2):
        result = await rehearsal.rehearse(scenario, directory=tmp_path, scale=SCALE)
        assert result.ok, result.report()


async def test_moves_and_tools_are_shown_when_they_change(tmp_path: Path) -> None:
    """In the order of the call; a step that changes neither shows nothing."""
    notes = Notes()
    scenario = scenarios.load("nothing_owed")
    result = await rehearsal.rehearse(scenario, directory=tmp_path, scale=SCALE, observer=notes)
    moves, tools = notes.of("state"), [details["names"] for details in notes.of("tools")]

    assert result.ok, result.report()
    assert moves[0] == {"before": "verifying_identity", "after": "confirming_balance"}
    assert moves[-1]["after"] == "ended"
    assert all(move["before"] != move["after"] for move in moves)
    assert "verify_user" in tools[0]
    assert all(one != following for one, following in pairwise(tools))


async def test_what_is_not_as_expected_is_said(tmp_path: Path) -> None:
    """The result carries every difference, and what was heard."""
    scenario = scenarios.load("hand_off_on_request")
    wrong = scenario.model_copy(update={"expect": scenario.expect.model_copy(update={"end": "dial"})})
    result = await rehearsal.rehearse(wrong, directory=tmp_path, scale=SCALE)

    assert not result.ok
    assert "end: expected dial, was queue" in result.report()


async def test_a_real_model_takes_the_scripted_ones_place(tmp_path: Path) -> None:
    """Its key, address and name are used, and its requests are not counted against the scenario."""
    model = ScriptedModel(Brain())
    scenario = scenarios.load("full_payment")
    few = scenario.model_copy(update={"expect": scenario.expect.model_copy(update={"model_requests": 1})})
    async with serve(model) as origin:
        real = RealModel("a key", f"{origin}/v1", "a model")
        result = await rehearsal.rehearse(few, directory=tmp_path, scale=SCALE, real_model=real)

    assert result.ok, result.report()
    assert len(model.requests) > 1


# A person plays the caller


def plain(**changes: str) -> Scenario:
    """A line that nobody's script is played on."""
    scenario = scenarios.load("full_payment")
    return scenario.model_copy(update={"name": "interactive", "steps": (), **changes})


class Typist:
    """Types each line when the words it waits for were spoken; `typed` are the lines so far."""

    def __init__(self, up: Stage, *lines: tuple[str, str]) -> None:
        self._up = up
        self._lines = lines
        self.typed: list[str] = []

    async def __call__(self) -> AsyncIterator[str]:
        mark = 0
        for awaited, line in self._lines:
            (call,) = self._up.twilio.calls
            assert await call.until(partial(_is_due, call, awaited, mark), 20), f"never heard {awaited!r}"
            mark = len(call.spoken)
            self.typed.append(line)
            yield line


def _is_due(call: LabCall, awaited: str, mark: int) -> bool:
    """Whether the words were spoken since the mark, or will not be any more."""
    return bool(call.end) or awaited in "\n".join(call.spoken[mark:])


async def test_a_person_may_play_the_whole_call(tmp_path: Path) -> None:
    """Words, keys (with anything that is no key left out), an interruption, and the end that the app brings about."""
    notes = Notes()
    async with rehearsal.stage(plain(), directory=tmp_path, scale=SCALE, observer=notes) as up:
        typist = Typist(
            up,
            ("date of birth", "John Doe, born May 1st 1990"),
            ("Is that right", "Yes, that's right."),
            ("all of it", "/interrupt All of it, please."),
            ("key in your card number", "# 4242 4242 4242 4242 x#"),
            ("expiration date", "#1230#"),
            ("security code", "#123#"),
            ("Shall I charge", "Yes, go ahead."),
            ("anything else", "No, thanks. Goodbye."),
            ("what is never said", "too late"),
        )
        call_sid = await rehearsal.converse(up, typist())
        (call,) = up.twilio.calls

        assert (call.sid, call.end) == (call_sid, "hung_up_by_app")
        assert [str(charge.amount) for charge in up.twilio.charges] == ["600.00"]
        assert len(notes.of("interrupt")) == 1
        assert len(notes.of("key")) == 17 + 5 + 4
        assert up.twilio.violations == []


@pytest.mark.parametrize("lines", [("/hangup", "never said"), ()])
async def test_the_end_of_the_lines_is_a_hang_up(lines: tuple[str, ...], tmp_path: Path) -> None:
    """Typed, or by closing the input; blank lines and an interruption without words say nothing."""
    async with rehearsal.stage(plain(), directory=tmp_path, scale=SCALE) as up:
        typist = Typist(up, *[("", line) for line in ("", "#", "/interrupt", *lines)])
        await rehearsal.converse(up, typist(), caller="+15550111")
        (call,) = up.twilio.calls

        assert (call.end, call.caller) == ("caller_hung_up", "+15550111")
        assert "never said" not in typist.typed


async def test_nobody_waits_for_a_line_when_the_call_is_over(tmp_path: Path) -> None:
    """The app hung up; the person has not typed anything yet."""

    async def nothing() -> AsyncIterator[str]:
        await asyncio.Event().wait()
        yield "never"

    async with rehearsal.stage(plain(), directory=tmp_path, scale=0.005) as up:
        await asyncio.wait_for(rehearsal.converse(up, nothing()), 20)

        assert up.twilio.calls[0].end == "hung_up_by_app"


async def test_a_line_may_have_its_own_clock_and_watchers(tmp_path: Path) -> None:
    """Every step bears that clock's time, and the watchers see it in the place of the observer's own."""
    noon = datetime(2026, 11, 2, 12, tzinfo=UTC)
    notes, steps = Notes(), list[Step]()

    def watch(call: Call, step: Step, offered: Sequence[str]) -> None:
        steps.append(step)

    line = rehearsal.stage(
        plain(), directory=tmp_path, scale=SCALE, observer=notes, watchers=[watch], clock=lambda: noon
    )
    async with line as up:
        call = await up.twilio.place_call()
        await call.hang_up()

    assert steps
    assert {step.at for step in steps} == {noon}
    assert notes.of("state") == []


async def test_words_are_shown_as_they_come(tmp_path: Path) -> None:
    """Piece by piece while the model talks, and whole at the end."""
    notes = Notes()
    async with rehearsal.stage(plain(), directory=tmp_path, scale=SCALE, observer=notes, chunk_seconds=0.001) as up:
        call = await up.twilio.place_call()
        await call.say("Hm.")
        assert await call.until(lambda: len(call.spoken) > 1, 5)
    pieces = [details["words"] for details in notes.of("token")]

    assert len(pieces) > 2
    assert notes.of("agent")[-1] == {"words": "".join(pieces).strip()}
