from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from flows import data_of, edited, row_of, unguarded, with_first, with_rows, without

from payagent.flow import guards, orders
from payagent.flow.limits import Limits
from payagent.flow.rows import Flow, Row
from payagent.flow.states import Pace, Party, Profile, State
from payagent.flow.table import build
from payagent.review.diff import Change, Changes, appeared, compare, vanished

FLOW = build()
DATA = data_of(FLOW)
COMPLETE = "complete_payment_processing@ready_to_complete"
START = "start_payment@choosing_amount"


def changes(change: Callable[[Flow], Flow]) -> Changes:
    return compare(DATA, data_of(change(FLOW)))


def lines(change: Callable[[Flow], Flow]) -> list[str]:
    return [str(one) for one in changes(change).changes]


def charging_silence(flow: Flow) -> Flow:
    row = Row("silence", State.READY_TO_COMPLETE, State.PROCESSING_PAYMENT, Party.CLOCK, (), (orders.complete,), "Why.")
    return with_first(flow, row)


def test_identical_tables_have_no_changes() -> None:
    """Two builds of one table are told apart by nothing."""
    found = compare(DATA, data_of(build()))

    assert found.changes == ()
    assert (found.marks, found.rows, found.loosens) == ({}, {}, False)
    assert found.lines() == [f"model.card {FLOW.version} → {FLOW.version}: nothing changed"]


LOOSENING: dict[str, tuple[Callable[[Flow], Flow], str]] = {
    "a guard of the charge is gone": (
        lambda flow: unguarded(flow, COMPLETE, guards.bill_held.words),
        f"charge: complete_payment_processing → processing_payment no longer asks whether “{guards.bill_held.words}”"
        " (in ready_to_complete)",
    ),
    "a guard of another row is gone": (
        lambda flow: unguarded(flow, START, guards.heard_since.words),
        f"guard: start_payment → starting_payment no longer asks whether “{guards.heard_since.words}”"
        " (in choosing_amount)",
    ),
    "a guard of a row that stays is gone": (
        lambda flow: unguarded(flow, "silence@ready_to_complete", guards.silences_left.words),
        f"guard: silence → stays no longer asks whether “{guards.silences_left.words}” (in ready_to_complete)",
    ),
    "a guard is worded anew": (
        lambda flow: edited(flow, START, guards=(replace(guards.identified, words="it looks fine"),)),
        f"guard: start_payment → starting_payment no longer asks whether “{guards.heard_since.words}”"
        " (in choosing_amount)",
    ),
    "the clock may charge": (
        charging_silence,
        f"charge: a new way to charge: silence → processing_payment is new, by clock; orders: {orders.complete.words}."
        " Why. (in ready_to_complete)",
    ),
    "a row that was there charges": (
        lambda flow: edited(flow, "caller_spoke@ready_to_complete#2", effects=(orders.think, orders.complete)),
        "charge: a new way to charge: caller_spoke → stays orders it now (in ready_to_complete)",
    ),
    "a row leads elsewhere": (
        lambda flow: edited(flow, "silence@ready_to_complete#2", dest=State.PROCESSING_PAYMENT),
        "move: silence → cancelling_payment becomes silence → processing_payment, by clock (in ready_to_complete)",
    ),
    "a party may newly cause a move": (
        lambda flow: edited(flow, START, party=Party.CLOCK),
        "party: start_payment → starting_payment is caused by clock instead of model (in choosing_amount)",
    ),
    "a new row leads where its party could not": (
        lambda flow: with_first(
            flow, Row("caller_spoke", State.CHOOSING_AMOUNT, State.STARTING_PAYMENT, Party.LINE, (), (), "Why.")
        ),
        "move: caller_spoke → starting_payment is new, by line. Why. (in choosing_amount)",
    ),
    "another party may cause a move on the same conditions": (
        lambda flow: with_first(
            flow, replace(row_of(flow, START), trigger="silence", party=Party.CLOCK, effects=(), why="Why.")
        ),
        "move: silence → starting_payment is new, by clock, if"
        f" {'; '.join(guard.words for guard in row_of(FLOW, START).guards)}. Why. (in choosing_amount)",
    ),
    "a new row is a way around a guard": (
        lambda flow: with_rows(
            flow, (*flow.rows, replace(row_of(flow, START), trigger="end_call", guards=(), effects=()))
        ),
        f"move: end_call → starting_payment is new, by model. {row_of(FLOW, START).why} (in choosing_amount)",
    ),
    "a tool is opened": (
        lambda flow: with_first(flow, replace(row_of(flow, START), source=State.CONFIRMING_BALANCE)),
        "tool: start_payment is opened (in confirming_balance)",
    ),
    "nothing follows a wait": (
        lambda flow: without(flow, "result_overdue@processing_payment"),
        "wait: nothing follows result_overdue any more (in processing_payment)",
    ),
    "a count is raised": (
        lambda flow: replace(flow, limits=Limits(field_tries=9)),
        "limit: field_tries is 9 instead of 3",
    ),
}


@pytest.mark.parametrize("name", LOOSENING)
def test_what_loosens_is_marked_and_comes_first(name: str) -> None:
    """Each hand-made loosening is told in these words, with the mark, before all that does not loosen."""
    change, words = LOOSENING[name]
    found = changes(change)

    assert f"LOOSENS  {words}" in [str(one) for one in found.changes]
    marked = [one.loosens for one in found.changes]
    assert marked == sorted(marked, reverse=True)
    assert found.loosens


TIGHTENING: dict[str, tuple[Callable[[Flow], Flow], list[str]]] = {
    "a guard more": (
        lambda flow: edited(flow, "silence@ready_to_complete#2", guards=(guards.caller_there,)),
        [f"guard: silence → cancelling_payment now asks whether “{guards.caller_there.words}” (in ready_to_complete)"],
    ),
    "a row is gone": (
        lambda flow: without(flow, "confirm_balance@confirming_balance#2"),
        ["move: confirm_balance → handing_off is gone (in confirming_balance)"],
    ),
    "a tool is closed": (
        lambda flow: without(flow, "human_agent_handoff@choosing_amount", "human_agent_handoff@payment_declined"),
        [
            "move: human_agent_handoff → handing_off is gone (in choosing_amount, payment_declined)",
            "tool: human_agent_handoff is closed (in choosing_amount, payment_declined)",
        ],
    ),
    "an order more": (
        lambda flow: edited(flow, "start_overdue@starting_payment#2", effects=(orders.think,)),
        [f"order: start_overdue → cancelling_payment now orders “{orders.think.words}” (in starting_payment)"],
    ),
    "a sentence more": (
        lambda flow: edited(flow, "start_overdue@starting_payment#2", effects=(orders.say("one_moment"),)),
        ["order: start_overdue → cancelling_payment now orders “say “one_moment”” (in starting_payment)"],
    ),
    "orders in another sequence": (
        lambda flow: edited(flow, COMPLETE, effects=row_of(flow, COMPLETE).effects[::-1]),
        [
            "order: complete_payment_processing → processing_payment has its orders in another sequence"
            " (in ready_to_complete)"
        ],
    ),
    "another reason": (
        lambda flow: edited(flow, "bill_not_held@starting_payment", why="Taken."),
        [
            "reason: bill_not_held → handing_off: “Taken.” instead of"
            f" “{row_of(FLOW, 'bill_not_held@starting_payment').why}” (in starting_payment)"
        ],
    ),
    "a new row on stricter terms": (
        lambda flow: with_first(
            flow,
            Row(
                "silence",
                State.READY_TO_COMPLETE,
                State.CANCELLING_PAYMENT,
                Party.CLOCK,
                (guards.card_cut, guards.agrees),
                (),
                "Why.",
            ),
        ),
        [
            "move: silence → cancelling_payment is new, by clock, if"
            f" {guards.card_cut.words}; {guards.agrees.words}. Why. (in ready_to_complete)"
        ],
    ),
    "a count is lowered, a wait longer": (
        lambda flow: replace(flow, limits=Limits(field_tries=2, silence_seconds=12)),
        ["limit: field_tries is 2 instead of 3", "limit: silence_seconds is 12 instead of 10"],
    ),
    "another way to a person": (
        lambda flow: replace(flow, routes=("dial",)),
        ["routes: is dial instead of queue, dial"],
    ),
}


@pytest.mark.parametrize("name", TIGHTENING)
def test_what_does_not_loosen_is_told_without_a_mark(name: str) -> None:
    """Each of these changes is told in exactly these words, and nothing else is."""
    change, words = TIGHTENING[name]

    assert lines(change) == words


def test_a_row_in_front_is_one_change() -> None:
    """The rows behind it have other numbers now, and are not told of."""
    row = Row("silence", State.READY_TO_COMPLETE, None, Party.CLOCK, (guards.card_cut,), (), "Why.")

    assert lines(lambda flow: with_first(flow, row)) == [
        f"move: silence → stays is new, by clock, if {guards.card_cut.words}. Why. (in ready_to_complete)"
    ]


def test_a_stricter_twin_in_front_is_one_change() -> None:
    """The row that is as before is found again, though the new one has as much in common with it."""
    twin = row_of(FLOW, "silence@ready_to_complete#2")

    assert lines(lambda flow: with_first(flow, replace(twin, guards=(*twin.guards, guards.card_cut)))) == [
        f"move: silence → cancelling_payment is new, by clock, if {guards.card_cut.words}; orders:"
        f" {orders.cancel.words}. {twin.why} (in ready_to_complete)"
    ]


def test_rows_with_nothing_in_common_are_not_taken_for_one() -> None:
    """One is gone and another is new."""
    other = Row("hand_off_answered", State.HANDING_OFF, None, Party.LINE, (guards.card_cut,), (orders.think,), "Why.")
    changed = with_first(without(FLOW, "hand_off_answered@handing_off"), other)

    assert lines(lambda _: changed) == [
        "move: hand_off_answered → ended is gone (in handing_off)",
        f"move: hand_off_answered → stays is new, by line, if {guards.card_cut.words}; orders: {orders.think.words}."
        " Why. (in handing_off)",
    ]


AUTOMATIC = build(Pace.AUTOMATIC)
CHARGE = "field_captured@security_code_entry#3"


def before_a_charge(flow: Flow) -> list[str]:
    return [str(one) for one in compare(data_of(AUTOMATIC), data_of(flow)).changes if one.loosens]


def test_a_row_gone_from_before_a_charge_loosens() -> None:
    """What is tried before the row that charges is one of its conditions."""
    assert before_a_charge(without(AUTOMATIC, "field_captured@security_code_entry")) == [
        "LOOSENS  charge: field_captured → processing_payment is no longer tried after field_captured →"
        " card_number_entry (in security_code_entry)"
    ]


def test_what_comes_or_goes_elsewhere_does_not_touch_a_charge() -> None:
    """A new row before it makes it rarer; one behind it was never its condition."""
    ahead = Row("field_captured", State.SECURITY_CODE_ENTRY, None, Party.PAY, (guards.card_cut,), (), "Why.")
    charge = row_of(AUTOMATIC, CHARGE)
    with_last = with_rows(AUTOMATIC, (*AUTOMATIC.rows, replace(charge, guards=(guards.card_cut,), effects=())))

    assert before_a_charge(with_first(AUTOMATIC, ahead)) == []
    assert not compare(data_of(with_last), data_of(AUTOMATIC)).loosens


def test_a_charge_tried_first_loosens() -> None:
    """The same rows in another order are another table."""
    first = row_of(AUTOMATIC, CHARGE)
    moved = with_rows(AUTOMATIC, (first, *(row for row in AUTOMATIC.rows if row is not first)))

    assert before_a_charge(moved)
    assert "order: the rows of field_captured are tried in another order (in security_code_entry)" in [
        str(one) for one in compare(data_of(AUTOMATIC), data_of(moved)).changes
    ]


def test_a_stricter_row_before_a_charge_loosens() -> None:
    """Where the row before it asks more, the one that charges is reached more often."""
    ahead = row_of(AUTOMATIC, "field_captured@security_code_entry")
    stricter = edited(AUTOMATIC, ahead.id, guards=(*ahead.guards, guards.keys_quiet))

    assert before_a_charge(stricter) == [
        "LOOSENS  charge: field_captured → processing_payment is tried more often: field_captured →"
        " card_number_entry, before it, asks more now (in security_code_entry)"
    ]


def test_states_that_come_and_go_are_told() -> None:
    """A state with all its rows is one line, and the drawing is told of its box."""
    postal = data_of(build(profile=Profile.CARD_POSTAL_CODE))
    there = compare(DATA, postal)
    back = compare(postal, DATA)

    assert Change("state", "is new: the postal code is to be asked for", ("postal_code_due",)) in there.changes
    assert Change("state", "is gone, with all its rows", ("postal_code_due", "postal_code_entry")) in back.changes
    assert there.marks["state-postal_code_due"] == "added"
    assert back.marks["state-postal_code_due"] == "removed"
    assert not [one for one in back.changes if one.about == "move" and "postal_code_entry" in one.states]


def test_a_state_that_may_be_left_again_loosens() -> None:
    """A state that was final and no longer is, and one whose meaning changed, are told."""
    states = tuple(replace(s, final=False, meaning="later") if s.name == "ended" else s for s in DATA.states)
    found = compare(DATA, replace(DATA, states=states)).changes

    assert Change("state", "is no longer final", ("ended",), True) in found
    assert Change("state", "means “later” instead of “the call is over”", ("ended",)) in found


def test_a_wait_of_another_kind_is_told() -> None:
    """Its length, the limits it rests on, and from when it is counted."""
    states = []
    for state in DATA.states:
        waits = tuple(
            replace(wait, seconds=99, after_speech=False, limits=wait.limits if state.name == "choosing_amount" else ())
            for wait in state.waits
            if wait.timer == "silence"
        )
        states.append(replace(state, waits=waits) if state.name in ("choosing_amount", "payment_declined") else state)
    told = [str(one) for one in compare(DATA, replace(DATA, states=tuple(states))).changes]

    assert told == [
        "LOOSENS  wait: nothing follows line_overdue any more (in choosing_amount, payment_declined)",
        "wait: silence is 99 s at most instead of 55 (in choosing_amount, payment_declined)",
        "wait: silence is counted from the step that began it (in choosing_amount, payment_declined)",
        "wait: silence is set by nothing instead of silence_seconds, turn_seconds, look_up_seconds"
        " (in payment_declined)",
    ]


def test_a_new_wait_is_told() -> None:
    """With how long it runs at most."""
    short = data_of(without(FLOW, "result_overdue@processing_payment"))

    assert Change("wait", "result_overdue is new, after 60 s at most", ("processing_payment",)) in (
        compare(short, DATA).changes
    )


def test_limits_that_come_and_go_are_told() -> None:
    """A count that is gone bounds nothing any more, so it loosens."""
    fewer = replace(DATA, limits={n: v for n, v in DATA.limits.items() if n not in ("silences", "due_seconds")})

    assert [str(one) for one in compare(DATA, fewer).changes] == [
        "LOOSENS  limit: silences is gone",
        "limit: due_seconds is gone",
    ]
    assert [str(one) for one in compare(fewer, DATA).changes] == [
        "limit: due_seconds is new: 5",
        "limit: silences is new: 3",
    ]


def test_changed_sentences_are_told_with_both_texts() -> None:
    """New, gone, worded anew, and those that may be talked over now."""
    first, second, *others = DATA.sentences
    assert not first.interruptible
    reworded = replace(second, texts={**second.texts, "es": "Otra."}, meaning="says so", name=second.name)
    new = replace(DATA, sentences=(replace(first, interruptible=True), reworded, *others[1:]))
    found = compare(DATA, new)

    assert [str(one) for one in found.changes] == [
        f"LOOSENS  sentence: {first.name} may be talked over",
        f"sentence: {second.name} is for “says so” instead of “{second.meaning}”",
        f"sentence: {second.name} (es) is “Otra.” instead of “{second.texts['es']}”",
        f"sentence: {others[0].name} is gone",
    ]
    back = [str(one) for one in compare(new, DATA).changes]
    assert f"sentence: {others[0].name} is new: {others[0].meaning}" in back
    assert f"sentence: {first.name} may not be talked over any more" in back


def test_what_a_row_may_say_is_told() -> None:
    """Where an order keeps its words but chooses among other sentences."""
    rows = tuple(replace(row, says=("balance",)) if row.id == START else row for row in DATA.rows)

    assert [str(one) for one in compare(DATA, replace(DATA, rows=rows)).changes] == [
        "order: start_payment → starting_payment may say balance instead of nothing (in choosing_amount)"
    ]


def test_a_drawing_is_told_what_to_mark() -> None:
    """Arrows by their ends and party, rows by their id in the new table, boxes whose content changed."""
    found = changes(lambda flow: charging_silence(unguarded(flow, START, guards.heard_since.words)))

    assert found.marks == {
        "edge-choosing_amount-starting_payment-model": "changed",
        "edge-ready_to_complete-processing_payment-clock": "added",
    }
    assert found.rows == {"silence@ready_to_complete": "added", START: "changed"}
    gone = changes(lambda flow: without(flow, COMPLETE))
    assert gone.marks == {
        "state-ready_to_complete": "changed",
        "edge-ready_to_complete-processing_payment-model": "removed",
    }


def test_the_same_change_in_several_states_is_told_once() -> None:
    """A guard that is gone in six states is one line."""
    told = lines(
        lambda flow: with_rows(
            flow, (replace(r, guards=()) if r.trigger == "silence" and r.dest is None else r for r in flow.rows)
        )
    )

    assert len(told) == 1
    assert told[0].count(",") == 6


def test_the_lines_say_which_table_and_how_many() -> None:
    """The first line counts, the others are the changes."""
    found = changes(charging_silence)

    assert found.lines()[0].startswith(f"model.card {FLOW.version} → ")
    assert found.lines()[0].endswith(": changes: 1, loosening: 1")
    assert found.lines()[1:] == [f"  {found.changes[0]}"]


def test_a_table_that_comes_loosens_and_one_that_goes_does_not() -> None:
    """Everything in a new table may happen only now."""
    assert appeared(DATA).loosens
    assert appeared(DATA).lines()[1:] == ["  LOOSENS  table: is new, with all its rows"]
    assert not vanished(DATA).loosens
    assert vanished(DATA).lines()[1:] == ["  table: is gone"]


def test_another_table_altogether_is_compared_too() -> None:
    """The two paces differ in states, tools and who charges; the charge comes first."""
    found = compare(DATA, data_of(AUTOMATIC))

    assert found.changes[0].about == "charge"
    assert Change("pace", "is automatic instead of model") in found.changes
    assert found == compare(DATA, data_of(AUTOMATIC))
