"""The engine: the first row whose guards hold, one answer for every kind of no, and nothing moved but the scratch."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from payagent.flow import events as ev
from payagent.flow.call import Call
from payagent.flow.facts import Facts
from payagent.flow.machine import Engine
from payagent.flow.rows import Flow, Guard, Row, View
from payagent.flow.states import FINAL, Pace, Party, Profile, State
from payagent.flow.table import build

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
HERE, THERE, ELSEWHERE = State.VERIFYING_IDENTITY, State.CONFIRMING_BALANCE, State.CHOOSING_AMOUNT
DEFAULT = build()


def guard(holds: bool | Callable[[View], bool], refusal: str = "No.") -> Guard:
    """A condition that answers as told."""
    return Guard("it is so", (lambda v: holds) if isinstance(holds, bool) else holds, refusal)


YES = guard(True)


def row(*guards: Guard, trigger: str = "go", source: State = HERE, dest: State | None = THERE, n: int = 0) -> Row:
    return Row(trigger, source, dest, Party.MODEL, guards, (), "a test", n)


def flow(*rows: Row) -> Flow:
    """A table of just these rows."""
    return replace(DEFAULT, rows=rows)


def view(state: State = HERE, facts: Facts | None = None) -> View:
    facts = facts or Facts()
    return View("CA1", state, facts, facts, None, None, NOON, DEFAULT.limits, DEFAULT.routes, DEFAULT.languages)


def test_the_row_of_the_state_and_the_trigger_fires() -> None:
    """Whether it leads somewhere or stays."""
    go, stay, other = row(), row(trigger="stay", dest=None), row(source=THERE, dest=ELSEWHERE)
    engine = Engine(flow(go, stay, other))

    assert engine.fire("go", view()) == (go, "")
    assert engine.fire("stay", view()) == (stay, "")
    assert engine.fire("go", view(THERE)) == (other, "")


@pytest.mark.parametrize(
    ("answers", "fires"),
    [
        ([True, True, True], 0),
        ([False, True, True], 1),
        ([True, False, True], 0),
        ([False, False, True], 2),
    ],
)
def test_the_first_row_whose_guard_holds_fires(answers: list[bool], fires: int) -> None:
    """Rows are tried from top to bottom, also where they lead to the same place."""
    rows = [row(guard(answer), dest=None if n == 1 else THERE, n=n) for n, answer in enumerate(answers)]

    assert Engine(flow(*rows)).fire("go", view()) == (rows[fires], "")


def test_a_row_fires_only_if_all_its_guards_hold() -> None:
    """One no is enough, wherever it stands."""
    for guards in ([guard(False), YES, YES], [YES, guard(False), YES], [YES, YES, guard(False)]):
        last = row(n=1)

        assert Engine(flow(row(*guards), last)).fire("go", view()) == (last, "")


def test_the_guards_read_the_view_they_are_given() -> None:
    """One engine serves all calls; each is judged by its own facts."""
    counted = row(guard(lambda v: v.was.identity_tries > 1))
    engine = Engine(flow(counted))

    assert engine.fire("go", view(facts=Facts(identity_tries=2))) == (counted, "")
    assert engine.fire("go", view(facts=Facts(identity_tries=1))) == (None, "No.")
    assert engine.fire("go", view(facts=Facts(identity_tries=2))) == (counted, "")


# The three kinds of no


def test_a_no_is_answered_with_the_words_of_the_last_guard_that_gave_it() -> None:
    """The last row is the one that came closest to what was wanted."""
    engine = Engine(
        flow(
            row(guard(False, "Not the first.")),
            row(YES, guard(False, "Not the second."), guard(False, "Never asked."), n=1),
        )
    )

    assert engine.fire("go", view()) == (None, "Not the second.")


def test_a_no_on_the_way_to_a_yes_leaves_no_words() -> None:
    """The refusal of an earlier row is not the answer."""
    last = row(n=1)

    assert Engine(flow(row(guard(False, "Not the first.")), last)).fire("go", view()) == (last, "")


def test_a_trigger_of_another_state_is_answered_with_nothing() -> None:
    """The library would raise `MachineError`."""
    engine = Engine(flow(row(), row(trigger="stop", source=THERE)))

    assert engine.fire("stop", view()) == (None, "")
    assert engine.fire("go", view(State.ENDED)) == (None, "")


@pytest.mark.parametrize("trigger", ["mark_as_paid", "", "to_payment_completed", "GO", "trigger", "may_go"])
def test_a_trigger_of_no_row_is_answered_with_nothing(trigger: str) -> None:
    """The library would raise `KeyError`, or know a jump to every state and words of its own."""
    assert Engine(flow(row())).fire(trigger, view()) == (None, "")
    assert Engine(DEFAULT).fire(trigger, view()) == (None, "")


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyError, AttributeError])
def test_a_guard_that_raises_is_never_taken_for_a_no(error: type[Exception]) -> None:
    """It is a bug: folded, it would hide behind a refusal or let a later row fire."""

    def broken(v: View) -> bool:
        raise error("broken guard")

    engine = Engine(flow(row(guard(broken)), row(n=1)))

    with pytest.raises(error, match="broken guard"):
        engine.fire("go", view())


# Nothing moves but the scratch


def test_firing_moves_nothing() -> None:
    """The same view gives the same answer as often as it is asked, and is itself unchanged."""
    go, back = row(), row(source=THERE, dest=HERE)
    engine, here = Engine(flow(go, back)), view()

    answers = [engine.fire("go", here) for _ in range(3)]

    assert answers == [(go, "")] * 3
    assert here == view()


def test_deciding_leaves_the_call_untouched() -> None:
    """Only a recorded step moves it: if the record fails, nothing has happened."""
    call = Call(DEFAULT, "CA1")
    before = (call.state, call.facts, call.timers, call.seq)

    step = call.decide(ev.CallerHungUp(), NOON)

    assert step is not None
    assert (step.before, step.after) == (State.VERIFYING_IDENTITY, State.ENDED)
    assert before == (call.state, call.facts, call.timers, call.seq)


def test_one_engine_serves_many_calls() -> None:
    """Each call has its own state; the engine has none."""
    engine = Engine(DEFAULT)
    first, second = Call(DEFAULT, "CA1", engine), Call(DEFAULT, "CA2", engine)

    over = first.decide(ev.CallerHungUp(), NOON)
    assert over is not None
    first.apply(over)
    still = second.decide(ev.CallerSpoke("hello"), NOON)

    assert still is not None
    assert (first.state, still.before, still.after) == (State.ENDED, HERE, HERE)


# The real table


@pytest.mark.parametrize("pace", Pace)
@pytest.mark.parametrize("profile", Profile)
def test_no_trigger_leaves_a_final_state(pace: Pace, profile: Profile) -> None:
    """Whatever its guards say: each row that could fire there is fired alone, with its guards gone."""
    table = build(pace, profile)
    engines = [(r.trigger, Engine(replace(table, rows=(replace(r, guards=()),)))) for r in table.rows]

    for state in FINAL:
        fired = [found for trigger, engine in engines if (found := engine.fire(trigger, view(state))[0])]

        assert [r.id for r in table.rows if r.source is state] == [found.id for found in fired] != []
        assert [found.id for found in fired if found.dest] == []


@pytest.mark.parametrize("pace", Pace)
@pytest.mark.parametrize("profile", Profile)
def test_every_row_of_the_table_can_fire(pace: Pace, profile: Profile) -> None:
    """From its own source, on its own trigger, once its guards and the rows before it are out of the way."""
    table = build(pace, profile)
    bare = [replace(r, guards=()) for r in table.rows]

    fired = [Engine(replace(table, rows=(r,))).fire(r.trigger, view(r.source)) for r in bare]

    assert fired == [(r, "") for r in bare]


def test_the_library_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    """It would log every callback and every refused condition, on every step of every call."""
    engine = Engine(flow(row(guard(False)), row(n=1)))

    with caplog.at_level(logging.DEBUG):
        engine.fire("go", view())

    assert caplog.records == []
