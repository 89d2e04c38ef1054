"""The composition root: what is built from which setting, and that whatever was opened is closed again."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from pydantic import SecretStr

from payagent import wiring
from payagent.accounts.sql import SqlAccounts
from payagent.doctor import Finding, examine
from payagent.errors import AccountsFailed, JournalFailed, SettingsError, SpeechError
from payagent.flow.states import State
from payagent.journal.protocol import Search
from payagent.journal.sqlite import SqliteJournal
from payagent.lab.serving import bind, serve
from payagent.settings import Settings
from payagent.testing.line import ModelUp, TwilioUp

WORKFLOW = "WW" + "0c" * 16
NUMBER = "+15550177"


def given(**changes: object) -> Settings:
    """A full set of settings with these changes."""
    values: dict[str, object] = {
        "TWILIO_ACCOUNT_SID": "AC" + "0a" * 16,
        "TWILIO_AUTH_TOKEN": "ab" * 16,
        "TWILIO_API_KEY": "SK" + "0b" * 16,
        "TWILIO_API_SECRET": "cd" * 16,
        "TWILIO_WORKFLOW_SID": WORKFLOW,
        "TWILIO_API_BASE_URL": "http://127.0.0.1:9",
        "OPENAI_API_KEY": "lab",
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
        "PUBLIC_URL": "https://pay.example.test",
    }
    return Settings.only(values | changes)


def at(directory: Path, **changes: object) -> Settings:
    """The same, with its database in this directory."""
    return given(DATABASE_URL=f"sqlite:///{directory}/payagent.db", **changes)


@pytest.mark.parametrize(
    ("changes", "routes"),
    [
        ({}, ("queue",)),
        ({"TRANSFER_PHONE_NUMBER": NUMBER}, ("queue", "dial")),
        ({"TRANSFER_PHONE_NUMBER": NUMBER, "TWILIO_WORKFLOW_SID": ""}, ("dial",)),
    ],
)
def test_a_workflow_wins_over_a_number(changes: dict[str, str], routes: tuple[str, ...]) -> None:
    """The routes to a person, in the order they are tried."""
    assert tuple(wiring.flow_of(given(**changes)).routes) == routes


def test_the_table_is_the_one_that_is_asked_for() -> None:
    """Pace, profile, languages and waits are the settings'."""
    default = wiring.flow_of(given())
    other = wiring.flow_of(given(PACE="automatic", PROFILE="card_postal_code", SILENCE_SECONDS="20", TIME_SCALE="0.5"))

    assert State.CARD_NUMBER_DUE in default.states
    assert State.CARD_NUMBER_DUE not in other.states
    assert (State.POSTAL_CODE_ENTRY in default.states, State.POSTAL_CODE_ENTRY in other.states) == (False, True)
    assert (default.limits.silence_seconds, other.limits.silence_seconds) == (10, 10)
    assert other.limits.entry_total_seconds == 150
    assert default.languages == ("en", "es")


def test_a_voice_that_does_not_fit_is_named_by_its_setting() -> None:
    """All at once: Twilio would end every call for it."""
    wrong = {"EN_TTS_PROVIDER": "Parrot", "EN_LANGUAGE": "english", "ES_SPEECH_MODEL": "nova-2-general"}
    with pytest.raises(SettingsError) as refused:
        wiring.relay_of(given(**wrong))

    named = {problem.split(":")[0] for problem in refused.value.problems}
    assert named == {"EN_TTS_PROVIDER", "EN_LANGUAGE", "ES_SPEECH_MODEL"}
    with pytest.raises(SettingsError, match="ES_LANGUAGE: a language is given twice"):
        wiring.relay_of(given(ES_LANGUAGE="en-US"))


def test_keys_are_reported_only_where_one_has_a_meaning() -> None:
    """A blank `LANGUAGE_KEYS` turns detection off."""
    assert wiring.relay_of(given()).dtmf_detection
    assert not wiring.relay_of(given(LANGUAGE_KEYS="")).dtmf_detection


def test_what_cannot_be_built_is_told_before_anything_is_opened(tmp_path: Path) -> None:
    """A folder without sentences, voices that do not fit: no file is made for them."""
    (tmp_path / "en.toml").write_text("balance = 'You owe {amount} and {nonsense}.'\n")
    with pytest.raises(SpeechError):
        wiring.application(at(tmp_path, SENTENCES_DIR=str(tmp_path)))
    with pytest.raises(SettingsError, match="ES_TTS_PROVIDER"):
        wiring.application(at(tmp_path, ES_TTS_PROVIDER="Parrot"))

    assert [path.name for path in tmp_path.iterdir()] == ["en.toml"]


async def test_the_app_lets_go_of_what_it_opened(tmp_path: Path) -> None:
    """When it stops, no thread of its databases is left, and another process may take the file."""
    before = set(threading.enumerate())
    app = wiring.application(at(tmp_path))
    async with app.router.lifespan_context(app):
        assert await app.state.desk.journal.search(Search()) == []

    assert [thread.name for thread in set(threading.enumerate()) - before if "accounts" in thread.name] == []
    with pytest.raises(JournalFailed):
        await app.state.desk.journal.search(Search())


async def test_a_second_app_on_a_file_that_is_served_does_not_start(tmp_path: Path) -> None:
    """However it is started: both would think that nobody else writes."""
    first, second = (wiring.application(at(tmp_path)) for _ in range(2))
    async with first.router.lifespan_context(first):
        with pytest.raises(JournalFailed, match="end that one first"):
            async with second.router.lifespan_context(second):
                pytest.fail("it started")


@pytest.mark.parametrize("what", ["a folder", "no database", "accounts"])
async def test_a_database_that_cannot_be_used_stops_the_start(what: str, tmp_path: Path) -> None:
    """And whatever was open by then is closed: the start can be tried again at once."""
    file = tmp_path / "payagent.db"
    if what == "a folder":
        file.mkdir()
    elif what == "no database":
        file.write_text("no database, " * 100)
    else:
        spoil_accounts(file)
    before = set(threading.enumerate())
    app = wiring.application(at(tmp_path))

    with pytest.raises((JournalFailed, AccountsFailed)):
        async with app.router.lifespan_context(app):
            pytest.fail("it started")
    assert [thread.name for thread in set(threading.enumerate()) - before if "accounts" in thread.name] == []


def spoil_accounts(file: Path) -> None:
    """A file whose book of accounts is something else, while its journal could be opened."""
    with sqlite3.connect(file) as db:
        db.execute("CREATE VIEW accounts AS SELECT 1 AS id")
        db.execute("CREATE TABLE bills (x)")
    db.close()


@pytest.mark.parametrize(
    ("changes", "filled"),
    [
        ({}, True),
        ({"DEMO_ACCOUNTS": "no"}, False),
        ({"TWILIO_API_BASE_URL": "https://api.twilio.com"}, False),
        ({"TWILIO_API_BASE_URL": "https://api.twilio.com", "DEMO_ACCOUNTS": "yes"}, True),
    ],
)
async def test_demo_accounts_are_for_stand_ins(changes: dict[str, str], filled: bool, tmp_path: Path) -> None:
    """A real line's book stays empty, unless it is asked for."""
    app = wiring.application(at(tmp_path, **changes))
    async with app.router.lifespan_context(app):
        pass

    book = SqlAccounts(tmp_path / "payagent.db")
    await book.open()
    found = await book.bills("A-1001")
    await book.close()
    assert bool(found) is filled


def test_the_records_key_is_the_lines_or_the_labs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`verify` works beside a line's `.env`, and without any settings on what the lab left."""
    monkeypatch.chdir(tmp_path)
    assert wiring.journal_key_here() == wiring.LAB_KEY.encode()

    values = {name: getattr(given(), name) for name in ("twilio_account_sid", "twilio_api_key", "twilio_workflow_sid")}
    values |= {"TWILIO_AUTH_TOKEN": "ab" * 16, "TWILIO_API_SECRET": "cd", "OPENAI_API_KEY": "lab"}
    values |= {"PUBLIC_URL": "https://pay.example.test", "JOURNAL_KEY": "the line's own"}
    (tmp_path / ".env").write_text("".join(f'{name.upper()}="{value}"\n' for name, value in values.items()))
    assert wiring.journal_key_here() == b"the line's own"


async def test_the_doctor_can_try_everything(
    tmp_path: Path, stand_in_twilio: TwilioUp, scripted_model: ModelUp
) -> None:
    """On a line that runs nothing is in trouble; once it is gone, all that reaches out is."""
    async with stand_in_twilio() as (twilio, rest), scripted_model() as (_, thinking):
        listener = bind()
        account = twilio.account
        settings = at(
            tmp_path,
            TWILIO_ACCOUNT_SID=account.account_sid,
            TWILIO_AUTH_TOKEN=account.auth_token,
            TWILIO_API_KEY=account.api_key,
            TWILIO_API_SECRET=account.api_secret,
            TWILIO_API_BASE_URL=rest,
            OPENAI_BASE_URL=thinking,
            PUBLIC_URL=listener.origin,
        )
        async with serve(wiring.application(settings), listener):
            well = await examine(lambda: settings, wiring.probes_of)
        gone = await examine(lambda: settings, wiring.probes_of)
        wrong = settings.model_copy(update={"twilio_api_secret": SecretStr("guessed")})
        refused = await examine(lambda: wrong, wiring.probes_of)

    assert [finding for finding in well if finding.ok is False] == []
    assert {"database", "Twilio REST", "model"} <= {finding.name for finding in well if finding.ok}
    assert trouble(gone)
    assert not {"database", "Twilio REST", "model"} & trouble(gone)
    assert "Twilio REST" in trouble(refused)
    broken = await examine(lambda: settings, wiring.probes_of)
    assert {"Twilio REST", "model"} <= trouble(broken)
    assert "guessed" not in str(refused)


def trouble(findings: list[Finding]) -> set[str]:
    """The names of what is in trouble."""
    return {finding.name for finding in findings if finding.ok is False}


async def test_a_line_seals_its_record(tmp_path: Path) -> None:
    """A step cut off after the line has ended is found, and so is a whole call."""
    settings = at(tmp_path)
    app = wiring.application(settings)
    async with app.router.lifespan_context(app):
        await app.state.desk.switchboard.start("CA" + "1" * 32, "***0100", "hash")
    with sqlite3.connect(tmp_path / "payagent.db") as db:
        db.execute("DROP TRIGGER steps_no_delete")
        for table in ("steps", "words", "calls"):
            db.execute(f"DELETE FROM {table}")
    db.close()
    journal = SqliteJournal(tmp_path / "payagent.db", settings.journal_secret)
    await journal.open()
    problems = await journal.verify_all()
    await journal.close()

    assert problems == [f"call CA{'1' * 32} step 1: missing, and seal 1 covers it"]
