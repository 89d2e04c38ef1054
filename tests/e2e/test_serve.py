"""`payagent serve` as it is run: a process of its own, told everything by its environment, with stand-ins beyond it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from pathlib import Path

import httpx
import pytest
from served import LONGEST, PAYAGENT, SCALE, environment, running

from payagent.accounts.sql import SqlAccounts
from payagent.lab import scenario as scenarios
from payagent.lab.caller import play, scripted_model, stand_in
from payagent.lab.serving import bind, serve

TOKEN = "5e" * 16


@pytest.mark.parametrize("streaming", ["true", "false"])
async def test_a_payment_on_a_line_that_is_told_all_by_its_environment(streaming: str, tmp_path: Path) -> None:
    """Played with any stand-ins, with a streaming model and without; SIGTERM ends it in good order."""
    scenario = scenarios.load("full_payment")
    twilio, model = stand_in(scenario, scale=SCALE), scripted_model(scenario)
    async with serve(twilio) as rest, serve(model) as model_origin, twilio:
        settings = environment(rest, model_origin, OPENAI_STREAMING=streaming)
        async with running(tmp_path, settings) as line:
            twilio.point_at(line.origin)
            result = await play(scenario, twilio, model=model, scale=SCALE)
            async with httpx.AsyncClient(base_url=line.origin, trust_env=False) as client:
                ready = await client.get("/readyz")

            assert result.ok, result.report()
            assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
            assert await line.stop() == 0

    assert await owed(tmp_path / "payagent.db", "A-1001") == 0
    log = "".join(line.log)
    assert [each for each in ("ab" * 16, "cd" * 16, "4242424242424242", "Traceback") if each in log] == []


async def owed(database: Path, account: str) -> int:
    """How many bills the account has open."""
    book = SqlAccounts(database)
    await book.open()
    try:
        return len(await book.bills(account))
    finally:
        await book.close()


async def test_a_talk_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """SIGTERM waits for the caller, but not for ever: the relay is closed, and Twilio asks what to do elsewhere."""
    scenario = scenarios.load("full_payment")
    twilio, model = stand_in(scenario, scale=SCALE), scripted_model(scenario)
    async with (
        serve(twilio) as rest,
        serve(model) as model_origin,
        twilio,
        running(tmp_path, environment(rest, model_origin, DRAIN_SECONDS="0.5")) as line,
    ):
        twilio.point_at(line.origin)
        call = await twilio.place_call()
        await call.say("Hello?")
        assert await call.until(lambda: len(call.spoken) == 2, LONGEST)
        assert await line.stop() == 0

    assert "Traceback" not in "".join(line.log)


async def test_a_caller_may_finish_while_the_line_drains(tmp_path: Path) -> None:
    """After SIGTERM `/readyz` says so, the call goes on to its end, and then the process ends."""
    scenario = scenarios.load("full_payment")
    twilio, model = stand_in(scenario, scale=SCALE), scripted_model(scenario)
    async with (
        serve(twilio) as rest,
        serve(model) as model_origin,
        twilio,
        running(tmp_path, environment(rest, model_origin)) as line,
    ):
        twilio.point_at(line.origin)
        playing = asyncio.create_task(play(scenario, twilio, model=model, scale=SCALE))
        await line.logs("caller_spoke")
        line.process.send_signal(signal.SIGTERM)
        await line.logs("draining")
        async with httpx.AsyncClient(base_url=line.origin, trust_env=False) as client:
            ready = await client.get("/readyz")
        result = await playing
        status = await asyncio.wait_for(line.process.wait(), LONGEST)

    assert (ready.status_code, ready.json()) == (503, {"status": "draining"})
    assert result.ok, result.report()
    assert status == 0


async def refused(directory: Path, environment: dict[str, str], *arguments: str) -> tuple[int | None, str]:
    """Exit status and all output of a `payagent serve` that must not start."""
    process = await asyncio.create_subprocess_exec(
        PAYAGENT,
        "serve",
        *arguments,
        cwd=directory,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), LONGEST)
    return process.returncode, output.decode()


REQUIRED = ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_API_KEY", "TWILIO_API_SECRET", "OPENAI_API_KEY"]


def named(output: str) -> set[str]:
    """The settings that begin a line of the output."""
    return set(re.findall(r"^\s*([A-Z_]+):", output, re.MULTILINE))


async def test_missing_settings_are_all_named_at_once(tmp_path: Path) -> None:
    """Exit 2, each with what to do."""
    status, output = await refused(tmp_path, {})

    assert status == 2
    assert named(output) == {*REQUIRED, "PUBLIC_URL", "TWILIO_WORKFLOW_SID"}
    assert output.count("needed:") == len(named(output))
    assert os.listdir(tmp_path) == []


async def test_placeholders_and_contradictions_are_named_and_secrets_are_not(tmp_path: Path) -> None:
    """Whether they come from `.env` or from the environment."""
    (tmp_path / ".env").write_text(
        "TWILIO_ACCOUNT_SID=ACxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"
        "TWILIO_WORKFLOW_SID=WW\n"
        f"TWILIO_API_KEY={TOKEN}\n"  # a secret in the wrong place
        "NGROK_DOMAIN=pay.ngrok.example\n"
        "TWILIO_API_SECRET=s3cr3t-of-the-key\n"
        "PACE=s3cr3t-pace\n"
        f"DATABASE_URL=oracle://user:{TOKEN}@host/db\n"
    )
    wrong = {"PUBLIC_URL": "https://pay.example.test", "TWILIO_AUTH_TOKEN": TOKEN, "OPENAI_API_KEY": "your-key-here"}
    status, output = await refused(tmp_path, wrong)

    assert status == 2
    assert named(output) == {
        "TWILIO_ACCOUNT_SID",
        "TWILIO_WORKFLOW_SID",
        "TWILIO_API_KEY",
        "NGROK_DOMAIN",
        "PACE",
        "DATABASE_URL",
        "OPENAI_API_KEY",
    }
    assert TOKEN not in output
    assert "s3cr3t" not in output


async def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    """And is no success."""
    listener = bind()
    listener.socket.listen()
    port = listener.origin.rpartition(":")[2]
    settings = environment(listener.origin, listener.origin, PORT=port, PUBLIC_URL=listener.origin)
    status, output = await refused(tmp_path, settings)
    listener.socket.close()

    assert status not in (0, None)
    assert "in use" in output
    assert "Traceback" not in output


async def test_a_database_that_is_not_there_is_told_without_its_password(tmp_path: Path) -> None:
    """Exit 2, in words, before anything is served."""
    database = f"postgresql://user:{TOKEN}@127.0.0.1:9/db"
    settings = environment("http://127.0.0.1:9", "http://127.0.0.1:9", PUBLIC_URL="https://pay.example.test")
    status, output = await refused(tmp_path, settings | {"DATABASE_URL": database})

    assert status == 2
    assert "the journal's database failed" in output
    assert TOKEN not in output
    assert "Traceback" not in output


async def test_several_workers_on_sqlite_are_refused(tmp_path: Path) -> None:
    """A file is for one process."""
    settings = environment("http://127.0.0.1:9", "http://127.0.0.1:9", PUBLIC_URL="https://pay.example.test")
    status, output = await refused(tmp_path, settings, "--workers", "2")

    assert (status, named(output)) == (2, {"DATABASE_URL"})
    assert "PostgreSQL" in output
