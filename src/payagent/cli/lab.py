"""The commands of the lab: whole calls on this machine."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from payagent.cli.base import fail, main
from payagent.errors import SettingsError

if TYPE_CHECKING:
    from payagent.rehearsal import RealModel


@main.command()
def call(
    scenario: Annotated[str, typer.Argument(help="A scenario's name, or a .toml file")] = "full_payment",
    list_: Annotated[bool, typer.Option("--list", help="List the scenarios and stop")] = False,
    interactive: Annotated[bool, typer.Option("--interactive", help="Play the caller yourself")] = False,
    model: Annotated[str, typer.Option(help="scripted, or openai (needs OPENAI_API_KEY)")] = "scripted",
    scale: Annotated[float, typer.Option(help="Factor on every wait")] = 0.1,
    pace: Annotated[str, typer.Option(help="Interactive: model or automatic")] = "model",
) -> None:
    """Play a whole call on this machine: no account, no phone, no key."""
    from payagent.lab import scenario as scenarios

    if list_:
        for name in scenarios.names():
            typer.echo(f"{name:28} {scenarios.load(name).description}")
        return
    if interactive:
        raise typer.Exit(_interact(pace, model, scale))
    raise typer.Exit(_play(scenario, model, scale))


@main.command()
def demo(
    port: Annotated[
        int | None, typer.Option(help="Where the lab listens, on this machine only  [default: 3033]")
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the address, open nothing")] = False,
) -> None:
    """Open the lab in a browser: make a call, watch what the machine makes of it.

    Without a terminal (and no --port) it plays one full payment in text and ends.
    """
    if port is None and not sys.stdout.isatty():
        raise typer.Exit(_play("full_payment", "scripted", 0.1))
    from payagent.demo.run import DEFAULT_PORT

    raise typer.Exit(_serve_lab(DEFAULT_PORT if port is None else port, not no_browser))


def _serve_lab(port: int, browser: bool) -> int:
    import os

    from payagent import rehearsal
    from payagent.demo import run

    directory = rehearsal.lab_directory()
    real = _real_model("openai") if os.environ.get("OPENAI_API_KEY") else None
    with _lab_log(directory):
        try:
            asyncio.run(run.show(directory, port, real_model=real, browser=browser, tell=typer.echo))
        except OSError as error:
            raise fail(f"port {port}: {error.strerror}; choose another with --port") from None
    return 0


def _play(name: str, model: str, scale: float) -> int:
    from pydantic import ValidationError
    from rich.console import Console

    from payagent import rehearsal
    from payagent.lab import scenario as scenarios
    from payagent.lab.show import Show

    try:
        chosen = scenarios.load(name)
    except (OSError, ValidationError, ValueError) as error:
        raise fail(f"{name}: {error}") from None
    console = Console()
    real = _real_model(model)
    directory = rehearsal.lab_directory()
    console.print(f"[bold]{chosen.name}[/]: {chosen.description}\n", highlight=False)
    with _lab_log(directory):
        result = asyncio.run(
            rehearsal.rehearse(chosen, directory=directory, scale=scale, observer=Show(console), real_model=real)
        )
    console.print()
    for charge in result.charges:
        console.print(
            f"[bold magenta]Charged {charge.amount:.2f} {charge.currency}[/], confirmation code "
            f"[bold]{charge.confirmation}[/], card ending {charge.last_four}.",
            highlight=False,
        )
    if not result.charges:
        console.print("Nothing was charged.")
    _print_trace_command(result.call_sid, directory / f"{chosen.name}.db")
    if not result.ok:
        typer.echo(result.report(), err=True)
        return 1
    console.print("[green]All was as expected.[/]")
    return 0


def _interact(pace: str, model: str, scale: float) -> int:
    from rich.console import Console

    from payagent import rehearsal
    from payagent.lab.scenario import Expectation, Scenario
    from payagent.lab.show import Show

    if pace not in ("model", "automatic"):
        raise fail("--pace is model or automatic")
    chosen = Scenario.model_validate(
        {
            "name": "interactive",
            "description": "a person plays the caller",
            "pace": pace,
            "steps": [],
            "expect": Expectation(end="caller_hung_up"),
        }
    )
    real = _real_model(model)
    directory = rehearsal.lab_directory()
    typer.echo("Type what the caller says. #4242424242424242# presses keys; /interrupt talks over; /hangup ends.")
    typer.echo("Try John Doe, born May 1st 1990.\n")

    async def talk() -> str:
        async with rehearsal.stage(
            chosen, directory=directory, scale=max(scale, 1.0), observer=Show(Console()), real_model=real
        ) as up:
            return await rehearsal.converse(up, _typed())

    with _lab_log(directory):
        call_sid = asyncio.run(talk())
    _print_trace_command(call_sid, directory / "interactive.db")
    return 0


async def _typed() -> AsyncIterator[str]:
    """Lines from the terminal, read without holding up the call."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield line.decode(errors="replace").strip()


def _real_model(model: str) -> RealModel | None:
    import os

    from payagent.rehearsal import RealModel

    if model == "scripted":
        return None
    if model != "openai":
        raise fail("--model is scripted or openai")
    if not os.environ.get("OPENAI_API_KEY"):
        raise fail("--model openai needs OPENAI_API_KEY in the environment")
    return RealModel(
        os.environ["OPENAI_API_KEY"],
        os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1"),
        os.environ.get("OPENAI_MODEL", "gpt-4.1-mini"),
    )


@contextmanager
def _lab_log(directory: Path) -> Iterator[None]:
    """The lab's log goes to a file, since the terminal shows the call; settings it cannot use end the command."""
    from payagent import logs

    with (directory / "payagent.log").open("a", encoding="utf-8") as stream:
        logs.configure("INFO", "json", (), stream)
        try:
            yield
        except SettingsError as error:
            raise fail(str(error)) from None


def _print_trace_command(call_sid: str, database: Path) -> None:
    typer.echo(f"\nSee every step:  {sys.argv[0]} trace {call_sid} --database sqlite:///{database}")
