"""The board, the search, the totals and their CSV: what is shown first, what is not lost, what cannot harm."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from office import UNKNOWN, Operator, begun, console, paid, text_of, unknown

from payagent.flow import events as ev
from payagent.flow.money import Money
from payagent.flow.states import State
from payagent.journal.protocol import DayTotals
from payagent.testing import ACCOUNT, START, PracticeCall
from payagent.web.console import board, export, searching
from payagent.web.console.board import Board

SCRIPT = "<script>alert(1)</script>"


def sid(n: int) -> str:
    """A call SID."""
    return f"CA{n:032x}"


def known_of(answer: httpx.Response) -> str:
    """The version that a page shows."""
    (version,) = re.findall(r'data-known="(\w+)"', answer.text)
    return str(version)


def handed_off(call_sid: str, after: float = 0) -> PracticeCall:
    """A call whose caller asked for a person `after` seconds."""
    call = begun(call_sid)
    call.say("a person, please", after=after)
    call.tool("human_agent_handoff", reason="=cmd|' /C calc'!A1")
    return call


def rows(answer: httpx.Response) -> list[dict[str, str]]:
    """The rows of a CSV."""
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


# The board


async def test_the_board_is_found_with_a_slash_behind_it_too(ann: Operator) -> None:
    """As people type it."""
    led = await ann.get("/console/")

    assert (led.status_code, led.headers["location"]) == (303, "/console")


async def test_an_empty_board_says_that_nothing_is_owed(ann: Operator) -> None:
    """In words, with a way to earlier calls."""
    words = text_of(await ann.get("/console"))

    assert "0 calls now" in words
    assert "Nothing is owed an answer" in words
    assert "Nobody is on the line" in words


async def test_the_board_shows_first_what_needs_a_person(ann: Operator) -> None:
    """Unknown outcomes, then overdue waits, then hand-offs; each call once, the longest wait first."""
    late, waiting = begun(sid(1)), handed_off(sid(2), after=69)
    await ann.write(waiting, late, paid(sid(3)), unknown(sid(5), after=1), unknown(sid(4)))
    ann.clock.go_on(seconds=1)
    page = (await ann.get("/console")).text
    needs = re.findall(r'<tr role="row" id="need-(CA\w+)" class="([\w-]+)"', page)

    assert needs == [
        (sid(4), "unknown"),
        (sid(5), "unknown"),
        (sid(1), "overdue"),
        (sid(3), "overdue"),
        (sid(2), "hand-off"),
    ]


async def test_a_call_needs_a_person_once_and_not_before_the_sweep_has_had_its_time(ann: Operator) -> None:
    """An unknown outcome whose wait is over stays one line; a wait that is just over is none yet."""
    await ann.write(unknown(), begun(sid(1)))
    ann.clock.now = START + timedelta(seconds=13)  # the silence is over since three seconds
    early = re.findall(r'id="need-CA\w+" class="([\w-]+)"', (await ann.get("/console")).text)
    ann.clock.go_on(minutes=5)
    later = re.findall(r'id="need-CA\w+" class="([\w-]+)"', (await ann.get("/console")).text)

    assert early == ["unknown"]
    assert later == ["unknown", "overdue"]


async def test_the_board_counts_and_tells_the_time_against_the_longest_wait(ann: Operator) -> None:
    """Calls by state with a way to them; time in state beside the first running wait; money, card, tries, language."""
    call = paid(sid(1))
    await ann.write(call)
    ann.clock.go_on(seconds=4)
    page = await ann.get("/console")
    words = text_of(page)
    (wait,) = {timer.due - call.now for timer in call.call.timers}

    assert "1 call now" in words
    assert "payment completed 1" in words
    assert f"0:04 / 0:{wait.seconds:02}" in words
    assert "600.00 USD visa •••• 4242" in words
    assert "1 paid of 1 call today" in words
    assert 'href="/console/calls?state=payment_completed&amp;live=on"' in page.text
    assert f'max="1" value="{4 / wait.total_seconds():.2f}"' in page.text


async def test_the_board_is_sent_anew_only_when_something_happened(ann: Operator) -> None:
    """204 for as long as nothing but time goes on; then the part that changes."""
    call = begun(sid(1))
    await ann.write(call)
    known = known_of(await ann.get("/console"))
    ann.clock.go_on(seconds=2)
    same = await ann.get(f"/console?known={known}")
    call.say("hello", after=3)
    await ann.journal.append(call.steps[-1])
    ann.clock.go_on(seconds=2)
    more = await ann.get(f"/console?known={known}")

    assert same.status_code == 204
    assert more.status_code == 200
    assert "<html" not in more.text
    assert known_of(more) != known

    call.say("again", after=3)
    await ann.journal.append(call.steps[-1])
    ann.clock.go_on(seconds=2)
    last = await ann.get(f"/console?known={known_of(more)}")

    assert known_of(last) not in (known, known_of(more))


class CountingJournal:
    """A record without calls that counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        async def ask(*args: object, **more: object) -> Sequence[Any] | dict[State, int]:
            self.asked.append(name)
            return {} if name == "states" else []

        return ask


async def test_however_many_look_the_record_is_asked_once_a_second() -> None:
    """One look for all viewers; the day's totals every ten seconds, and anew after midnight."""
    look_out, journal, now = Board(), CountingJournal(), START.replace(hour=23, minute=59, second=58)
    for _ in range(100):
        await look_out.look(journal, now)  # type: ignore[arg-type]
    once = len(journal.asked)
    await look_out.look(journal, now + timedelta(seconds=1))  # type: ignore[arg-type]
    again = journal.asked[once:]
    await look_out.look(journal, now + timedelta(seconds=3))  # type: ignore[arg-type]

    assert once == 5
    assert again.count("states") == 1
    assert again.count("totals") == 0
    assert journal.asked.count("totals") == 2


async def test_a_board_of_thousands_shows_some_and_says_so(ann: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages stay small, whatever the line carries."""
    monkeypatch.setattr(board, "MOST", 10)
    await ann.write(*(handed_off(sid(n)) for n in range(13)))
    page = await ann.get("/console")

    assert page.text.count('id="need-') == 10
    assert page.text.count('id="call-') == 10
    assert "All 13" in text_of(page)
    assert "There are more" in text_of(page)


async def test_account_names_and_reasons_are_words_and_no_markup(ann: Operator) -> None:
    """On the board, in the search and in its form."""
    call = begun(sid(1))
    call.say("Ada Payer")
    call.tool("verify_user", full_name="x y", date_of_birth="1990-05-01")
    call.answer(ev.IdentityMatched, account=replace(ACCOUNT, id=SCRIPT))
    await ann.write(call)
    pages = [
        await ann.get(path) for path in ("/console", "/console/calls", f"/console/calls?account={SCRIPT}&call={SCRIPT}")
    ]

    assert all("<script>alert" not in page.text for page in pages)
    assert all("&lt;script&gt;alert(1)" in page.text for page in pages)


# The search


async def test_calls_are_found_by_sid_account_date_outcome_and_state(ann: Operator) -> None:
    """Each alone, and all together."""
    other = begun(sid(3))
    await ann.write(paid(sid(1)), unknown(sid(2)), other)

    async def found(query: str) -> list[str]:
        return sorted(re.findall(r'id="call-(CA\w+)"', (await ann.get(f"/console/calls?{query}")).text))

    assert await found("") == [sid(1), sid(2), sid(3)]
    assert await found(f"call=%20{sid(1)}%20") == [sid(1)]
    assert await found("account=A-1") == [sid(1), sid(2)]
    assert await found("outcome=paid") == [sid(1)]
    assert await found("state=payment_outcome_unknown") == [sid(2)]
    assert await found("since=2026-01-01&until=2026-01-01") == [sid(1), sid(2), sid(3)]
    assert await found("since=2026-01-02") == []
    assert await found("until=2025-12-31") == []
    assert await found(f"live=on&outcome=unknown&account=A-1&call={sid(2)}&since=2026-01-01") == [sid(2)]
    assert await found("outcome=nonsense&state=nonsense&before=nonsense") == [sid(1), sid(2), sid(3)]
    assert "No call fits" in text_of(await ann.get("/console/calls?account=nobody"))


async def test_a_day_that_is_none_is_said_to_be_so(ann: Operator) -> None:
    """At its field, with how to write it; the CSV says it too."""
    for day in ("31.1.2026", "2026-02-30", "0001-01-01", "9999-12-31", "' OR 1=1"):
        for path in ("/console/calls", "/console/totals", "/console/calls.csv", "/console/totals.csv"):
            answer = await ann.get(f"{path}?since={day}")

            assert answer.status_code == 400, (path, day)
            assert "Write the day as 2026-01-31." in text_of(answer)


async def test_pages_follow_each_other_without_loss_or_repeat(ann: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where calls began at the very same moment; the search goes along."""
    monkeypatch.setattr(searching, "PAGE", 5)
    await ann.write(*(begun(sid(n)) for n in range(12)))
    path, seen, pages = "/console/calls?live=on", list[str](), 0
    while path:
        page = (await ann.get(path)).text
        seen += re.findall(r'id="call-(CA\w+)"', page)
        following = re.findall(r'rel="next" href="([^"]+)"', page)
        path = following[0].replace("&amp;", "&") if following else ""
        pages += 1
        assert not path or "live=on" in path

    assert pages == 3
    assert sorted(seen) == [sid(n) for n in range(12)]


# Totals


async def test_totals_are_of_days_and_of_all_of_them(ann: Operator) -> None:
    """Calls, paid, amounts by currency, declined, cancelled, unknown; the last thirty days by themselves."""
    await ann.write(paid(sid(1)), paid(sid(2)), unknown(sid(3)))
    words = text_of(await ann.get("/console/totals"))

    assert "2026-01-01 3 2 1,200.00 USD 0 0 1" in words
    assert "Together 3 2 1,200.00 USD 0 0 1" in words
    assert "No call began on these days." in text_of(await ann.get("/console/totals?until=2025-12-31"))


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("since=2026-01-02&until=2026-01-01", "after the last"),
        ("since=2024-01-01&until=2026-01-01", "366 days at most"),
    ],
)
async def test_days_that_cannot_be_added_up_are_said_to_be_so(ann: Operator, query: str, words: str) -> None:
    """A whole year is the most."""
    answer = await ann.get(f"/console/totals?{query}")

    assert answer.status_code == 400
    assert words in text_of(answer)


# CSV


async def test_every_call_found_is_exported(ann: Operator) -> None:
    """The same search, all of its pages."""
    await ann.write(paid(sid(1)), unknown(sid(2)), *(begun(sid(n)) for n in range(3, 6)))
    answer = await ann.get("/console/calls.csv")
    every = {row["call"]: row for row in rows(answer)}
    some = rows(await ann.get("/console/calls.csv?outcome=unknown"))

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="payagent-calls.csv"'
    assert sorted(every) == [sid(n) for n in range(1, 6)]
    assert [row["call"] for row in some] == [sid(2)]
    assert {name: every[sid(1)][name] for name in ("outcome", "amount", "currency", "last_four", "account")} == {
        "outcome": "paid",
        "amount": "600.00",
        "currency": "USD",
        "last_four": "4242",
        "account": "A-1",
    }


async def test_an_export_goes_on_behind_each_portion(ann: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many calls there are."""
    monkeypatch.setattr(export, "AT_ONCE", 7)
    await ann.write(*(begun(sid(n)) for n in range(15)))

    assert sorted(row["call"] for row in rows(await ann.get("/console/calls.csv"))) == [sid(n) for n in range(15)]


async def test_an_account_that_a_spreadsheet_would_run_is_text(ann: Operator) -> None:
    """Account ids come from elsewhere; of a hand-off only its cause is in the file, not the model's words for it."""
    call = begun(sid(1))
    call.say("Ada Payer")
    call.tool("verify_user", full_name="x y", date_of_birth="1990-05-01")
    call.answer(ev.IdentityMatched, account=replace(ACCOUNT, id="=cmd|' /C calc'!A1"))
    await ann.write(handed_off(sid(2)), call)
    handed, found = rows(await ann.get("/console/calls.csv"))

    assert (handed["reason"], found["account"]) == ("human_agent_handoff", "'=cmd|' /C calc'!A1")


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\tx", "\r=1", "\n=1", "  =1", "|x", "%x", "＝1", '"', "a,b", "a\r\nb"],  # noqa: RUF001
)
def test_no_cell_is_run_and_none_leaves_its_place(cell: str) -> None:
    """Whatever it holds, what is read back is that text, with an apostrophe where it would run."""
    runs = cell.strip()[:1] in "=+-@|%＝" or cell[0] in "\t\r\n"  # noqa: RUF001

    ((first, second),) = csv.reader(io.StringIO(export.written([[cell, "next"]]), newline=""))

    assert second == "next"
    assert first == (f"'{cell}" if runs else cell)


def test_a_day_with_two_currencies_has_two_rows_that_add_up() -> None:
    """Counts stand in the first one only."""
    amounts = (Money(Decimal("1.00"), "EUR"), Money(Decimal("2.50"), "USD"))
    text = export.days([DayTotals(START.date(), 4, 2, amounts, 1, 0, 1), DayTotals(START.date(), 1, 0, (), 0, 1, 0)])
    told = list(csv.reader(io.StringIO(text)))

    assert told[1:] == [
        ["2026-01-01", "4", "2", "1.00", "EUR", "1", "0", "1"],
        ["2026-01-01", "", "", "2.50", "USD", "", "", ""],
        ["2026-01-01", "1", "0", "", "", "0", "1", "0"],
    ]


async def test_the_days_are_exported(ann: Operator) -> None:
    """The same as on the page."""
    await ann.write(paid(sid(1)))
    (row,) = rows(await ann.get("/console/totals.csv"))

    assert row == {
        "day": "2026-01-01",
        "calls": "1",
        "paid": "1",
        "amount": "600.00",
        "currency": "USD",
        "declined": "0",
        "cancelled": "0",
        "unknown": "0",
    }


@pytest.mark.promise(4)
async def test_no_page_of_many_calls_shows_more_of_a_card_than_its_last_four(ann: Operator) -> None:
    """Nor a date of birth, nor what was said."""
    await ann.write(paid(sid(1)), unknown(UNKNOWN))
    for path in ("/console", "/console/calls", "/console/totals", "/console/calls.csv", "/console/totals.csv"):
        # Tokens and digests are hexadecimal or base64: letters, and now and then many digits in a row.
        page = re.sub(r'CA\w{32}|"(?=[^"]*[a-z])[\w.:-]{16,}"', "", (await ann.get(path)).text)

        assert not re.search(r"1990|May|this much|\d{13}", page)


# Several workers


@pytest.mark.needs("postgresql")
async def test_any_worker_serves_any_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres_url: str) -> None:
    """On PostgreSQL: a log-in at one is good at the other, and what is resolved at one is not resolved at the other."""
    shared = {"DATABASE_URL": postgres_url, "JOURNAL_KEY": "shared by the workers"}
    async with console(tmp_path, monkeypatch, **shared) as one, console(tmp_path, monkeypatch, **shared) as other:
        await one.write(unknown(), paid(sid(1)))
        other.clock.now = one.clock.now
        await one.log_in()
        for cookie in one.client.cookies.jar:
            other.client.cookies.jar.set_cookie(cookie)
        await other.app.state.desk.switchboard.get(UNKNOWN)  # it has the session, and does not hear of the next step
        token = await other.token(f"/console/calls/{UNKNOWN}")
        first = await one.resolve(outcome="not_paid", why="not in the list")
        form = {"token": token, "outcome": "paid", "reference": "ch_1", "why": "seen"}
        second = await other.client.post(f"/console/calls/{UNKNOWN}/outcome", data=form)
        pages = [await other.get(path) for path in ("/console", "/console/calls?outcome=unknown", "/console/totals")]
        exported = rows(await other.get("/console/calls.csv"))

    assert (first.status_code, second.status_code) == (303, 409)
    assert [page.status_code for page in pages] == [200] * 3
    assert "No call fits" in text_of(pages[1])
    assert "2026-01-01 2 1 600.00 USD 0 1 0" in text_of(pages[2])
    assert {row["call"]: row["outcome"] for row in exported} == {sid(1): "paid", UNKNOWN: "cancelled"}
