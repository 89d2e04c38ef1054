"""The commands. Whatever is heavy is imported by the command that needs it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from payagent.errors import PayagentError, SettingsError

if TYPE_CHECKING:
    from payagent.journal.sqlite import SqliteJournal
    from payagent.rehearsal import RealModel

main = typer.Typer(
    name="payagent",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Card payments by phone: an AI agent talks, a state machine decides what may happen.",
)


def _fail(message: str, status: int = 2) -> typer.Exit:
    typer.echo(message, err=True)
    return typer.Exit(status)


@main.command()
def serve() -> None:
    """Run the payment line, from the environment and `.env`."""
    import uvicorn

    from payagent import logs, wiring
    from payagent.settings import Settings

    try:
        settings = Settings.load()
        wiring.database_path(settings)
        app = wiring.application(settings)
    except SettingsError as error:
        lines = "\n".join(f"  {problem}" for problem in error.problems)
        raise _fail(f"The settings cannot be used (see .env.sample):\n{lines}") from None
    except PayagentError as error:
        raise _fail(str(error)) from None
    logs.configure(settings.log_level, settings.log_format, settings.secrets)
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
def demo() -> None:
    """Play one full payment in the terminal."""
    raise typer.Exit(_play("full_payment", "scripted", 0.1))


def _play(name: str, model: str, scale: float) -> int:
    from pydantic import ValidationError
    from rich.console import Console

    from payagent import rehearsal
    from payagent.lab import scenario as scenarios
    from payagent.lab.show import Show

    try:
        chosen = scenarios.load(name)
    except (OSError, ValidationError, ValueError) as error:
        raise _fail(str(error)) from None
    console = Console()
    directory = rehearsal.lab_directory()
    _quiet_logs(directory)
    console.print(f"[bold]{chosen.name}[/]: {chosen.description}\n", highlight=False)
    real = _real_model(model)
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
        raise _fail("--pace is model or automatic")
    chosen = Scenario.model_validate(
        {
            "name": "interactive",
            "description": "a person plays the caller",
            "pace": pace,
            "steps": [],
            "expect": Expectation(end="caller_hung_up"),
        }
    )
    directory = rehearsal.lab_directory()
    _quiet_logs(directory)
    typer.echo("Type what the caller says. #4242424242424242# presses keys; /interrupt talks over; /hangup ends.")
    typer.echo("Try John Doe, born May 1st 1990.\n")
    real = _real_model(model)

    async def talk() -> str:
        async with rehearsal.stage(
            chosen, directory=directory, scale=max(scale, 1.0), observer=Show(Console()), real_model=real
        ) as up:
            return await rehearsal.converse(up, _typed())

    _print_trace_command(asyncio.run(talk()), directory / "interactive.db")
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
        raise _fail("--model is scripted or openai")
    if not os.environ.get("OPENAI_API_KEY"):
        raise _fail("--model openai needs OPENAI_API_KEY in the environment")
    return RealModel(
        os.environ["OPENAI_API_KEY"],
        os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1"),
        os.environ.get("OPENAI_MODEL", "gpt-4.1-mini"),
    )


def _quiet_logs(directory: Path) -> None:
    """The lab's log goes to a file: the terminal shows the call."""
    from payagent import logs

    stream = (directory / "payagent.log").open("a", encoding="utf-8")
    logs.configure("INFO", "json", (), stream)


def _print_trace_command(call_sid: str, database: Path) -> None:
    typer.echo(f"\nSee every step:  {sys.argv[0]} trace {call_sid} --database sqlite:///{database}")


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


DATABASE = Annotated[str, typer.Option("--database", envvar="DATABASE_URL", help="Where the record is")]


@main.command()
def trace(call_sid: str, database: DATABASE = "sqlite:///payagent.db") -> None:
    """Print a call's steps: who caused each, what it led to, and how long the call was in each state."""
    from payagent.review.trace import report

    async def read() -> list[str]:
        async with _journal(database) as journal:
            return report(await journal.steps(call_sid))

    lines = asyncio.run(_told(read()))
    if not lines:
        raise _fail(f"There is no call {call_sid} in {database}; name another record with --database.", 1)
    typer.echo("\n".join(lines))


@main.command()
def verify(
    call_sid: Annotated[str, typer.Argument(help="One call; without it, --all")] = "",
    all_: Annotated[bool, typer.Option("--all", help="Every call and every seal")] = False,
    database: DATABASE = "sqlite:///payagent.db",
) -> None:
    """Check that the record is whole: nothing changed, removed, swapped or cut off. Needs the line's JOURNAL_KEY."""
    if bool(call_sid) == all_:
        raise _fail("Name one call, or give --all.")

    async def check() -> list[str]:
        async with _journal(database) as journal:
            return await (journal.verify_all() if all_ else journal.verify(call_sid))

    problems = asyncio.run(_told(check()))
    for problem in problems:
        typer.echo(problem, err=True)
    typer.echo("The record is not whole." if problems else "The record is whole.")
    raise typer.Exit(1 if problems else 0)


@main.command()
def diagram(
    directory: Annotated[Path, typer.Argument(help="Where the diagrams are")] = Path("fsm_diagrams"),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if any is stale")] = False,
) -> None:
    """Draw the flow from the running table, for both paces and every profile."""
    from payagent.flow.states import Pace, Profile
    from payagent.flow.table import build
    from payagent.review import render

    flows = [build(pace, profile) for pace in Pace for profile in Profile]
    if check:
        stale = render.stale(directory, flows)
        for name in stale:
            typer.echo(f"stale: {name}; run: payagent diagram", err=True)
        raise typer.Exit(1 if stale else 0)
    for path in render.write(directory, flows):
        typer.echo(str(path))


@asynccontextmanager
async def _journal(database: str) -> AsyncIterator[SqliteJournal]:
    """The record at this URL, for reading. Only the line's own key can tell whether it is whole."""
    from payagent import wiring
    from payagent.journal.sqlite import SqliteJournal

    path = Path(database.removeprefix("sqlite:///"))
    if not path.is_file():
        raise SettingsError([f"there is no record at {database}"])
    journal = SqliteJournal(path, wiring.journal_key_here())
    await journal.open()
    try:
        yield journal
    finally:
        await journal.close()


async def _told(work: Awaitable[list[str]]) -> list[str]:
    """Wait for the work; what goes wrong ends the command in words."""
    try:
        return await work
    except PayagentError as error:
        raise _fail(str(error)) from None
