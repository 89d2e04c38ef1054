from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace

from flows import TEXTS, data_of

from payagent.flow.sentences import SENTENCES
from payagent.flow.states import MEANING, Pace, Profile, State
from payagent.flow.table import build
from payagent.review import dictionary, evidence, flow_file, page
from payagent.review.dictionary import cases, markdown
from payagent.review.evidence import Proof, Proofs
from payagent.review.flow_file import FlowData, SavedRow

TABLES = [data_of(build(pace, profile)) for pace in Pace for profile in Profile]
WALKS = [Proofs(t.table, 2979, 336208, (Proof(2, "at most one charge", 41),)) for t in TABLES]


def written(tables: Sequence[FlowData] = TABLES) -> str:
    return markdown(tables, WALKS, {2: ("tests/test_money.py::test_once",)})


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next one of its level."""
    level = heading.partition(" ")[0]
    _, _, rest = f"\n{text}".partition(f"\n{heading}\n")
    assert rest, f"there is no {heading}"
    return rest.partition(f"\n{level} ")[0]


def test_the_same_tables_give_the_same_document() -> None:
    """So that a stale one can be told by its text."""
    assert written() == written([data_of(build(pace, profile)) for pace in Pace for profile in Profile])


def test_every_table_is_named_with_its_version_and_picture() -> None:
    """The version is the one the steps of a call carry."""
    head = written().partition("## Who can cause a charge")[0]

    for data in TABLES:
        assert f"| `{data.table}` | `{data.version}` | {len(data.states)} | {len(data.rows)} |" in head
        assert f"(payment_call.{data.table}.svg)" in head


def test_who_can_cause_a_charge_is_a_short_list() -> None:
    """Each cause once, with all that must hold; a new one appears by itself."""
    charges = section(written(), "## Who can cause a charge")
    conditions = next(row.guards for row in TABLES[0].rows if row.charges)

    assert charges.count("\n- **") == 2
    assert "- **model**, by `complete_payment_processing` in [`ready_to_complete`](#ready_to_complete)." in charges
    assert "".join(f"    - {words}\n" for words in conditions) in charges
    rows = tuple(_charging(row) for row in TABLES[0].rows)
    others = section(markdown([replace(TABLES[0], rows=rows)], [], {}), "## Who can cause a charge")
    assert "- **clock**, by `silence` in " in others
    assert "- **model**" not in others


def _charging(row: SavedRow) -> SavedRow:
    return replace(row, charges=row.trigger == "silence", guards=())


def test_a_charge_on_no_condition_says_so() -> None:
    """An empty list would read like an oversight."""
    rows = tuple(_charging(row) for row in TABLES[0].rows)

    assert "What must hold:\n    - nothing\n" in markdown([replace(TABLES[0], rows=rows)], [], {})


def test_every_row_appears() -> None:
    """Each row of each table stands once in a list of moves, and each of those lists is written out."""
    found = cases(TABLES)
    moves = section(written(), "## Moves")

    listed = [(table, f"{case[0][0]}@{source}", n) for case, at in found.items() for table, source in at for n in case]
    assert len(listed) == sum(len(data.rows) for data in TABLES)
    assert len([line for line in moves.splitlines() if line[:1].isdigit()]) == sum(map(len, found))
    for data in TABLES:
        for row in data.rows:
            case = next(c for c, at in found.items() if c[0][0] == row.trigger and (data.table, row.source) in at)
            assert (row.trigger, row.party, row.guards, row.dest or "", row.orders, row.why) in case
            assert f" *{page.text(row.why)}*" in moves
            assert page.listed(row.guards) in moves
            assert page.listed(row.orders) in moves


def test_a_move_is_written_with_all_a_reviewer_asks() -> None:
    """Cause, place, conditions, destination, orders and reason; under the party that may cause it."""
    row = next(row for row in TABLES[0].rows if row.charges)
    model = section(section(written(), "## Moves"), "### Caused by model: by a tool it calls")

    assert (
        "`complete_payment_processing` in [`ready_to_complete`](#ready_to_complete):\n\n"
        f"1. **to [`processing_payment`](#processing_payment)**, if {'; '.join(row.guards)}."
        f" Orders: {'; '.join(row.orders)}. *{row.why}*\n"
    ) in model
    causes = [line.split("`")[1] for line in model.splitlines() if line.startswith("`")]
    assert causes == sorted(causes)


def test_what_holds_in_some_tables_only_says_in_which() -> None:
    """A state of one pace, a tool of some fields, a move of one table."""
    text = written()

    assert f"{MEANING[State('ready_to_complete')]} (pace model only)." in text
    assert f"{MEANING[State('postal_code_entry')]} (fields card_postal_code only)." in text
    assert "`capture_postal_code` (fields card_postal_code only)" in section(text, "### `ready_to_complete`")
    assert "(automatic.card only)" in section(text, "## Moves")
    assert " only)" not in markdown(TABLES[:1], [], {})


def test_many_states_are_named_by_those_left_out() -> None:
    """A move from all states but one is not a list of twenty, and one from all is no list."""
    identified = replace(TABLES[0], states=tuple(s for s in TABLES[0].states if s.name != "verifying_identity"))

    assert "`relay_connected` in every state but " in section(written(), "## Moves")
    assert "`earlier_payment_succeeded` in every state:" in section(markdown([identified], [], {}), "## Moves")


def test_a_state_says_what_a_reviewer_asks() -> None:
    """Its meaning, its waits and what follows them, its tools, its sentences in each language, what is recorded."""
    state = section(written(), "### `processing_payment`")

    assert state.startswith(f"\n{MEANING[State('processing_payment')]}.\n")
    assert (
        "| `result_overdue` | 60 s | `unknown_seconds` | say “unknown_outcome” → [`payment_outcome_unknown`]" in state
    )
    assert "| `line_overdue` | 15 s | `line_lost_seconds` | recorded in place |" in state
    assert "**Tools offered:** none, and no model turn runs." in state
    assert f"| `declined` | `complete_refused`, `payment_failed` | {TEXTS['en']['declined']} |" in state
    assert f"| {TEXTS['es']['declined']} |" in state
    assert "**Recorded:** `caller_spoke`, " in state
    assert "`time_up`" in state
    assert "silence has not lasted too often: say “are_you_there”, else say “goodbye_silence”" in written()
    assert "| `silence` | 55 s after speech |" in section(written(), "### `choosing_amount`")


def test_the_last_state_says_that_it_is_never_left() -> None:
    """Where nothing is waited for and nothing is said."""
    ended = section(written(), "### `ended`")

    assert f"{MEANING[State('ended')]}. A call never leaves it." in ended
    assert "**Longest wait:** none." in ended
    assert "**Spoken:** nothing." in ended


def test_every_sentence_stands_in_every_language() -> None:
    """Those no row names have a section of their own, which is absent when there are none."""
    text = written()

    for name in SENTENCES:
        for language in ("en", "es"):
            assert page.text(TEXTS[language][name]) in text
    rows = tuple(replace(row, says=tuple(SENTENCES)) for row in TABLES[0].rows)
    assert "## Sentences that no row names" not in markdown([replace(TABLES[0], rows=rows)], [], {})


def test_limits_proofs_and_tests_are_in_it() -> None:
    """A limit that differs between the tables shows every value."""
    text = written()
    longer = replace(TABLES[1], limits={**TABLES[1].limits, "silences": 4})

    assert "| `hand_off_seconds` | 14400 |" in section(text, "## Limits")
    assert "| `silences` | 3, 4 |" in markdown([TABLES[0], longer], [], {})
    assert "| 2 | at most one charge | 41 | 41 | 41 | 41 |" in section(text, "## Proofs")
    assert "`tests/test_money.py::test_once`" in section(text, "## Promises, rows and tests")


def test_what_is_recorded_is_the_recorders_own_list() -> None:
    """Field by field; words are apart from the record."""
    recorded = section(written(), "## What is recorded")

    assert "| `caller_spoke` | `card_cut`, `words` (apart from the record) |" in recorded
    assert "| `look_up_identity` | \N{EN DASH} |" in recorded
    assert "The arguments of `verify_user` and of tools there are not are written as `{}`" in recorded


def test_nothing_is_typed_twice() -> None:
    """No words of a state, guard, order, reason or sentence stand in the code that writes the document."""
    code = "".join(inspect.getsource(module) for module in (dictionary, evidence, flow_file, page))
    words = {
        *MEANING.values(),
        *(words for data in TABLES for row in data.rows for words in (*row.guards, row.why)),
        *(words for data in TABLES for row in data.rows for words in row.orders),
        *(text for texts in TEXTS.values() for text in texts.values()),
    }

    assert [some for some in words if some in code] == []


def test_the_document_becomes_a_page_with_every_link_inside_it() -> None:
    """Each link leads to a heading that is there."""
    html = page.html(written(), {f"payment_call.{data.table}.svg": "<svg/>" for data in TABLES})
    links = {part.partition('"')[0] for part in html.split('href="#')[1:]}
    ids = {part.partition('"')[0] for part in html.split(' id="')[1:]}

    assert links
    assert links <= ids
