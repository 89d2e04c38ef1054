"""The commands of the line itself: serve it, and see whether it is set up well."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from typing import Annotated

import typer

from payagent.cli.base import fail, main
from payagent.errors import PayagentError, SettingsError


@main.command()
def serve() -> None:
    """Run the payment line, from the environment and `.env`."""
    import uvicorn

    from payagent import logs, wiring
    from payagent.settings import Settings

    try:
        settings = Settings.load()
        app = wiring.application(settings)
    except SettingsError as error:
        lines = "\n".join(f"  {problem}" for problem in error.problems)
        raise fail(f"The settings cannot be used (see .env.sample):\n{lines}") from None
    except PayagentError as error:
        raise fail(str(error)) from None
    logs.configure(settings.log_level, settings.log_format, settings.secrets)
    _settle_memory()
    # uvicorn shuts down in good order and then sends itself the signal again: the end that was asked for is no failure.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    uvicorn.run(
        app,
        host=settings.listen_address,
        port=settings.port,
        log_config=None,
        access_log=False,
        ws_per_message_deflate=False,
        ws_max_size=128 * 1024,
        ws_ping_interval=30,
        ws_ping_timeout=60,
        timeout_graceful_shutdown=30,
        server_header=False,
    )


def _settle_memory() -> None:
    """What is loaded by now stays: a full collection of garbage passes over it, and is seldom needed for the rest."""
    import openai  # noqa: F401 - what the line would load when it opens
    import twilio.rest  # noqa: F401

    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


@main.command()
def doctor() -> None:
    """Look at the settings, the database, Twilio, the model and the public URL; one line each, exit 1 on trouble."""
    from rich.console import Console
    from rich.markup import escape

    from payagent import wiring
    from payagent.doctor import examine
    from payagent.settings import Settings

    findings = asyncio.run(examine(Settings.load, wiring.probes_of))
    console = Console(soft_wrap=True)
    for finding in findings:
        mark = {True: "[green]ok  [/]", False: "[red]FAIL[/]", None: "[yellow]look[/]"}[finding.ok]
        console.print(f"{mark}  [bold]{escape(finding.name)}[/]  {escape(finding.message)}", highlight=False)
    trouble = sum(finding.ok is False for finding in findings)
    console.print(f"\n{trouble} in trouble." if trouble else "\nNothing stands in the way.")
    raise typer.Exit(1 if trouble else 0)


@main.command()
def console_password(
    name: Annotated[str, typer.Argument(help="Who it is for: letters, digits and . _ @ -")],
    stdin: Annotated[bool, typer.Option("--stdin", help="Read the password from the standard input")] = False,
) -> None:
    """Make an entry of CONSOLE_USERS: a name, and the hash of a password that is asked for and never shown."""
    from payagent.setting_rules import CONSOLE_NAME
    from payagent.web.console.passwords import SHORTEST, made

    if not CONSOLE_NAME.fullmatch(name):
        raise fail("A name is 1 to 64 letters, digits and . _ @ -")
    password = sys.stdin.readline().rstrip("\r\n") if stdin else _new_password()
    if len(password) < SHORTEST:
        raise fail(f"A password needs {SHORTEST} characters or more: a few words are good.")
    typer.echo(f"{name}:{made(password)}")
    typer.echo("Put this line behind CONSOLE_USERS=, several with commas between, and start again.", err=True)


def _new_password() -> str:
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
