"""`trace`, `verify` and `diagram` on the command line: their forms, and what they say by their exit status."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from logging_state import logging_restored
from typer.testing import CliRunner

from payagent import rehearsal, wiring
from payagent.cli import main
from payagent.errors import NoGraphviz
from payagent.flow.states import State
from payagent.journal.sqlite import SqliteJournal
from payagent.lab import scenario as scenarios
from payagent.review import pack

SETTINGS = {
    "TWILIO_ACCOUNT_SID": "AC" + "0f" * 16,
    "TWILIO_AUTH_TOKEN": "5e" * 16,
    "TWILIO_API_KEY": "SK" + "0f" * 16,
    "TWILIO_API_SECRET": "a secret",
    "TRANSFER_PHONE_NUMBER": "+15559999999",
    "PUBLIC_URL": "https://pay.example.com",
    "OPENAI_API_KEY": "a key",
    "JOURNAL_KEY": wiring.LAB_KEY,
    "TIME_SCALE": "0.05",
}


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run in an empty directory, and leave logging as it was found."""
    monkeypatch.chdir(tmp_path)
    with logging_restored():
        yield


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A call's SID and the address of its record."""
    directory = tmp_path_factory.mktemp("played")
    result = asyncio.run(rehearsal.rehearse(scenarios.load("nothing_owed"), directory=directory, scale=0.05))
    assert result.ok, result.report()
    return result.call_sid, f"sqlite:///{directory}/nothing_owed.db"


def run(*arguments: str) -> tuple[int, str]:
    """Exit status and all output of a command, run in this process."""
    result = CliRunner().invoke(main, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def no_graphviz(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "pygraphviz", None)


def other_step(database: str, copy: Path, call_sid: str) -> str:
    """A copy of the record in good order, one step of which today's table would not decide so; its address."""

    async def write() -> None:
        journals = [
            SqliteJournal(Path(p), wiring.LAB_KEY.encode()) for p in (database.removeprefix("sqlite:///"), copy)
        ]
        for journal in journals:
            await journal.open()
        steps = await journals[0].steps(call_sid)
        moved = next(n for n, step in enumerate(steps) if step.after is State.CONFIRMING_BALANCE)
        for step in [*steps[:moved], replace(steps[moved], orders=())]:
            await journals[1].append(step)
        for journal in journals:
            await journal.close()

    asyncio.run(write())
    return f"sqlite:///{copy}"


def test_a_trace_as_plain_data(played: tuple[str, str]) -> None:
    """Nothing else is printed, so that other programs can read it."""
    status, output = run("trace", played[0], "--json", "--database", played[1])

    assert status == 0
    assert json.loads(output)["call"] == played[0]


def test_a_trace_as_a_page_is_written_to_a_file(played: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing is printed; without Graphviz the page says so."""
    no_graphviz(monkeypatch)

    assert run("trace", played[0], "--html", "--output", "call.html", "--database", played[1]) == (0, "")

    text = Path("call.html").read_text("utf-8")
    assert text.startswith("<!doctype html>")
    assert "apt install graphviz" in text


def test_a_trace_as_text_is_written_to_a_file(played: tuple[str, str]) -> None:
    """What would have been printed."""
    _, printed = run("trace", played[0], "--database", played[1])

    assert run("trace", played[0], "-o", "call.txt", "--database", played[1]) == (0, "")
    assert Path("call.txt").read_text("utf-8") == printed


@pytest.mark.skipif(not any(Path(p, "dot").exists() for p in ("/usr/bin", "/usr/local/bin")), reason="no Graphviz")
def test_a_trace_as_a_drawing(played: tuple[str, str]) -> None:
    """One SVG."""
    status, output = run("trace", played[0], "--svg", "--database", played[1])

    assert status == 0
    assert ElementTree.fromstring(output).tag.endswith("svg")


def test_a_drawing_without_graphviz_fails_in_words(played: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 1, and how to get one."""
    no_graphviz(monkeypatch)

    status, output = run("trace", played[0], "--svg", "--database", played[1])

    assert (status, "apt install graphviz" in output) == (1, True)


def test_a_trace_has_one_form_and_a_place(played: tuple[str, str]) -> None:
    """Two forms are none; a file that cannot be written is said."""
    assert run("trace", played[0], "--svg", "--json", "--database", played[1])[0] == 2

    status, output = run("trace", played[0], "--json", "--output", "no/where.json", "--database", played[1])
    assert (status, "no/where.json" in output) == (1, True)


@pytest.mark.parametrize("which", ["one", "--all"])
def test_a_rehearsal_s_record_is_whole_and_decided_the_same(which: str, played: tuple[str, str]) -> None:
    """A lab's waits are shorter, and known from its record."""
    status, output = run("verify", played[0] if which == "one" else which, "--database", played[1])

    assert (status, output) == (0, "The record is whole. Today's table decides every step of it the same.\n")


def test_a_line_s_own_settings_decide(played: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its key, its limits and its waits, where there are settings that can be used."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    same = run("verify", "--all", "--database", played[1])
    monkeypatch.setenv("JOURNAL_KEY", "another line's key of the record")
    foreign = run("verify", "--all", "--database", played[1])

    assert same == (0, "The record is whole. Today's table decides every step of it the same.\n")
    assert (foreign[0], "The record is not whole." in foreign[1]) == (1, True)


@pytest.mark.parametrize("which", ["one", "--all"])
def test_what_today_s_table_decides_otherwise_is_shown(which: str, played: tuple[str, str], tmp_path: Path) -> None:
    """By call and step; the record is whole all the same, so exit 0."""
    database = other_step(played[1], tmp_path / "other.db", played[0])

    status, output = run("verify", played[0] if which == "one" else which, "--database", database)

    assert status == 0
    difference, verdict = output.splitlines()
    assert difference.startswith(f"call {played[0]} step ")
    assert difference.endswith("orders now ReadBills")
    assert verdict == "The record is whole. Today's table decides 1 step otherwise."


def test_a_broken_record_cannot_be_decided_again(played: tuple[str, str], tmp_path: Path) -> None:
    """It is named, the others are looked at all the same, and the chain's problems decide the exit status."""
    database = other_step(played[1], tmp_path / "broken.db", played[0])
    with sqlite3.connect(tmp_path / "broken.db") as db:
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        db.execute("DELETE FROM steps WHERE seq = 2")
    db.close()

    status, output = run("verify", "--all", "--database", database)

    assert status == 1
    assert f"call {played[0]}: cannot be decided again" in output
    assert "The record is not whole." in output


def test_a_call_that_is_not_there_is_not_whole(played: tuple[str, str]) -> None:
    """Nothing was verified."""
    status, output = run("verify", "CA" + "0" * 32, "--database", played[1])

    assert (status, "not on the record" in output) == (1, True)


def test_diagrams_without_graphviz_fail_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 1, and how to get one. That the texts are written all the same is `render`'s and `pack`'s promise."""

    def write(*arguments: object) -> list[Path]:
        raise NoGraphviz

    monkeypatch.setattr(pack, "write", write)

    status, output = run("diagram", "drawn")

    assert (status, "apt install graphviz" in output) == (1, True)


def test_hostile_plays_and_prints_what_it_checked() -> None:
    """One table after the other; no promise broken, exit 0."""
    status, output = run("hostile", "--steps", "150", "--seed", "3")

    assert status == 0
    assert output.count("seed 3: ") == 4
    assert "held" in output
    assert "BROKEN" not in output
