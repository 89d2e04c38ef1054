from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
from flows import TEXTS, data_of, edited, with_rows

from payagent.flow import orders
from payagent.flow.limits import Limits
from payagent.flow.rows import Flow
from payagent.flow.sentences import SENTENCES
from payagent.flow.states import FINAL, MEANING, Pace, Party, Profile, State
from payagent.flow.table import build
from payagent.review.flow_file import UnreadableFlowFile, Wait, as_data, as_text, from_text

FLOWS = [build(pace, profile) for pace in Pace for profile in Profile]
FLOW = FLOWS[0]


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: f"{flow.pace}.{flow.profile}")
def test_saved_and_read_again_it_is_the_same(flow: Flow) -> None:
    """Nothing is lost on the way to a file and back, whatever the pace and the fields."""
    data = data_of(flow)

    assert from_text(as_text(data), "here") == data
    assert data.file_name == f"payment_call.{flow.pace}.{flow.profile}.json"


def test_every_state_and_row_is_in_it_word_for_word() -> None:
    """What a reviewer reads is what the code carries."""
    data = data_of(FLOW)

    assert {row.id: (row.dest, row.party, row.guards, row.orders, row.why) for row in data.rows} == {
        row.id: (
            row.dest,
            row.party,
            tuple(guard.words for guard in row.guards),
            tuple(effect.words for effect in row.effects),
            row.why,
        )
        for row in FLOW.rows
    }
    assert [(s.name, s.meaning, s.final, s.tools) for s in data.states] == [
        (state, MEANING[state], state in FINAL, FLOW.tools[state]) for state in FLOW.states
    ]
    assert (data.version, data.limits) == (FLOW.version, asdict(FLOW.limits))


def test_every_sentence_has_its_texts_in_every_language() -> None:
    """The texts are those that are spoken."""
    sentences = {sentence.name: sentence for sentence in data_of(FLOW).sentences}

    assert sentences.keys() == SENTENCES.keys()
    assert sentences["goodbye"].texts == {lang: TEXTS[lang]["goodbye"] for lang in ("en", "es")}
    assert [s.interruptible for s in sentences.values()] == [SENTENCES[name].interruptible for name in sentences]


def test_the_rows_that_order_the_charge_are_marked() -> None:
    """And no others, wherever the charge is ordered."""
    also = edited(FLOW, "caller_spoke@ready_to_complete#2", effects=(orders.think, orders.complete))

    assert [row.id for row in data_of(FLOW).rows if row.charges] == ["complete_payment_processing@ready_to_complete"]
    assert len([row for row in data_of(also).rows if row.charges]) == 2


def test_a_row_names_the_sentences_it_says() -> None:
    """Once each, in the order they are said."""
    twice = (orders.say("goodbye"), orders.think, orders.say("one_moment"), orders.say("goodbye"))
    data = data_of(edited(FLOW, "start_overdue@starting_payment#2", effects=twice))

    assert next(row.says for row in data.rows if row.id == "start_overdue@starting_payment#2") == (
        "goodbye",
        "one_moment",
    )


def test_an_effect_names_real_sentences_only() -> None:
    """What a row says is in the list of sentences."""
    named = {name for flow in FLOWS for row in flow.rows for effect in row.effects for name in effect.says}

    assert {"balance", "about_to_pay", "paid", "declined"} <= named
    assert named <= SENTENCES.keys()


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: f"{flow.pace}.{flow.profile}")
def test_every_row_of_the_clock_follows_a_wait(flow: Flow) -> None:
    """A timer that no situation asked about arms would be missing from the state's waits."""
    waits = {(state.name, wait.timer) for state in data_of(flow).states for wait in state.waits}

    assert {(row.source, row.trigger) for row in flow.rows if row.party is Party.CLOCK} <= waits


def test_a_wait_says_how_long_and_what_sets_it() -> None:
    """Read off the code that arms it: the limits that move it, and whether speech does."""
    waits = {state.name: state.waits for state in data_of(FLOW).states}

    assert waits["processing_payment"] == (
        Wait("still_working", 10, ("still_working_seconds",), False),
        Wait("line_overdue", 15, ("line_lost_seconds",), False),
        Wait("result_overdue", 60, ("unknown_seconds",), False),
    )
    assert Wait("cancel_overdue", 15, ("start_seconds", "cancel_seconds"), False) in waits["cancelling_payment"]
    assert Wait("silence", 55, ("silence_seconds", "turn_seconds", "look_up_seconds"), True) in waits["choosing_amount"]
    assert waits["ended"] == ()


def test_a_longer_limit_is_a_longer_wait() -> None:
    """Seconds are those of the table's own limits."""
    data = data_of(replace(FLOW, limits=Limits(unknown_seconds=75)))
    processing = next(state for state in data.states if state.name == State.PROCESSING_PAYMENT)

    assert Wait("result_overdue", 75, ("unknown_seconds",), False) in processing.waits


def test_the_same_table_gives_the_same_text() -> None:
    """Also when the builder lists other states first: only the order of a state's own rows counts."""
    by_source = with_rows(FLOW, sorted(FLOW.rows, key=lambda row: row.source))

    assert as_text(data_of(build())) == as_text(data_of(FLOW))
    assert data_of(by_source).rows == data_of(FLOW).rows
    sources = [row.source for row in data_of(by_source).rows]
    assert sources == sorted(sources, key=FLOW.states.index)


def test_every_row_is_a_line() -> None:
    """A changed row is one changed line in git."""
    lines = as_text(data_of(FLOW)).splitlines()
    changed = as_text(data_of(edited(FLOW, "silence@choosing_amount", why="Why."))).splitlines()

    assert any("“" in line for line in lines)
    assert sum('"trigger": ' in line and '"source": ' in line for line in lines) == len(FLOW.rows)
    assert [new for old, new in zip(lines, changed, strict=True) if old != new and '"version"' not in new] == [
        line for line in changed if '"Why."' in line
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no json", "here is not a saved table: "),
        ("[]", "here is not a saved table: "),
        ('{"format": 1}', "here is not a saved table: "),
        ('{"format": 99}', "here has format 99; this payagent reads format 1"),
        ("{}", "here has format None; this payagent reads format 1"),
    ],
)
def test_what_is_no_saved_table_is_refused(text: str, words: str) -> None:
    """With where it came from and what is wrong."""
    with pytest.raises(UnreadableFlowFile, match=words):
        from_text(text, "here")


def test_a_table_with_a_field_of_the_wrong_kind_is_refused() -> None:
    """It is not guessed at."""
    plain = json.loads(as_text(data_of(FLOW)))
    plain["rows"][0]["charges"] = "no"

    with pytest.raises(UnreadableFlowFile, match="Expected `bool`"):
        from_text(json.dumps(plain), "here")


def test_only_the_flows_languages_are_in_it() -> None:
    """A text that cannot be spoken in this flow is not signed with it."""
    data = as_data(build(languages=("es",)), TEXTS)

    assert {lang for sentence in data.sentences for lang in sentence.texts} == {"es"}
