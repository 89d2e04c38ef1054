"""`payagent storm`: many calls at once, under faults, on this machine."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from payagent.cli.base import fail, main
from payagent.errors import PayagentError

if TYPE_CHECKING:
    from payagent.storm.run import Plan, Progress, Report

CALLS_A_KILL = 40
"""With `--kill` the server is killed once for each so many calls, and once at least."""


@main.command()
def storm(
    calls: Annotated[int, typer.Option(min=1, help="How many callers ring at once")] = 50,
    faults: Annotated[
        str, typer.Option(help="all, none, or some of: callbacks,rest,model,line,people,cards,dialect")
    ] = "all",
    kill: Annotated[bool, typer.Option("--kill", help="Kill the server at random moments, too (kill -9)")] = False,
    seed: Annotated[int, typer.Option(help="The same seed gives the same callers and faults")] = 1,
    scale: Annotated[float, typer.Option(help="Factor on every wait")] = 0.2,
    rate: Annotated[float, typer.Option(help="How many phones begin to ring in a second")] = 5.0,
    pace: Annotated[str, typer.Option(help="model or automatic")] = "model",
    workers: Annotated[int, typer.Option(min=1, help="Processes of the server; several need --database")] = 1,
    database: Annotated[
        str, typer.Option(help="An empty PostgreSQL database to use instead of a file in .lab/storm")
    ] = "",
) -> None:
    """Let many callers loose on a real server under faults, then hold three books against each other.

    What the stand-in Twilio charged, what the journal says and what the bills owe have to agree: exit status 1 when
    they do not, or when a promise was broken. No account, no phone, no key.
    """
    from payagent.lab.storm import FAMILIES
    from payagent.rehearsal import lab_directory
    from payagent.storm.run import Plan

    families = {"all": FAMILIES, "none": ()}.get(faults, tuple(filter(None, faults.split(","))))
    if unknown := sorted(set(families) - set(FAMILIES)):
        raise fail(f"--faults: there is no {', '.join(unknown)}; there are: all, none, {', '.join(FAMILIES)}")
    if pace not in ("model", "automatic"):
        raise fail("--pace is model or automatic")
    if workers > 1 and not database.startswith("postgresql"):
        raise fail("--workers: several workers need PostgreSQL; name an empty database with --database postgresql://…")
    kills = 1 + calls // CALLS_A_KILL if kill else 0
    plan = Plan(calls, seed, families, kills, scale, pace, rate, workers, database)
    directory = lab_directory().resolve() / "storm"  # the server runs in it
    try:
        report = asyncio.run(_watched(plan, directory))
    except (PayagentError, ValueError) as error:
        raise fail(str(error), 1) from None
    _tell(report)
    raise typer.Exit(0 if report.ok else 1)


async def _watched(plan: Plan, directory: Path) -> Report:
    """Have the storm, and show how far it has come."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    from payagent.storm import run

    progress = run.Progress(plan.calls)
    columns = (TextColumn("{task.description:32}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bar(*columns, transient=True) as bar:
        task = bar.add_task(progress.doing, total=plan.calls)
        storm = asyncio.create_task(run.storm(plan, directory, progress))
        while not storm.done():
            await asyncio.wait({storm}, timeout=0.2)
            bar.update(task, completed=progress.over, description=_words(progress))
        return await storm


def _words(progress: Progress) -> str:
    on_the_line = f", {progress.begun - progress.over} on the line" if progress.begun > progress.over else ""
    return f"{progress.doing}{on_the_line}" + (f", {progress.kills} kills" if progress.kills else "")


def _tell(report: Report) -> None:
    from payagent.storm.telling import lines

    for line in lines(report, sys.argv[0]):
        typer.echo(line)
    typer.echo("The books agree." if report.ok else "The books do NOT agree, or a promise was broken.")
