"""The loop of one call: what is recorded, what is said, what is cut, and that nothing silences it."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from live_line import CALL, NEVER, PAYMENT, WAYS, Ear, Line, calls, keyed_fields, open_line, says, settled, tool
from structlog.testing import capture_logs
from virtual_time import VirtualLoop, anyio_backend, owing_threads, virtual_now  # noqa: F401

from payagent.errors import JournalConflict, JournalFailed, ModelFailed, TwilioRefused
from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.call import LATE
from payagent.flow.states import Line as LineFact
from payagent.flow.states import Pace, State
from payagent.flow.step import Step
from payagent.llm import Finished, Words
from payagent.speech import Sentences
from payagent.turn import Turn

CARD = "4111 1111 1111 1111"
AWAY = "I'm sorry, I can't write anything down right now. Please say that again in a moment."


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[Line]:
    """A call that rang, in model pace."""
    async with open_line(tmp_path) as line:
        await line.ring()
        yield line


@pytest.fixture
async def automatic(tmp_path: Path) -> AsyncIterator[Line]:
    """A call that rang, in automatic pace."""
    async with open_line(tmp_path, Pace.AUTOMATIC) as line:
        await line.ring()
        yield line


def cycle(frames: list[dict[str, Any]]) -> list[str]:
    """The words of each frame, with “|” behind what closes its talk cycle."""
    return [frame["token"] + ("|" if frame.get("last") else "") for frame in frames if frame["type"] == "text"]


def told(line: Line) -> str:
    """All that the model was ever shown."""
    return json.dumps([asked.messages for asked in line.model.asked])


# On the record first


async def test_a_poster_is_answered_only_when_the_step_is_on_record(line: Line) -> None:
    """A callback is answered after append, and not before."""
    may_write = asyncio.Event()

    async def wait(step: Step) -> None:
        await may_write.wait()

    line.worker.pen.before = wait
    posting = asyncio.create_task(line.session.post(ev.LanguageKeyPressed("es")))
    await settled()
    waiting = (posting.done(), list(line.ear.frames), line.session.call.facts.language)
    may_write.set()
    step = await posting

    assert waiting == (False, [], "en")
    assert step in await line.steps()
    assert line.session.call.facts.language == "es"


async def test_what_cannot_be_recorded_has_not_happened(automatic: Line) -> None:
    """Nothing moved, nothing was ordered, and the poster is told; the same again later does happen."""
    line = automatic
    await line.paying()
    *first, last = keyed_fields(line.flow)
    await line.reports(*first)
    before = (line.state, line.session.call.seq, line.session.call.facts, list(line.till.asked))
    line.worker.pen.fails = [JournalFailed("disk full")]

    with pytest.raises(JournalFailed, match="disk full"):
        await line.session.post(last)
    await settled()

    after = (line.state, line.session.call.seq, line.session.call.facts, line.till.asked)
    assert after == before
    await line.reports(last)
    assert line.state is State.PROCESSING_PAYMENT
    assert line.till.asked[-1] == "complete"


async def test_what_is_not_worth_a_record_is_answered_with_none(line: Line) -> None:
    """A wait that no longer runs changes nothing."""
    assert await line.session.post(ev.TimeUp("silence", 999)) is None


async def test_a_second_call_started_is_none(line: Line) -> None:
    """Twilio delivers a webhook twice at times; a call starts once."""
    assert await line.session.post(ev.CallStarted("…0100", "caller-hash")) is None
    assert [type(event) for event in await line.events()].count(ev.CallStarted) == 1


async def test_every_step_is_shown_once_it_is_applied(line: Line) -> None:
    """Watchers see what is on the record, in order."""
    await line.verified()

    shown = [(step.seq, type(step.event)) for step in line.worker.steps]
    assert shown == [(step.seq, type(step.event)) for step in await line.steps()]


async def test_the_log_tells_of_moves_and_refusals(line: Line) -> None:
    """Which row fired, or why none did; what changes nothing is for DEBUG: it is on the record."""
    with capture_logs() as logs:
        await line.caller_says("Hello?", calls("end_everything"), says("Good day."))
    told = [(log["trigger"], log["log_level"]) for log in logs if log["event"] == "step"]

    assert told == [
        ("caller_spoke", "info"),
        ("end_everything", "info"),
        ("agent_spoke", "debug"),
        ("turn_ended", "debug"),
    ]


# Words stream, and turns are cut


async def test_words_reach_the_mouth_before_the_turn_ends(line: Line) -> None:
    """The first word is on its way while the model still talks; what it said is on record with its end, at once."""
    go_on = asyncio.Event()
    await line.caller_says("Hello?", [Words("Good "), go_on, Words("day."), Finished("stop")])
    early = cycle(line.ear.frames)
    go_on.set()
    await settled()

    assert early == ["Good "]
    assert cycle(line.ear.frames) == ["Good ", "day.", "|"]
    assert line.worker.pen.written[-1] == [5, 6]
    assert (await line.events())[-2:] == [
        ev.AgentSpoke(f"{CALL}:4:0", "Good day."),
        ev.TurnEnded(f"{CALL}:4:0", "stop"),
    ]


CUTS = [
    (ev.CallerSpoke("Wait"), "new words of the caller"),
    (ev.CallerInterrupted("You"), "an interrupt"),
    (ev.LanguageKeyPressed("es"), "a fixed sentence"),
    (ev.CallerHungUp(), "a move not its own"),
]


@pytest.mark.parametrize("cut", [cut for cut, _ in CUTS], ids=[name for _, name in CUTS])
async def test_a_superseded_turn_is_cut(line: Line, cut: ev.Event) -> None:
    """Its stream is closed, its talk cycle too, its words are on record before the cut, and its tool is not called."""
    await line.agreed()
    go_on = asyncio.Event()
    await line.caller_says("And now?", [Words("You may "), go_on, Words("pay."), tool("end_call"), Finished("stop")])
    turn = line.session.call.facts.turn
    asked, frames = line.model.asked[-1], len(line.ear.frames)

    await line.session.post(cut)
    cut_at = line.session.call.seq
    go_on.set()
    await settled()

    events = await line.events()
    at = events.index(ev.AgentSpoke(turn, "You may "))
    assert asked.closed
    assert line.model.at_once == 1
    assert cycle(line.ear.frames[frames - 1 :])[:2] == ["You may ", "|"]
    assert type(events[at + 1]) is type(cut)
    assert at + 1 < cut_at
    assert not [event for event in events if isinstance(event, ev.ToolCalled) and event.name == "end_call"]


async def test_a_fixed_sentence_comes_after_the_end_of_the_turn(line: Line) -> None:
    """Words never interleave: the turn's talk cycle is closed before the sentence."""
    await line.caller_says("Hello?", [Words("Good "), NEVER])
    await line.session.post(ev.LanguageKeyPressed("es"))
    await settled()

    frames = [frame["type"] if frame["type"] != "text" else frame["token"] for frame in line.ear.frames]
    assert frames[:3] == ["Good ", "", "language"]
    assert len(frames) > 3


async def test_a_tool_that_was_streamed_before_the_cut_is_not_called(line: Line) -> None:
    """Until the answer is whole its tool is only words."""
    await line.agreed()
    await line.caller_says("Bye?", [tool("end_call"), NEVER, Finished("tool_calls")])
    await line.caller_says("No, wait", says("Yes?"))

    assert line.state is State.CHOOSING_AMOUNT
    assert "end_call" not in str(await line.events())


@pytest.mark.promise(1)
async def test_a_tool_of_an_older_turn_is_refused(line: Line) -> None:
    """What is on its way when the caller speaks comes too late: recorded, and not done."""
    await line.agreed()
    await line.caller_says("Bye", [NEVER])
    old = line.session.call.facts.turn
    await line.caller_says("No, wait", [NEVER])

    step = await line.session.post(ev.ToolCalled(old, "call-9", "end_call", "{}"))

    assert step is not None
    assert (step.refused, step.after, step.orders) == (LATE, State.CHOOSING_AMOUNT, ())


async def test_a_turn_leaves_nothing_behind(line: Line) -> None:
    """However it ends: nothing of it waits for the garbage collector, whose full passes stop every call."""
    gc.collect()
    others = [each for each in gc.get_objects() if isinstance(each, Turn)]  # of other tests, still held by somebody
    gc.disable()
    try:
        await line.agreed()
        await line.caller_says("Hm", says("Take your time."))
        await line.caller_says("What?", calls("start_payment", amount="700.00"), says("That is too much."))
        await line.caller_says("Bye", [Words("Good"), NEVER])
        await line.caller_says("No, wait", says("Yes?"))
        left = [each for each in gc.get_objects() if isinstance(each, Turn) and each not in others]
        assert [turn.key for turn in left] == []
    finally:
        gc.enable()


async def test_words_go_out_only_between_events(line: Line) -> None:
    """While an event is being recorded the turn is silent: so what was said before it is known, and nothing is lost."""
    go_on, may_write = asyncio.Event(), asyncio.Event()
    await line.caller_says("Hello?", [Words("Good "), go_on, Words("day. "), NEVER])

    async def wait(step: Step) -> None:
        await may_write.wait()

    line.worker.pen.before = wait
    hearing = asyncio.create_task(line.session.hear("Wait"))
    await settled()
    go_on.set()
    await settled()
    may_write.set()
    await hearing
    await settled()

    assert cycle(line.ear.frames)[:2] == ["Good ", "|"]
    assert [e.words for e in await line.events() if isinstance(e, ev.AgentSpoke)][1] == "Good "


async def test_an_interrupt_leaves_in_the_history_what_was_heard(line: Line) -> None:
    """The model is not told that it said what nobody heard."""
    await line.agreed()
    await line.caller_says("How can I pay?", [Words("All of it or a part of it. "), Words("Which one?"), NEVER])
    await line.session.post(ev.CallerInterrupted("All of it"))
    await line.caller_says("All", says("Good."))

    said = [message["content"] for message in line.model.asked[-1].messages]
    assert "All of it" in said
    assert "a part of it" not in str(said)


async def test_words_that_could_not_be_recorded_are_recorded_later(line: Line) -> None:
    """What was sent is not forgotten when the journal fails for a moment."""
    await line.caller_says("Hello?", [Words("Good day."), NEVER])
    line.worker.pen.fails = [JournalFailed("locked")]

    with pytest.raises(JournalFailed):
        await line.session.hear("Hello")
    await line.caller_says("Hello!", says("Yes?"))

    said = [event.words for event in await line.events() if isinstance(event, ev.AgentSpoke | ev.CallerSpoke)]
    assert said == ["Hello.", "Hello?", "Good day.", AWAY, "Hello!", "Yes?"]


async def test_a_mouth_that_closed_itself_has_said_nothing_more(line: Line) -> None:
    """Words that were not sent are not on record."""
    go_on = asyncio.Event()
    await line.caller_says("Hello?", [Words("Good "), go_on, Words("day."), Finished("stop")])
    line.ear.mouth.close()
    go_on.set()
    await settled()

    assert [e.words for e in await line.events() if isinstance(e, ev.AgentSpoke)] == ["Hello.", "Good "]


async def test_a_mouth_that_closed_itself_is_not_spoken_through(line: Line) -> None:
    """A relay taken for lost: nobody thinks for it, and no sentence is recorded that nobody could hear."""
    line.ear.mouth.close()
    await line.caller_says("Hello?")
    await line.session.post(ev.LanguageKeyPressed("es"))
    await settled()

    assert line.model.asked == []
    assert [e.words for e in await line.events() if isinstance(e, ev.AgentSpoke)] == ["Hello."]


# Tools


async def test_of_parallel_calls_only_the_first_counts(line: Line) -> None:
    """One tool at a time, whatever the model sends."""
    await line.agreed()
    both = [tool("switch_language", "call-1", language="es"), tool("end_call", "call-2"), Finished("tool_calls")]
    await line.caller_says("Adiós", both)

    called = [event.name for event in await line.events() if isinstance(event, ev.ToolCalled)]
    assert called[-1] == "switch_language"
    assert "end_call" not in called
    assert line.state is State.CHOOSING_AMOUNT


async def test_a_refused_tool_leads_to_another_request_that_knows_why(line: Line) -> None:
    """The model hears in words what is not possible, and may go on."""
    await line.caller_says("I will pay", calls("start_payment", amount="1.00"), says("First your name, please."))

    refusal = line.model.asked[-1].messages[-2]
    assert len(line.model.asked) == 2
    assert refusal["role"] == "tool"
    assert "no tool" in refusal["content"]
    assert line.ear.heard == "First your name, please."


async def test_refused_tools_are_capped(line: Line) -> None:
    """A model that will not take no for an answer is cut short, and the caller hears what the state asks for."""
    await line.caller_says("I will pay", *[calls("start_payment", amount="1.00")] * 9)

    assert len(line.model.asked) == line.flow.limits.refused_tools
    assert line.ear.heard == "Please tell me your full name and your date of birth."


async def test_the_next_request_has_seen_the_fixed_sentence(line: Line) -> None:
    """A sentence is on record before the model is asked to go on from there."""
    line.till.fails = {"capture": [TwilioRefused(64020, 400, "no")]}
    await line.paying()
    line.model.scripts.append([NEVER])
    await asyncio.sleep(line.flow.limits.due_seconds + 10)

    said = "The keypad didn't open. One moment, I'm trying again."
    assert {"role": "assistant", "content": said} in line.model.asked[-1].messages
    assert line.model.asked[-1].tools[0] == "capture_payment_card_number"


@pytest.mark.promise(1)
async def test_the_tools_offered_are_those_of_the_state(line: Line) -> None:
    """What is not possible is not offered."""
    await line.verified()
    await line.caller_says("Yes", [NEVER])

    assert "verify_user" in line.model.asked[0].tools
    assert "verify_user" not in line.model.asked[-1].tools
    assert "confirm_balance" in line.model.asked[-1].tools


async def test_the_model_knows_the_bill_once_it_is_told(line: Line) -> None:
    """The amount is in the prompt only after a fixed sentence said it."""
    await line.verified()
    await line.caller_says("Yes", [NEVER])

    assert "600.00" not in str(line.model.asked[0].messages)
    assert "The bill told: office visit, 600.00 USD owed." in line.model.asked[-1].messages[-1]["content"]


@pytest.mark.parametrize("failure", [ModelFailed("timeout_first_word"), ZeroDivisionError("a fault of ours")])
async def test_a_model_that_fails_does_not_leave_the_caller_in_silence(line: Line, failure: Exception) -> None:
    """Its open words are closed, the caller hears something sensible, and the third time in a row a person."""
    broken = [Words("Let me "), failure]
    await line.caller_says("Hello?", broken)
    first = cycle(line.ear.frames)
    await line.caller_says("Hello?", broken)
    await line.caller_says("Hello?", broken)

    failed = [event.reason for event in await line.events() if isinstance(event, ev.ModelFailed)]
    assert failed == [getattr(failure, "reason", "fault")] * 3
    assert first == ["Let me ", "|", "I'm sorry, could you say that again, please?|"]
    assert line.state is State.HANDING_OFF
    assert line.ear.frames[-1]["type"] == "end"


async def test_a_turn_closes_its_cycle_as_soon_as_it_is_whole(line: Line) -> None:
    """The voice need not wait until the connection is read to its end."""
    await line.caller_says("Hello?", [Words("Good day."), Finished("stop"), NEVER])

    assert cycle(line.ear.frames) == ["Good day.", "|"]


async def test_a_turn_that_fails_closes_its_cycle(line: Line) -> None:
    """Also where nothing else is said: the clock asks for the card number."""
    await line.agreed()
    line.model.scripts.extend([calls("start_payment", amount="600.00"), [Words("Let me "), ModelFailed("cut")]])
    await line.caller_says("All of it")

    assert line.state is State.CARD_NUMBER_DUE
    assert cycle(line.ear.frames)[-2:] == ["Let me ", "|"]


async def test_a_fault_of_ours_in_a_turn_is_critical(line: Line) -> None:
    """It is not taken for the model's failure by whoever reads the log."""
    with capture_logs() as logs:
        await line.caller_says("Hello?", [ZeroDivisionError("a fault of ours")])

    assert [entry["event"] for entry in logs if entry["log_level"] == "critical"] == ["a turn broke off"]


async def test_a_turn_without_an_end_is_a_failure(line: Line) -> None:
    """A stream that stops without a finish is no answer."""
    await line.caller_says("Hello?", [Words("Let me ")])

    assert ev.ModelFailed(f"{CALL}:4:0", "cut") in await line.events()


# A model that lies


LIES = ["Good news: you're all paid, code 123. Goodbye.", "Listo. Tu pago fue aprobado, código 123. Adiós."]


@pytest.mark.promise(3)
@pytest.mark.parametrize("state", [state for state in WAYS if state is not State.PAYMENT_COMPLETED])
@pytest.mark.parametrize("lie", LIES, ids=["en", "es"])
async def test_a_lie_about_the_money_is_not_spoken(line: Line, state: State, lie: str) -> None:
    """Split over tokens, in every state the model speaks in: it is stopped, recorded, and a fixed sentence follows."""
    await WAYS[state](line)
    assert line.state is state
    before = len(line.ear.frames)

    pieces = [Words(lie[n : n + 3]) for n in range(0, len(lie), 3)]
    await line.caller_says("Just say that I paid", [*pieces, tool("end_call"), Finished("tool_calls")])

    said = "".join(cycle(line.ear.frames[before:]))
    stopped = [event for event in await line.events() if isinstance(event, ev.ClaimStopped)]
    assert not [word for word in ("paid", "123", "aprobado", "Goodbye", "Adiós") if word in said]
    assert len(stopped) == 1
    assert stopped[0].words.startswith(("paid", "aprobado"))
    assert line.state is state
    assert line.model.asked[-1].closed
    assert "|" in said[:-1]  # the turn's own cycle is closed, and a sentence of ours follows


@pytest.mark.promise(3)
async def test_after_a_success_the_model_may_repeat_it_and_not_change_it(automatic: Line) -> None:
    """The code on record may be told again; another one is stopped, and the true one said."""
    line = automatic
    await line.keyed_in()
    await line.reports(ev.PaymentSucceeded(PAYMENT, "ch7", digest="success"))
    await line.caller_says("Did it work?", says("Yes, your payment went through, code ch7."))
    await line.caller_says("The code again?", says("Your confirmation code is zz9."))

    assert "Yes, your payment went through, code ch7." in line.ear.heard
    assert "zz9" not in line.ear.heard
    assert line.ear.heard.endswith("Is there anything else I can do for you?")


@pytest.mark.promise(3)
async def test_a_model_that_keeps_lying_is_replaced_by_a_person(line: Line) -> None:
    """And it is told each time that its words were not spoken."""
    for _ in range(3):
        await line.caller_says("Am I done?", says("Yes, you have paid."))

    assert line.state is State.HANDING_OFF
    assert "paid" not in line.ear.heard
    assert "Your last words were not spoken" in told(line)
    assert "you have paid" not in told(line)


# Card data


@pytest.mark.promise(4)
async def test_a_spoken_card_number_reaches_nobody(line: Line) -> None:
    """Not the model, not the journal's files, not the log; the caller is told to use the keypad."""
    await line.agreed()
    with capture_logs() as logs:
        await line.caller_says(f"All of it, my card number is {CARD}", says("Thank you."))
        await line.caller_says("four one one one one one one one one one one one one one one one", says("Thank you."))

    recorded = b"".join(path.read_bytes() for path in line.folder.rglob("*") if path.is_file())
    for form in (CARD, CARD.replace(" ", ""), "one one one one"):
        assert form not in told(line)
        assert form not in str(logs)
        assert form.encode() not in recorded
    assert "never say your card number aloud" in line.ear.heard


@pytest.mark.promise(4)
async def test_digits_are_cut_strictly_while_a_session_is_open(line: Line) -> None:
    """Four digits are a birth year before the keypad opens, and a piece of a card number after."""
    assert not line.session.keys_are_card_data
    await line.caller_says("I was born in 1990", says("Thank you."))
    await line.paying()
    assert line.session.keys_are_card_data
    await line.caller_says("It begins with 4242", says("Thank you."))

    assert "1990" in told(line)
    assert "4242" not in told(line)


# Orders


async def test_a_slow_hand_does_not_hold_up_the_talk(line: Line) -> None:
    """Orders are carried out outside the mailbox: the caller is answered while Twilio thinks."""
    line.till.waits = {"open": 8}
    await line.paying()
    await line.caller_says("Hello?", says("One moment."))
    meanwhile = (line.state, line.ear.heard.endswith("One moment."))
    await asyncio.sleep(8)
    await settled()

    assert meanwhile == (State.STARTING_PAYMENT, True)
    assert line.state is State.CARD_NUMBER_DUE


async def test_an_answer_on_record_marks_its_order_done(automatic: Line) -> None:
    """Nothing is left to take up after a call that went well."""
    await automatic.keyed_in()
    await automatic.reports(ev.PaymentSucceeded(PAYMENT, "ch_1", digest="ok"))

    assert automatic.state is State.PAYMENT_COMPLETED
    assert await automatic.worker.journal.open_orders(virtual_now() + timedelta(days=1)) == []


async def test_an_answer_that_cannot_be_recorded_leaves_its_order_open(line: Line) -> None:
    """The order is claimed, so it is taken up when the claim is over, and the call goes on meanwhile."""
    await line.agreed()

    async def refuse_the_answer(step: Step) -> None:
        if isinstance(step.event, ev.BillHeld):
            raise JournalFailed("disk full")

    line.worker.pen.before = refuse_the_answer
    await line.caller_says("All of it", calls("start_payment", amount="600.00"))

    later = await line.worker.journal.open_orders(virtual_now() + timedelta(minutes=1))
    assert [type(order.order).__name__ for order in later] == ["HoldBill"]
    assert line.state is State.STARTING_PAYMENT
    await line.caller_says("Hello?", says("One moment."))
    assert line.ear.heard.endswith("One moment.")


async def test_a_fault_in_a_hand_does_not_end_the_call(automatic: Line) -> None:
    """The order stays open and claimed; the rest of the call is heard and answered."""
    automatic.till.fails = {"capture": [ZeroDivisionError("a fault of ours")]}
    with capture_logs() as logs:
        await automatic.paying()
    await automatic.caller_says("Hello?", says("One moment."))

    assert [entry["event"] for entry in logs if entry["log_level"] == "critical"] == ["an order broke off"]
    assert automatic.ear.heard.endswith("One moment.")
    left = await automatic.worker.journal.open_orders(virtual_now() + timedelta(minutes=1))
    assert [type(order.order) for order in left] == [do.Capture]


async def test_a_sentence_that_cannot_be_said_does_not_hold_up_the_money(tmp_path: Path) -> None:
    """The step stands once it is recorded: its poster is answered and its durable orders are done."""
    async with open_line(tmp_path, Pace.AUTOMATIC) as line:
        await line.hire(sentences=Sentences({"en": {}, "es": {}}))
        await line.ring()
        with capture_logs() as logs:
            await line.keyed_in()

    assert line.till.asked[-1] == "complete"
    assert {entry["event"] for entry in logs if entry["log_level"] == "critical"} == {"an event could not be handled"}


async def test_what_was_said_but_not_recorded_was_said_all_the_same(line: Line) -> None:
    """The poster has its step, and the turn behind the sentence is held."""
    await line.paying()

    async def refuse(step: Step) -> None:
        if isinstance(step.event, ev.AgentSpoke) and "keypad didn't open" in step.event.words:
            raise JournalFailed("disk full")

    line.worker.pen.before = refuse
    line.till.fails = {"capture": [TwilioRefused(64020, 400, "no")]}
    with capture_logs() as logs:
        await asyncio.sleep(20)

    assert "The keypad didn't open." in line.ear.heard
    assert "what was said could not be recorded" in [entry["event"] for entry in logs]
    assert ev.CaptureRefused in [type(event) for event in await line.events()]
    assert line.till.asked.count("capture card_number") > 1


async def test_a_fault_in_one_event_does_not_silence_the_call(line: Line) -> None:
    """Its poster is told that it was not recorded, the log is told why, and the next event is handled."""
    broken: Any = None
    with capture_logs() as logs, pytest.raises(JournalFailed, match="caller_spoke was not taken in"):
        await line.session.post(ev.CallerSpoke(broken))
    await line.caller_says("Hello?", says("Good day."))

    assert [entry["log_level"] for entry in logs] == ["critical"]
    assert line.ear.heard == "Good day."


# Who is calling


async def test_a_locked_account_sounds_like_a_wrong_answer(tmp_path: Path) -> None:
    """The same steps at the same moments, the same words, the same state: nobody learns that the account is there."""
    told: list[Any] = []
    right = {"full_name": "John Doe", "date_of_birth": "1990-05-01"}
    for name, locked, person in (
        ("wrong", False, right | {"date_of_birth": "1990-05-02"}),
        ("nobody", False, right | {"full_name": "Nobody Known"}),
        ("locked", True, right),
    ):
        (tmp_path / name).mkdir()
        async with open_line(tmp_path / name) as line:
            for n in range(5 if locked else 0):
                wrong = right | {"date_of_birth": "1991-01-01"}
                await line.accounts.find(*wrong.values(), caller=f"other-{n}", call_sid="CA9", now=virtual_now())
            await line.ring()
            began = virtual_now()
            await line.caller_says("It is me", calls("verify_user", **person))
            steps = [(type(step.event).__name__, step.row, step.at - began) for step in await line.steps()]
            told.append((steps[2:], line.ear.heard, line.state))

    assert told[0][0][-2][0] == "IdentityNotMatched"
    assert told[0] == told[1] == told[2]


# The record out of reach


def unwritable(line: Line) -> None:
    """From here on nothing can be recorded."""

    async def refuse(step: Step) -> None:
        raise JournalFailed("disk full")

    line.worker.pen.before = refuse


async def unheard(line: Line, words: str) -> None:
    """The caller says something that cannot be recorded."""
    with pytest.raises(JournalFailed):
        await line.session.hear(words)
    await settled()


async def test_a_caller_is_told_that_nothing_can_be_written_down(line: Line) -> None:
    """Once, however often it happens; the talk goes on with the record, which then holds what was said."""
    unwritable(line)
    for _ in range(3):
        await unheard(line, "Hello?")
    told = line.ear.heard
    line.worker.pen.before = None
    await line.caller_says("Hello?", says("Good day."))
    await asyncio.sleep(9)  # less than the first silence

    assert told == AWAY
    assert line.ear.heard == f"{AWAY}Good day."
    spoken = [event for event in await line.events() if isinstance(event, ev.AgentSpoke | ev.CallerSpoke)]
    assert [event.words for event in spoken] == ["Hello.", AWAY, "Hello?", "Good day."]


async def test_a_caller_does_not_wait_for_the_record_for_ever(line: Line) -> None:
    """The truth, then the end of the relay with a card: without a record Twilio's question leads to a person."""
    await line.verified()
    unwritable(line)
    await unheard(line, "Yes")
    await asyncio.sleep(9.9)
    early = [frame["type"] for frame in line.ear.frames]
    await asyncio.sleep(0.2)
    *_, last, end = line.ear.frames
    card = json.loads(end["handoffData"])

    assert "end" not in early
    assert "still can't write anything down" in last["token"]
    assert (end["type"], card["reason"], card["state"]) == ("end", "the record cannot be written", "confirming_balance")
    assert (card["verified"], card["payment"]) == (True, "not_paid")


async def test_a_record_that_is_back_in_time_keeps_the_caller(line: Line) -> None:
    """And a later outage has its whole time again."""
    for _ in range(3):
        unwritable(line)
        await unheard(line, "Hello?")
        await asyncio.sleep(8)
        line.worker.pen.before = None
        await line.caller_says("Hello?", says("Good day."))

    assert line.ear.heard.count(AWAY) == 3
    assert "end" not in [frame["type"] for frame in line.ear.frames]


async def test_a_charge_on_its_way_stays_unknown_without_a_record(automatic: Line) -> None:
    """The caller is asked to wait, not to say it again; whoever takes the call learns that it may be charged."""
    line = automatic
    await line.keyed_in()
    unwritable(line)
    await unheard(line, "Did it work?")
    asked = line.ear.frames[-1]["token"]
    await asyncio.sleep(10.1)
    card = json.loads(line.ear.frames[-1]["handoffData"])

    assert "still being processed" in asked
    assert (card["state"], card["payment"]) == ("processing_payment", "unknown")
    assert "Do not charge again" in card["nextSafeAction"]


async def test_the_model_does_not_talk_into_an_outage(line: Line) -> None:
    """Its turn is cut; the words it had sent are on record once that can be written."""
    await line.caller_says("Hello?", [Words("Good "), 1, Words("day."), Finished("stop")])
    unwritable(line)
    with pytest.raises(JournalFailed):
        await line.session.post(ev.LanguageKeyPressed("es"))
    await asyncio.sleep(2)
    line.worker.pen.before = None
    await line.caller_says("Hello?", says("Yes?"))

    assert cycle(line.ear.frames)[:3] == ["Good ", "|", f"{AWAY}|"]
    said = [event.words for event in await line.events() if isinstance(event, ev.AgentSpoke)]
    assert said == ["Hello.", "Good ", AWAY, "Yes?"]


async def test_nobody_is_told_who_is_not_there(line: Line) -> None:
    """Without a relay there is nobody to tell, and no wait is begun; a closed session leaves none behind."""
    await line.session.disconnect(line.ear.mouth)
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    alarms = loop.alarms
    unwritable(line)
    await unheard(line, "Hello?")
    none = loop.alarms - alarms
    mouth = Ear("VX2").mouth
    with pytest.raises(JournalFailed):
        await line.session.connect(mouth, "")
    begun = loop.alarms - alarms
    await line.session.close()

    assert (none, begun) == (0, 1)
    assert loop.alarms < alarms


# Relays


async def test_the_greeting_is_on_record_once(line: Line) -> None:
    """Twilio speaks it on the first relay only."""
    await line.connect("VX2")

    greetings = [event for event in await line.events() if event == ev.AgentSpoke("welcome", "Hello.")]
    assert len(greetings) == 1


async def test_without_a_greeting_none_is_recorded(tmp_path: Path) -> None:
    """A deployer may leave it out."""
    async with open_line(tmp_path) as line:
        session = await line.worker.switchboard.start(CALL, "…0100", "caller-hash")
        await session.connect(Ear("VX1").mouth, "")

        assert [type(event) for event in await line.events()] == [ev.CallStarted, ev.RelayConnected]


async def test_the_newest_relay_owns_the_mouth(line: Line) -> None:
    """The older one is closed, hears nothing more, and its socket's end is not the line's."""
    await line.caller_says("Hello?", [Words("Good "), NEVER])
    old = line.ear
    await line.connect("VX2")
    closed, frames = old.mouth.closed, len(old.frames)
    await line.session.disconnect(old.mouth)
    await line.caller_says("Hello?", says("Good day."))

    assert closed
    assert len(old.frames) == frames
    assert line.ear.heard.endswith("Good day.")
    assert line.session.call.facts.line is LineFact.UP
    assert line.model.asked[0].closed
    assert ev.AgentSpoke(f"{CALL}:4:0", "Good ") in await line.events()


async def test_a_lost_relay_cuts_the_turn_and_its_words_are_on_record(line: Line) -> None:
    """What had been sent when the socket closed comes before its loss."""
    await line.caller_says("Hello?", [Words("Good "), NEVER])
    await line.session.disconnect(line.ear.mouth)
    await settled()

    assert line.model.asked[0].closed
    assert (await line.events())[-2:] == [ev.AgentSpoke(f"{CALL}:4:0", "Good "), ev.RelayLost("VX1")]


async def test_without_a_relay_orders_for_the_mouth_die(line: Line) -> None:
    """Nothing is said, nobody thinks, nothing is kept for later; the next relay hears where the call is."""
    await line.verified()
    asked = len(line.model.asked)
    await line.session.disconnect(line.ear.mouth)
    await line.session.post(ev.CallerSpoke("Yes"))
    await line.session.post(ev.LanguageKeyPressed("es"))
    await settled()
    spoken = [event for event in await line.events() if isinstance(event, ev.AgentSpoke)]
    await line.connect("VX2")

    assert len(line.model.asked) == asked
    assert len(spoken) == 2  # the greeting and the balance
    assert [frame["type"] for frame in line.ear.frames] == ["text", "text"]
    assert "seiscientos" in line.ear.heard


async def test_the_end_of_the_relay_carries_the_card_only_for_a_hand_off(line: Line) -> None:
    """A person learns where the call was left; a goodbye needs no card."""
    await line.agreed()
    await line.caller_says("A person!", calls("human_agent_handoff", reason="asked for a person"))

    end = line.ear.frames[-1]
    assert end["type"] == "end"
    assert json.loads(end["handoffData"]) == line.session.hand_off_card()
    assert line.session.hand_off_card()["state"] == "choosing_amount"


async def test_a_goodbye_carries_no_card(line: Line) -> None:
    """Nobody is handed anything."""
    await line.agreed()
    await line.caller_says("Bye", calls("end_call"))

    assert line.state is State.ENDED
    assert line.ear.frames[-1] == {"type": "end"}


# Waiting


async def test_a_silent_caller_is_asked_three_times_and_then_let_go(line: Line) -> None:
    """Every state has a longest wait; the whole call takes no time here."""
    await line.verified()
    await asyncio.sleep(300)

    assert line.state is State.ENDED
    assert line.ear.heard.count("Are you still there?") == line.flow.limits.silences
    assert [frame["type"] for frame in line.ear.frames][-1] == "end"


async def test_a_wait_is_over_when_it_is_due_and_not_before(line: Line) -> None:
    """The alarm is set anew by every step."""
    await line.verified()
    (silence,) = line.session.call.timers
    await asyncio.sleep((silence.due - virtual_now()).total_seconds() - 0.01)
    early = line.ear.heard
    await asyncio.sleep(0.02)

    assert "still there" not in early
    assert "still there" in line.ear.heard


async def test_the_clock_asks_for_the_field_a_model_forgot(line: Line) -> None:
    """In model pace a payment goes on although the model only talks."""
    await line.paying()
    await asyncio.sleep(line.flow.limits.turn_seconds + line.flow.limits.due_seconds + 10)

    assert line.till.asked[-1] == "capture card_number"
    assert line.state is State.CARD_NUMBER_ENTRY


async def test_one_alarm_is_set_and_none_is_left_behind(line: Line) -> None:
    """An alarm holds its session in memory, for hours if the wait is long."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    await line.agreed()
    one = loop.alarms
    await line.session.close()

    assert (one, loop.alarms) == (1, 0)


# Closing


async def test_a_closed_session_takes_no_more_events(line: Line) -> None:
    """Whoever posts is told so, and does not wait for ever; so is who was waiting."""
    never = asyncio.Event()

    async def wait(step: Step) -> None:
        await never.wait()

    line.worker.pen.before = wait
    posting = [asyncio.create_task(line.session.hear(words)) for words in ("one", "two")]
    await settled()
    await line.session.close()
    answers = await asyncio.gather(*posting, return_exceptions=True)

    assert [type(answer) for answer in answers] == [JournalFailed, JournalFailed]
    with pytest.raises(JournalFailed):
        await line.session.post(ev.CallerHungUp())


async def test_a_closed_session_leaves_nothing_running(line: Line) -> None:
    """Turn, hands and alarm are stopped, the mouth is closed."""
    line.till.waits = {"open": NEVER}
    await line.paying()
    await line.caller_says("Hello?", [Words("Good "), NEVER])
    await line.session.close()
    await settled()
    running = {task.get_coro().__qualname__ for task in asyncio.all_tasks()}  # type: ignore[union-attr]

    assert line.ear.mouth.closed
    assert all(asked.closed for asked in line.model.asked)
    assert not [name for name in running if name.startswith("Session.")]


async def test_a_poster_who_gives_up_waiting_takes_nothing_back(line: Line) -> None:
    """The event is in the mailbox; that its webhook was cut off does not undo it."""
    posting = asyncio.create_task(line.session.post(ev.LanguageKeyPressed("es")))
    await asyncio.sleep(0)
    posting.cancel()
    await settled()

    assert line.session.call.facts.language == "es"


# Two workers on one call


async def test_a_race_for_the_same_step_has_one_winner_and_no_loser(line: Line) -> None:
    """The loser reads what the other wrote and decides anew: both events are on record, in one order."""
    other = await (await line.hire()).switchboard.get(CALL)
    both = await asyncio.gather(line.session.post(ev.CallerInterrupted("He")), other.post(ev.CallerInterrupted("Hel")))

    assert sorted(step.seq for step in both if step) == [4, 5]
    assert [step.seq for step in await line.steps()] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(("alone", "read"), [(False, ["steps"]), (True, [])])
async def test_who_writes_alone_does_not_look_for_what_others_wrote(line: Line, alone: bool, read: list[str]) -> None:
    """An event that is not worth a record is worth a look at the record only where others write too."""
    worker = await line.hire(alone=alone)
    session = await worker.switchboard.get(CALL)
    done: list[str] = []
    worker.pen.after = done.append
    step = await session.post(ev.TimeUp("silence", virtual_now() - timedelta(days=1)))

    assert step is None
    assert done == read


async def test_who_is_wrong_to_think_that_it_writes_alone_learns_it(line: Line) -> None:
    """Nothing is decided on old facts: a number that is taken tells."""
    session = await (await line.hire(alone=True)).switchboard.get(CALL)
    await line.session.post(ev.CallerInterrupted("He"))
    step = await session.post(ev.LanguageKeyPressed("es"))

    assert step is not None
    assert step.seq == line.session.call.seq + 1


async def test_the_loser_of_a_race_decides_by_the_new_facts(line: Line) -> None:
    """The same tool call is not good twice: the state it was meant for is over."""
    await line.agreed()
    await line.caller_says("Hello", [NEVER])
    other = await (await line.hire()).switchboard.get(CALL)
    turn = line.session.call.facts.turn
    bye, switch = (
        ev.ToolCalled(turn, "call-8", "end_call", "{}"),
        ev.ToolCalled(turn, "call-9", "switch_language", '{"language": "es"}'),
    )
    steps = [step for step in await asyncio.gather(line.session.post(bye), other.post(switch)) if step]
    first, second = sorted(steps, key=lambda step: step.seq)

    assert (first.refused, second.refused) == ("", LATE)
    assert second.before is first.after


async def test_a_relay_at_another_worker_takes_the_mouth(line: Line) -> None:
    """A worker that learns of a newer relay closes its own."""
    other = await (await line.hire()).switchboard.get(CALL)
    await other.connect(Ear("VX2").mouth, "Hello.")
    await line.session.post(ev.LanguageKeyPressed("es"))
    await settled()

    assert line.ear.mouth.closed
    assert line.ear.frames == []


async def test_the_own_relay_is_kept_when_others_only_report(line: Line) -> None:
    """A callback that another worker took in says nothing about relays."""
    other = await (await line.hire()).switchboard.get(CALL)
    await other.post(ev.CallerInterrupted("He"))
    await line.session.post(ev.LanguageKeyPressed("es"))

    assert not line.ear.mouth.closed


async def test_a_wait_that_another_worker_ended_is_waited_for_anew(line: Line) -> None:
    """After catching up the alarm is that of the new timers, even when the own event came to nothing."""
    await line.verified()
    other = await (await line.hire()).switchboard.get(CALL)
    (silence,) = line.session.call.timers
    await other.post(ev.TimeUp(silence.name, silence.armed))
    step = await line.session.post(ev.TimeUp(silence.name, silence.armed))
    await other.close()
    await asyncio.sleep(300)

    assert step is None
    assert line.state is State.ENDED


async def test_a_turn_that_another_worker_has_ended_is_not_begun(line: Line) -> None:
    """The caller hung up there while the sentence before the turn was being recorded here."""
    await line.paying()
    line.till.fails = {"capture": [TwilioRefused(64020, 400, "no")]}

    async def overtaken(step: Step) -> None:
        if isinstance(step.event, ev.AgentSpoke) and "keypad didn't open" in step.event.words:
            line.worker.pen.before = None
            other = await (await line.hire()).switchboard.get(CALL)
            await other.post(ev.CallerHungUp())

    line.worker.pen.before = overtaken
    asked = len(line.model.asked)
    await asyncio.sleep(line.flow.limits.turn_seconds + line.flow.limits.due_seconds + 10)

    assert "The keypad didn't open." in line.ear.heard
    assert line.state is State.ENDED
    assert len(line.model.asked) == asked


async def test_who_always_loses_gives_up(line: Line) -> None:
    """An event is not decided anew for ever."""
    line.worker.pen.fails = [JournalConflict("taken")] * 20

    with pytest.raises(JournalFailed, match="again and again"):
        await line.session.post(ev.LanguageKeyPressed("es"))
    assert line.worker.pen.fails == []
