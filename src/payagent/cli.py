"""The commands. Whatever is heavy is imported by the command that needs it."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from payagent.errors import NoGraphviz, PayagentError, SettingsError

if TYPE_CHECKING:
    from payagent.flow.step import Step
    from payagent.flow.table import Flow
    from payagent.journal.sqlite import SqliteJournal
    from payagent.rehearsal import RealModel

T = TypeVar("T")

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
        app = wiring.application(settings)
    except SettingsError as error:
        lines = "\n".join(f"  {problem}" for problem in error.problems)
        raise _fail(f"The settings cannot be used (see .env.sample):\n{lines}") from None
    except PayagentError as error:
        raise _fail(str(error)) from None
    logs.configure(settings.log_level, settings.log_format, settings.secrets)
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
        raise _fail(f"{name}: {error}") from None
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
        raise _fail("--model is scripted or openai")
    if not os.environ.get("OPENAI_API_KEY"):
        raise _fail("--model openai needs OPENAI_API_KEY in the environment")
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
            raise _fail(str(error)) from None


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
def trace(
    call_sid: str,
    svg: Annotated[bool, typer.Option("--svg", help="Draw the path over the diagram, and a time line")] = False,
    html: Annotated[bool, typer.Option("--html", help="The same and every step, as a page of its own")] = False,
    json: Annotated[bool, typer.Option("--json", help="The steps as plain data")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file")] = None,
    database: DATABASE = "sqlite:///payagent.db",
) -> None:
    """Print a call's steps: who caused each, what it led to, and how long the call was in each state."""
    from payagent.review import today, trace_page

    asked: dict[trace_page.Form, bool] = {"svg": svg, "html": html, "json": json}
    forms = [form for form in asked if asked[form]] or ["text"]
    if len(forms) > 1:
        raise _fail("Give one of --svg, --html and --json.")

    async def read() -> list[Step]:
        async with _journal(database) as journal:
            return await journal.steps(call_sid)

    steps = asyncio.run(_told(read()))
    if not steps:
        raise _fail(f"There is no call {call_sid} in {database}; name another record with --database.", 1)
    try:
        _put(trace_page.shown(steps, today.nearest(steps, today.tables()), forms[0]), output)
    except (PayagentError, OSError) as error:
        raise _fail(str(error), 1) from None


def _put(text: str, output: Path | None) -> None:
    if output:
        output.write_text(f"{text}\n", "utf-8")
    else:
        typer.echo(text)


@main.command()
def verify(
    call_sid: Annotated[str, typer.Argument(help="One call; without it, --all")] = "",
    all_: Annotated[bool, typer.Option("--all", help="Every call and every seal")] = False,
    flow: Annotated[bool, typer.Option("--flow", help="Walk the table whole and check every promise")] = False,
    database: DATABASE = "sqlite:///payagent.db",
) -> None:
    """Check that the record is whole, and show what today's table would decide otherwise. Needs the line's JOURNAL_KEY.

    Exit 1 if anything was changed, removed, swapped or cut off; a table that has changed since is no fault of a record.
    """
    if [bool(call_sid), all_, flow].count(True) != 1:
        raise _fail("Name one call, or give --all or --flow.")
    if flow:
        raise typer.Exit(_prove())

    async def check() -> tuple[list[str], list[str]]:
        async with _journal(database) as journal:
            problems = await (journal.verify_all() if all_ else journal.verify(call_sid))
            differences: list[str] = []
            for sid in [call.call_sid for call in await journal.calls(sys.maxsize)] if all_ else [call_sid]:
                try:
                    differences += _redecided(await journal.steps(sid))
                except PayagentError as error:
                    problems.append(f"call {sid}: cannot be decided again: {error}")
            return problems, differences

    problems, differences = asyncio.run(_told(check()))
    for problem in problems:
        typer.echo(problem, err=True)
    for difference in differences:
        typer.echo(difference)
    otherwise = f"{len(differences)} step{'s' if len(differences) > 1 else ''} otherwise"
    typer.echo(
        f"The record is {'not ' if problems else ''}whole. "
        f"Today's table decides {otherwise if differences else 'every step of it the same'}."
    )
    raise typer.Exit(1 if problems else 0)


def _redecided(steps: list[Step]) -> list[str]:
    """What today's table, with the settings of this machine, would decide otherwise in this call."""
    from payagent import wiring
    from payagent.flow.limits import Limits
    from payagent.review import today
    from payagent.review.redecide import differences
    from payagent.settings import Settings

    try:
        here = wiring.flow_of(Settings.load())
        flows = today.tables(here.limits, here.routes, here.languages)
    except SettingsError:  # a lab: it shortens its waits
        flows = today.tables(Limits().scaled(today.wait_scale(steps)))
    return [difference.words for difference in differences(steps, today.flow_of(steps, flows))]


@main.command()
def diagram(
    directory: Annotated[Path, typer.Argument(help="Where the diagrams are")] = Path("fsm_diagrams"),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if any is stale")] = False,
    since: Annotated[str, typer.Option(help="Write nothing; tell what changed since a git revision or flow file")] = "",
) -> None:
    """Draw and describe the flow from the running table: pictures, dictionary, proofs, for both paces and profiles."""
    from payagent.review import pack, releases
    from payagent.review.evidence import marked_tests
    from payagent.review.flow_file import as_data

    flows, texts, tests = _flows(), _texts(), marked_tests(Path("tests"))
    try:
        if since:
            changes = releases.since(since, directory, [as_data(flow, texts) for flow in flows])
            typer.echo("\n".join(line for change in changes for line in change.lines()))
            raise typer.Exit(1 if any(change.loosens for change in changes) else 0)
        if check:
            stale = pack.stale(directory, flows, texts, tests)
            for name in stale:
                typer.echo(f"stale: {name}; run: payagent diagram", err=True)
            raise typer.Exit(1 if stale else 0)
        for path in pack.write(directory, flows, texts, tests):
            typer.echo(str(path))
    except NoGraphviz as error:
        raise _fail(f"{error} Everything but the pictures and the page is written.", 1) from None
    except PayagentError as error:
        raise _fail(str(error), 2) from None


def _flows() -> list[Flow]:
    from payagent.flow.states import Pace, Profile
    from payagent.flow.table import build

    return [build(pace, profile) for pace in Pace for profile in Profile]


def _texts() -> Mapping[str, Mapping[str, str]]:
    from payagent.speech import Sentences

    return Sentences.load(None).texts


def _prove() -> int:
    """Walk every table and print what was checked; the exit status."""
    from payagent.review.walk import told, walk

    broken = 0
    for flow in _flows():
        walked = walk(flow)
        broken += len(walked.broken) + len(walked.stuck)
        typer.echo("\n".join(told(flow, walked)) + "\n")
    typer.echo(f"{broken} promises are broken." if broken else "Every promise holds in every table.")
    return 1 if broken else 0


@asynccontextmanager
async def _journal(database: str) -> AsyncIterator[SqliteJournal]:
    """The record at this URL, for reading. Only the line's own key can tell whether it is whole."""
    from payagent import wiring
    from payagent.journal.sqlite import SqliteJournal

    journal = SqliteJournal(wiring.record_at(database), wiring.journal_key_here())
    await journal.open()
    try:
        yield journal
    finally:
        await journal.close()


async def _told(work: Awaitable[T]) -> T:
    """Wait for the work; what goes wrong ends the command in words."""
    try:
        return await work
    except PayagentError as error:
        raise _fail(str(error)) from None
