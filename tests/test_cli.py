"""The commands: what they print, what they leave behind, and what they tell by their exit status."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import signal
import socket
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from logging_state import logging_restored
from typer.testing import CliRunner

from payagent import rehearsal
from payagent.cli import main
from payagent.flow.table import build
from payagent.lab import scenario as scenarios
from payagent.lab.brain import Brain
from payagent.lab.model import ScriptedModel
from payagent.lab.serving import serve
from payagent.review.flow_file import as_data, as_text
from payagent.review.promises import PROMISES
from payagent.review.walked import Walked
from payagent.speech import Sentences
from payagent.web.console import passwords

PAYAGENT = str(Path(sys.executable).parent / "payagent")
LONGEST = 30.0

# A line and a book that no rehearsal may touch.
REAL = {
    "TWILIO_ACCOUNT_SID": "AC" + "0f" * 16,
    "TWILIO_AUTH_TOKEN": "5e" * 16,
    "TWILIO_API_KEY": "SK" + "0f" * 16,
    "TWILIO_API_SECRET": "a real secret",
    "TWILIO_API_BASE_URL": "http://127.0.0.1:9",
    "TWILIO_WORKFLOW_SID": "WW" + "0f" * 16,
    "TRANSFER_PHONE_NUMBER": "+15559999999",
    "PUBLIC_URL": "https://pay.example.com",
    "OPENAI_API_KEY": "a real key",
    "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
    "DATABASE_URL": "sqlite:///book.db",
    "JOURNAL_KEY": "a real key of the record",
    "PACE": "automatic",
    "TIME_SCALE": "99",
    "HTTP_PROXY": "http://127.0.0.1:9",
}

BROKEN = """
name = "greeting_only"
description = "The caller hangs up at the greeting."

[[steps]]
when = "full name"
hang_up = true

[expect]
end = "caller_hung_up"
charged = ["1.00"]
"""


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run in an empty directory, and leave logging as it was found."""
    monkeypatch.chdir(tmp_path)
    with logging_restored():
        yield


def run(*arguments: str) -> tuple[int, str]:
    """Exit status and all output of a command, run in this process."""
    result = CliRunner().invoke(main, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


async def executed(*command: str, **environment: str) -> tuple[int | None, str]:
    """Exit status and all output of a process of its own, with this environment and no other."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env={"COLUMNS": "200", **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), LONGEST)
    return process.returncode, output.decode()


# call


def test_every_scenario_is_listed() -> None:
    """With what it is about."""
    status, output = run("call", "--list")

    assert status == 0
    assert [line.split()[0] for line in output.splitlines()] == scenarios.names()
    assert "John Doe owes 600 dollars and pays all of it" in output


async def test_a_whole_call_in_the_terminal(tmp_path: Path) -> None:
    """Talk, moves, tools, callbacks, the code, the money and a command that shows every step of this very call."""
    status, output = await executed(PAYAGENT, "call", "full_payment", "--scale", "0.05")

    assert status == 0, output
    for shown in (
        "agent  You owe six hundred dollars",
        "caller My name is John Doe",
        "state  confirming_balance → choosing_amount",
        "capture_payment_card_number",
        "pay    done: Capture=payment-card-number",
        "rest   create → 201",
        "confirmation code",
        "Charged 600.00 USD",
        "card ending 4242",
        "All was as expected.",
    ):
        assert shown in output
    assert "4242424242424242" not in output
    code = re.search(r"confirmation code (ch_\w+), card", output)
    assert code is not None

    (command,) = re.findall(r"See every step: +(.+)", output)
    status, trace = await executed(*shlex.split(command))
    assert status == 0, trace
    assert "payment_completed" in trace
    assert os.listdir(tmp_path) == [".lab"]


async def test_a_rehearsal_touches_nothing_real(tmp_path: Path) -> None:
    """Neither the environment nor a `.env` beside it reaches the account, the book or the pace of a real line."""
    lines = "\n".join(f"{name}={value}" for name, value in REAL.items())
    (tmp_path / ".env").write_text(f"{lines}\nDATABASE_URL=sqlite:///other.db\n")
    status, output = await executed(PAYAGENT, "call", "full_payment", "--scale", "0.05", **REAL)

    assert status == 0, output
    assert sorted(os.listdir(tmp_path)) == [".env", ".lab"]
    assert (tmp_path / ".lab" / "full_payment.db").is_file()
    assert "shall I charge" in output.replace("Shall", "shall")  # the scenario's own pace
    assert not any(value in output for value in ("a real", "pay.example.com", "5e5e"))


def test_a_call_that_is_not_as_expected_fails(tmp_path: Path) -> None:
    """Exit 1, and what was expected, what was heard and what was charged instead."""
    (tmp_path / "mine.toml").write_text(BROKEN)
    status, output = run("call", "mine.toml", "--scale", "0.01")

    assert status == 1
    assert "Nothing was charged." in output
    assert "charged: expected ['1.00'], was []" in output
    assert "Hello, and thank you for calling" in output
    assert "All was as expected" not in output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["call", "no_such"], "there is no scenario no_such; there are: balance_disputed"),
        (["call", "missing.toml"], "missing.toml"),
        (["call", "wrong.toml"], "unheard_of"),
        (["call", "bad.toml"], "bad.toml: Invalid value (at line 1"),
        (["call", "--model", "parrot"], "--model is scripted or openai"),
        (["call", "--model", "openai"], "needs OPENAI_API_KEY"),
        (["call", "--interactive", "--pace", "fast"], "--pace is model or automatic"),
        (["call", "--scale", "fast"], "--scale"),
    ],
)
def test_what_cannot_be_played_is_told(arguments: list[str], told: str, tmp_path: Path) -> None:
    """Exit 2, in words."""
    (tmp_path / "wrong.toml").write_text(BROKEN + "unheard_of = 1\n")
    (tmp_path / "bad.toml").write_text("name = = 1")
    status, output = run(*arguments)

    assert status == 2
    assert told in output
    assert "Traceback" not in output


async def test_a_real_model_can_be_rehearsed_with() -> None:
    """`--model openai` takes key, address and name from the environment; a call it cannot hold is not as expected."""
    model = ScriptedModel(Brain())
    async with serve(model) as origin:
        asked = (PAYAGENT, "call", "full_payment", "--model", "openai", "--scale", "0.05")
        there = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": f"{origin}/v1", "OPENAI_MODEL": "some-model"}
        status, output = await executed(*asked, **there)
        assert status == 0, output
        assert model.requests

        status, output = await executed(*asked, **there | {"OPENAI_BASE_URL": origin})
        assert status == 2
        assert "OPENAI_BASE_URL: must end in /v1" in output
        assert "Traceback" not in output


def test_the_demo_plays_a_full_payment_where_there_is_no_terminal() -> None:
    """As in CI: one call as text, and it ends."""
    status, output = run("demo")

    assert status == 0
    assert "Charged 600.00 USD" in output


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
async def test_the_lab_is_served_until_it_is_told_to_end(ending: signal.Signals) -> None:
    """It says where it is, answers there, and ends in good order, tabs that look on included."""
    process = await asyncio.create_subprocess_exec(
        PAYAGENT, "demo", "--port", "0", "--no-browser", env={}, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(LONGEST):
        found = re.search(
            r"The lab is at (http://127\.0\.0\.1:\d+): open it", (await process.stdout.readline()).decode()
        )
        assert found is not None
        async with httpx.AsyncClient(base_url=found[1], trust_env=False) as client:
            room = re.search(r'data-room="([^"]+)"', (await client.get("/")).text)
            assert room is not None
            async with client.stream("GET", f"/rooms/{room[1]}/news") as news:
                assert await anext(news.aiter_lines()) == "retry: 500"
                process.send_signal(ending)
                output, _ = await process.communicate()

    assert process.returncode == 0
    assert output.decode().splitlines() == ["Ctrl-C ends it.", "", "The lab is closed."]


def test_a_port_that_is_taken_is_told() -> None:
    """With what to do about it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        status, output = run("demo", "--port", str(taken.getsockname()[1]), "--no-browser")

    assert status == 2
    assert "choose another with --port" in output


# call --interactive

TALK = [
    ("full name and date of birth", "John Doe, born May 1st 1990"),
    ("Is that right", "Yes, that's right."),
    ("all of it", "/interrupt All of it, please."),
    ("key in your card number", "#4242424242424242#"),
    ("expiration date", "#1230#"),
    ("security code", "#123#"),
    ("Shall I charge", "Yes, go ahead."),
    ("anything else", "/hangup"),
]


async def test_a_person_plays_the_caller(tmp_path: Path) -> None:
    """Typed lines are said, `#` presses keys, `/interrupt` talks over, `/hangup` ends; keys are shown as dots."""
    process = await asyncio.create_subprocess_exec(
        PAYAGENT,
        "call",
        "--interactive",
        env={"COLUMNS": "200"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    output = ""
    async with asyncio.timeout(LONGEST):
        for awaited, line in TALK:
            at = len(output)
            while not re.search(rf"agent +.*{awaited}", output[at:]):
                output += (await process.stdout.readline()).decode() or pytest.fail(output)
            process.stdin.write(f"{line}\n".encode())
        output += (await process.stdout.read()).decode()

    assert await process.wait() == 0
    for shown in (
        "caller •••",
        "$      charged 600.00 USD",
        "went through",
        "the call is over: caller_hung_up",
        "trace CA",
    ):
        assert shown in output
    assert (tmp_path / ".lab" / "interactive.db").is_file()


@pytest.mark.parametrize("typed", ["/hangup\n", ""])
def test_the_end_of_the_lines_is_a_hang_up(typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said, or by closing the input."""
    reading, writing = os.pipe()
    os.write(writing, typed.encode())
    os.close(writing)
    with open(reading) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert main(["call", "--interactive"], standalone_mode=False) in (0, None)

    assert (Path(".lab") / "interactive.db").is_file()


# trace, verify, diagram, doctor


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A call's SID and the address of its record."""
    directory = tmp_path_factory.mktemp("played")
    result = asyncio.run(rehearsal.rehearse(scenarios.load("full_payment"), directory=directory, scale=0.05))
    assert result.ok, result.report()
    return result.call_sid, f"sqlite:///{directory}/full_payment.db"


def test_a_trace_shows_every_step(played: tuple[str, str]) -> None:
    """From the ring to the end, with what each step led to; nothing of the card but its last four."""
    call_sid, database = played
    status, output = run("trace", call_sid, "--database", database)

    assert status == 0
    places = ["verifying_identity", "confirming_balance", "processing_payment", "payment_completed"]
    assert sorted(places, key=output.index) == places
    assert not any(secret in output for secret in ("4242424242424242", "1230#", "1990-05-01"))


def test_a_call_that_is_not_there_cannot_be_traced(played: tuple[str, str]) -> None:
    """Exit 1 for an unknown call, 2 for a record that does not exist; none is made."""
    status, output = run("trace", "CA" + "0" * 32, "--database", played[1])
    assert (status, "There is no call CA" in output) == (1, True)

    status, output = run("trace", played[0], "--database", "sqlite:///nothing.db")
    assert (status, "there is no record at sqlite:///nothing.db" in output) == (2, True)
    assert list(Path().iterdir()) == []


def test_a_whole_record_is_called_whole(played: tuple[str, str]) -> None:
    """One call or all of them."""
    for which in (played[0], "--all"):
        status, output = run("verify", which, "--database", played[1])

        assert status == 0
        assert output.startswith("The record is whole.")


def test_a_record_that_was_changed_is_found_out(played: tuple[str, str], tmp_path: Path) -> None:
    """Exit 1, naming the call."""
    copy = tmp_path / "changed.db"
    shutil.copy(played[1].removeprefix("sqlite:///"), copy)
    with sqlite3.connect(copy) as db:
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        db.execute("DELETE FROM steps WHERE seq = 9")
    db.close()
    status, output = run("verify", "--all", "--database", f"sqlite:///{copy}")

    assert status == 1
    assert played[0] in output
    assert "The record is not whole." in output


@pytest.mark.parametrize("arguments", [[], ["CA1", "--all"]])
def test_verify_wants_one_call_or_all(arguments: list[str]) -> None:
    """Not neither, not both."""
    assert run("verify", *arguments) == (2, "Name one call, or give --all or --flow.\n")


@pytest.mark.promise(9)
def test_diagrams_are_written_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fresh set passes the check; one that was touched is named and fails it. (The walk has its own tests.)"""
    monkeypatch.setattr("payagent.review.pack.walk_all", lambda flows: [Walked() for _ in flows])
    status, output = run("diagram", "drawn")
    assert status == 0
    assert all(Path(line).is_file() for line in output.splitlines())
    assert run("diagram", "drawn", "--check") == (0, "")

    touched = next(Path("drawn").glob("*.dot"))
    touched.write_text(touched.read_text() + "// by hand\n")
    status, output = run("diagram", "drawn", "--check")
    assert status == 1
    assert touched.name in output


def test_the_flow_is_proved_on_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 0 while every promise holds, 1 and the promise's name when one is broken."""
    monkeypatch.setattr("payagent.review.walks.walk_all", lambda flows: [Walked() for _ in flows])
    status, output = run("verify", "--flow")
    assert (status, "Every promise holds" in output) == (0, True)

    broken = PROMISES[0].words
    monkeypatch.setattr("payagent.review.walks.walk_all", lambda flows: [Walked(broken={broken: []}) for _ in flows])
    status, output = run("verify", "--flow")
    assert (status, f"BROKEN        0 times  {broken}" in output) == (1, True)


def test_what_changed_since_a_saved_flow_is_told() -> None:
    """Nothing, for the table that was saved; a name that is neither file nor revision is told in words."""
    saved = as_data(build(), Sentences.load(None).texts)
    Path(saved.file_name).write_text(as_text(saved), "utf-8")

    status, output = run("diagram", "--since", saved.file_name)
    assert (status, "nothing changed" in output) == (0, True)

    assert run("diagram", "--since", "no-such-revision")[0] == 2


@pytest.fixture
def loosened() -> str:
    """A saved table from which today's differs by a charge that asks less."""
    saved = as_data(build(), Sentences.load(None).texts)
    rows = tuple(replace(r, guards=(*r.guards, "it rains")) if r.charges else r for r in saved.rows)
    Path("before.json").write_text(as_text(replace(saved, rows=rows)), "utf-8")
    return "before.json"


@pytest.mark.needs("graphviz")
def test_what_changed_is_drawn_beside_the_flow(loosened: str) -> None:
    """After the words, with the place said; exit 1 for it loosens. Never into the folder of the flow's own drawings."""
    status, output = run("diagram", "--since", loosened)
    told, *drawn = output.split("drawn: ")
    refused, why = run("diagram", "fsm_diagrams", "--since", loosened, "--output", "./fsm_diagrams")

    assert (status, "LOOSENS  charge" in told) == (1, True)
    assert [name.strip() for name in drawn] == [f".lab/changes/changes.model.card.{f}" for f in ("dot", "svg", "png")]
    assert all(Path(name.strip()).is_file() for name in drawn)
    assert (refused, "name another folder" in why) == (2, True)
    assert not Path("fsm_diagrams").exists()
    assert run("diagram", "--output", "there")[0] == 2


def test_without_graphviz_the_changes_are_told_all_the_same(loosened: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words, the DOT, how to get Graphviz; the exit status is of what changed."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    status, output = run("diagram", "--since", loosened, "-o", "there")

    assert status == 1
    assert "LOOSENS  charge" in output
    assert "drawn: there/changes.model.card.dot" in output
    assert "apt install graphviz" in output
    assert "The pictures' text (.dot) is written." in output
    assert [path.name for path in Path("there").iterdir()] == ["changes.model.card.dot"]


def test_the_doctor_names_what_is_missing() -> None:
    """Exit 1; with no setting given it tries nothing else."""
    status, output = run("doctor")

    assert status == 1
    assert "FAIL" in output
    assert "TWILIO_AUTH_TOKEN" in output
    assert "Nothing stands in the way" not in output


def test_without_a_command_help_is_given() -> None:
    """It names every command."""
    status, output = run()

    assert status in (0, 2)
    for command in ("serve", "call", "demo", "doctor", "trace", "verify", "diagram"):
        assert command in output


# console-password


def test_console_password_makes_an_entry_of_the_setting() -> None:
    """Its hash is of that password, and the password is not shown."""
    done = CliRunner().invoke(main, ["console-password", "ann", "--stdin"], input="a few plain words\n")
    name, _, text = done.stdout.strip().partition(":")

    assert (done.exit_code, name) == (0, "ann")
    assert passwords.read(text).fits("a few plain words")
    assert not passwords.read(text).fits("a few plain words ")
    assert "a few plain words" not in done.output


@pytest.mark.parametrize(
    ("name", "password", "said"),
    [("ann smith", "a few plain words", "A name is"), ("ann", "too short", "12 characters or more")],
)
def test_console_password_says_what_it_cannot_use(name: str, password: str, said: str) -> None:
    """A name that the setting would not take, and a password that is guessed too soon."""
    done = CliRunner().invoke(main, ["console-password", name, "--stdin"], input=f"{password}\n")

    assert done.exit_code == 2
    assert said in done.output


def test_console_password_asks_twice() -> None:
    """For one who types it."""
    done = CliRunner().invoke(main, ["console-password", "ann"], input="a few plain words\n" * 2)

    assert done.exit_code == 0
    assert "ann:scrypt." in done.output
