"""A call's page: what it shows and never shows, and what a person says of an unknown payment."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from card_search import ON_PURPOSE
from office import OTHER, OTHER_PASSWORD, UNKNOWN, Operator, Watch, begun, console, paid, text_of, unknown

from payagent.accounts.sql import SqlAccounts
from payagent.errors import JournalFailed
from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.states import Outcome, State
from payagent.flow.table import build
from payagent.review import render
from payagent.testing import ACCOUNT, BILL, START, PracticeCall
from payagent.web.console.telling import told

HERE = f"/console/calls/{UNKNOWN}"
PAID = "CA" + "08" * 16
SCRIPT = "<script>alert(1)</script>"


async def test_a_calls_page_tells_the_whole_call(ann: Operator) -> None:
    """State, time, account, money, card, hand-off card, integrity, path and every step."""
    await ann.write(paid(PAID))
    answer = await ann.get(f"/console/calls/{PAID}")
    words = text_of(answer)

    for told_ in (
        "payment completed",
        "Ada Payer ( A-1 )",
        "600.00 USD",
        "visa •••• 4242",
        "Confirmation ch_1",
        "Next safe action The payment went through. Do not charge again.",
        "The record Whole",
        "payment_succeeded",
        "CreditBill B-1",
    ):
        assert told_ in words
    assert len(re.findall(r'<li id="step-\d+">', answer.text)) == len(await ann.steps(PAID))


@pytest.mark.needs("graphviz")
async def test_the_path_is_drawn_over_the_diagram(ann: Operator) -> None:
    """The states it was in are lit, and their numbers lead to the steps."""
    await ann.write(paid(PAID))
    page = (await ann.get(f"/console/calls/{PAID}")).text

    assert page.count("<svg") == 2
    assert 'id="state-payment_completed"' in page
    assert 'href="#step-1"' in page


async def test_without_graphviz_a_page_says_so_and_shows_the_rest(
    ann: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time line needs none."""
    await ann.write(paid(PAID))
    monkeypatch.setattr(render.shutil, "which", lambda name: None)
    monkeypatch.setattr(render.importlib.util, "find_spec", lambda name: None)
    answer = await ann.get(f"/console/calls/{PAID}")

    assert answer.text.count("<svg") == 1
    assert "apt install graphviz" in text_of(answer)


async def test_a_call_of_another_pace_is_drawn_by_its_own_table(ann: Operator) -> None:
    """A line whose settings changed still shows its old calls right."""
    from payagent.flow.states import Pace

    call = PracticeCall(build(Pace.AUTOMATIC), PAID).verify().agree().start().open()
    call.key_in_card()
    await ann.write(call)
    words = text_of(await ann.get(f"/console/calls/{PAID}"))

    assert "processing payment" in words
    assert "Not in the drawing" not in words


async def test_what_the_caller_says_and_the_accounts_name_are_words_and_no_markup(ann: Operator) -> None:
    """Whoever says or is called `<script>` is shown so."""
    call = begun(PAID)
    call.say("Ada Payer, first of May 1990")
    call.tool("verify_user", full_name="x y", date_of_birth="1990-05-01")
    call.answer(ev.IdentityMatched, account=replace(ACCOUNT, name=SCRIPT, id='A"><img src=x onerror=alert(1)>'))
    call.say(f"{SCRIPT} and \"quotes' &amp;")
    await ann.write(call)
    answer = await ann.get(f"/console/calls/{PAID}")

    assert "<script>alert" not in answer.text
    assert "<img" not in answer.text
    assert answer.text.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 2


async def test_no_birth_date_and_no_run_of_digits_is_shown(ann: Operator, tmp_path: Path) -> None:
    """What is spoken is masked as in a trace, even if the record kept more than it should."""
    (tmp_path / ON_PURPOSE).touch()
    call = paid(PAID)
    call.post(ev.CallerSpoke("I was born 1990-05-01, number 9876 5432 1098 7654"))
    call.post(ev.AgentSpoke("turn", "your number is 8765432109876543"))
    await ann.write(call)
    page = (await ann.get(f"/console/calls/{PAID}")).text

    assert "•••• •••• •••• ••••" in page
    assert not re.search(r"1990|9876|8765", re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL))


async def test_a_call_that_is_not_on_record_is_said_to_be_so(ann: Operator) -> None:
    """404 in words, for the page, its updates and its form."""
    answers = [await ann.get(HERE), await ann.post(f"{HERE}/outcome", "/console/nothing", outcome="not_paid", why="x")]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert "No call of that number is on the record." in text_of(answers[0])


async def test_a_page_is_sent_anew_only_when_the_call_went_on(ann: Operator) -> None:
    """204 while there are as many steps as are known; then the part that changes."""
    call = unknown()
    await ann.write(call)
    steps = len(call.steps)
    same, more = await ann.get(f"{HERE}?known={steps}"), await ann.get(f"{HERE}?known={steps - 1}")
    odd = await ann.get(f"{HERE}?known=x")

    assert (same.status_code, more.status_code, odd.status_code) == (204, 200, 200)
    assert "<html" not in more.text
    assert f'data-known="{steps}"' in more.text


async def test_a_changed_record_is_said_to_be_so(ann: Operator, tmp_path: Path) -> None:
    """The check names the step."""
    await ann.write(unknown())
    _sql(tmp_path, "UPDATE steps SET record = replace(record, '120.00', '121.00') WHERE seq = 10")
    words = text_of(await ann.get(HERE))

    assert "record not whole" in words
    assert f"call {UNKNOWN} step 10: changed" in words


async def test_a_hand_off_says_why_without_digits(ann: Operator) -> None:
    """The model's words for it come from a caller's."""
    call = begun(PAID)
    call.say("a person, please")
    call.tool("human_agent_handoff", reason="account 9876 5432 1098 does not work")
    await ann.write(call)
    words = text_of(await ann.get(f"/console/calls/{PAID}"))

    assert "What the person who takes this call is told." in words
    assert "Reason account •••• •••• •••• does not work" in words
    assert "Caller verified no" in words


async def test_a_record_with_a_step_missing_is_shown_as_far_as_it_goes(ann: Operator, tmp_path: Path) -> None:
    """Without the facts and without the form: they would be guesses."""
    await ann.write(unknown())
    _sql(tmp_path, "DELETE FROM steps WHERE seq = 10")
    answer = await ann.get(HERE)
    words = text_of(answer)

    assert answer.status_code == 200
    assert f"call {UNKNOWN} step 10: missing" in words
    assert "Steps are missing, so the call cannot be told whole" in words
    assert "Record it" not in words
    assert "Hand-off card" not in words


async def test_a_record_that_cannot_be_read_is_said_to_be_so(ann: Operator, tmp_path: Path) -> None:
    """What is wrong with it is still found."""
    await ann.write(unknown())
    _sql(tmp_path, "UPDATE steps SET record = 'x' WHERE seq = 10")
    answer = await ann.get(HERE)

    assert answer.status_code == 500
    assert f"call {UNKNOWN} step 10: unreadable" in text_of(answer)


async def test_a_database_that_does_not_answer_is_said_to_be_so(ann: Operator) -> None:
    """503 in words."""
    await ann.write(unknown())
    page = await ann.get(HERE)
    await ann.journal.close()
    answer = await ann.client.post(f"{HERE}/outcome", data={"token": re.findall(r'"([0-9a-f]{64})"', page.text)[0]})

    assert answer.status_code == 503
    assert "The database does not answer" in text_of(answer)
    with pytest.raises(JournalFailed):
        await ann.steps()


def _sql(folder: Path, statement: str) -> None:
    """Somebody with the database at hand changes it."""
    with sqlite3.connect(folder / "payagent.db") as db:
        for name in ("steps_no_update", "steps_no_delete"):
            db.execute(f"DROP TRIGGER {name}")
        db.execute(statement)
    db.close()


# An unknown outcome is resolved


@pytest.mark.parametrize(
    ("outcome", "becomes", "owed"), [("paid", Outcome.PAID, "480.00"), ("not_paid", Outcome.CANCELLED, "600.00")]
)
async def test_a_person_resolves_an_unknown_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: str, becomes: Outcome, owed: str
) -> None:
    """It is on the record with who and why; the bill is credited or freed by the table's own row."""
    call = unknown()
    (hold,) = call.ordered(do.HoldBill)
    assert isinstance(hold, do.HoldBill)
    async with console(tmp_path, monkeypatch) as ann, _book(tmp_path) as book:
        await book.hold(hold.bill, hold.payment, hold.account, START)
        await ann.write(call)
        await ann.log_in()
        watch = Watch(ann)
        answer = await ann.resolve(outcome=outcome)
        await watch.seen(ev.BillCredited if outcome == "paid" else ev.BillReleased)
        last = next(step for step in reversed(await ann.steps()) if isinstance(step.event, ev.OutcomeResolved))
        words = text_of(await ann.get(HERE))
        (bill,) = await book.bills(hold.account)
        refused = await book.hold(hold.bill, "another payment", hold.account, START)

    reference = "ch_77" if outcome == "paid" else ""
    assert (answer.status_code, answer.headers["location"]) == (303, f"{HERE}#resolved")
    assert last.event == ev.OutcomeResolved(outcome, reference, "ann", "Seen in the processor's list.")
    assert told([*call.steps, last], build()).outcome is becomes
    assert "By ann" in words
    assert "Seen in the processor's list." in words
    assert "Was the card charged?" not in words
    assert str(bill.owed) == f"{owed} USD"
    assert refused == ""


@asynccontextmanager
async def _book(folder: Path) -> AsyncIterator[SqlAccounts]:
    """The app's book, with the practice call's account and bill in it."""
    book = SqlAccounts(folder / "payagent.db")
    await book.open()
    await book.add(ACCOUNT, date(1990, 5, 1), [BILL])
    yield book
    await book.close()


async def test_a_form_sent_twice_does_nothing_twice(ann: Operator) -> None:
    """The second of two equal ones is taken for the first."""
    await ann.write(unknown())
    token = await ann.token(HERE)
    form = {"token": token, "outcome": "paid", "reference": "ch_77", "why": "seen"}
    answers = [await ann.client.post(f"{HERE}/outcome", data=form) for _ in range(2)]
    said = [step for step in await ann.steps() if isinstance(step.event, ev.OutcomeResolved)]

    assert [answer.status_code for answer in answers] == [303, 303]
    assert len(said) == 1


async def test_what_is_resolved_is_not_resolved_otherwise(ann: Operator) -> None:
    """A second person is told in words; nothing is ordered."""
    await ann.write(unknown())
    token = await ann.token(HERE)
    await ann.resolve(outcome="not_paid")
    await ann.log_in(OTHER, OTHER_PASSWORD)
    late = await ann.client.post(
        f"{HERE}/outcome",
        data={"token": await ann.token("/console/nothing"), "outcome": "paid", "reference": "ch_1", "why": "seen"},
    )
    said = [step for step in await ann.steps() if isinstance(step.event, ev.OutcomeResolved)]

    assert token
    assert late.status_code == 409
    assert "outcome is not unknown any more" in text_of(late)
    assert [bool(step.refused) for step in said] == [False, True]
    assert said[-1].orders == ()


async def test_a_late_success_settles_it_before_a_person_does(ann: Operator) -> None:
    """The processor's word stands; the person is told so."""
    call = unknown()
    call.report(ev.PaymentSucceeded, confirmation="ch_1")
    await ann.write(call)
    late = await ann.post(f"{HERE}/outcome", HERE, outcome="not_paid", why="not in the list")

    assert late.status_code == 409
    assert "Confirmation ch_1" in text_of(late)
    assert call.state is State.PAYMENT_COMPLETED


async def test_a_form_that_cannot_be_taken_says_why_and_loses_nothing(ann: Operator) -> None:
    """What was filled in is still there; nothing is on the record."""
    await ann.write(unknown())
    for changes, words in (
        ({"outcome": ""}, "Choose whether the card was charged."),
        ({"outcome": "maybe"}, "Choose whether the card was charged."),
        ({"reference": " "}, "Enter the charge's reference"),
        ({"reference": "=HYPERLINK(1)"}, "Use letters, digits"),
        ({"reference": "r" * 65}, "64 at most"),
        ({"reference": "4242 4242 4242 4242"}, "looks like a card number"),
        ({"why": "  \n "}, "Say where you looked"),
        ({"why": "w" * 501}, "500 characters at most"),
        ({"why": "the card is 4242424242424242"}, "looks like a card number"),
    ):
        answer = await ann.resolve(**{"why": "Looked at the list"} | changes)

        assert answer.status_code == 422, changes
        assert words in text_of(answer)
        assert ("Looked at the list" in answer.text) is ("why" not in changes)
    assert not any(isinstance(step.event, ev.OutcomeResolved) for step in await ann.steps())


async def test_what_is_not_paid_needs_no_reference(ann: Operator) -> None:
    """One that was left in the field is not recorded."""
    await ann.write(unknown())
    await ann.resolve(outcome="not_paid", reference="left over", why="not in batch 98765")
    last = (await ann.steps())[-1].event

    assert "98765" not in text_of(await ann.get(HERE))

    assert isinstance(last, ev.OutcomeResolved)
    assert last.reference == ""
