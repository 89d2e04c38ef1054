"""The reviewer's commands: what a call did, whether the record is whole, what the flow is and what changed in it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from payagent.cli.base import DATABASE, fail, journal_at, main, told
from payagent.errors import NoGraphviz, PayagentError, SettingsError

if TYPE_CHECKING:
    from payagent.flow.step import Step
    from payagent.flow.table import Flow
    from payagent.review.flow_file import FlowData

CHANGES = Path(".lab/changes")
"""Where the drawn changes go: a folder that git does not keep."""


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
        raise fail("Give one of --svg, --html and --json.")

    async def read() -> list[Step]:
        async with journal_at(database) as journal:
            return await journal.steps(call_sid)

    steps = asyncio.run(told(read()))
    if not steps:
        raise fail(f"There is no call {call_sid} in {database}; name another record with --database.", 1)
    try:
        _put(trace_page.shown(steps, today.nearest(steps, today.tables()), forms[0]), output)
    except (PayagentError, OSError) as error:
        raise fail(str(error), 1) from None


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
        raise fail("Name one call, or give --all or --flow.")
    if flow:
        raise typer.Exit(_prove())

    from payagent.journal.protocol import Search

    async def check() -> tuple[list[str], list[str]]:
        async with journal_at(database) as journal:
            problems = await (journal.verify_all() if all_ else journal.verify(call_sid))
            differences: list[str] = []
            everything = Search(limit=sys.maxsize)
            for sid in [call.call_sid for call in await journal.search(everything)] if all_ else [call_sid]:
                try:
                    differences += _redecided(await journal.steps(sid))
                except PayagentError as error:
                    problems.append(f"call {sid}: cannot be decided again: {error}")
            return problems, differences

    problems, differences = asyncio.run(told(check()))
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


@main.command()
def hostile(
    steps: Annotated[int, typer.Option(min=1, help="Steps to play on each table")] = 100_000,
    seed: Annotated[int, typer.Option(help="The same seed plays the same")] = 1,
) -> None:
    """Play calls in which the model, Twilio, the line, the caller and the clock do as they please; check every promise.

    Exit 1 if a promise was broken; its seed and story are printed.
    """
    from payagent.review import hostile as game

    broken = False
    for flow in _flows():
        played = game.play(flow, seed, steps)
        broken = broken or bool(played.broken)
        typer.echo("\n".join(game.told(flow, seed, played)) + "\n")
    raise typer.Exit(1 if broken else 0)


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
    since: Annotated[str, typer.Option(help="Tell and draw what changed since a git revision or flow file")] = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where --since draws; without it .lab/changes")
    ] = None,
) -> None:
    """Draw and describe the flow from the running table: pictures, dictionary, proofs, for both paces and profiles.

    --since leaves those as they are and draws the changes elsewhere; exit 1 if anything loosens.
    """
    if output and not since:
        raise fail("--output goes with --since.")
    if output and output.resolve() == directory.resolve():
        raise fail(f"{directory} holds the flow as it is; name another folder for the changes.")
    from payagent.review import pack
    from payagent.review.evidence import marked_tests
    from payagent.review.flow_file import as_data

    flows, texts, tests = _flows(), _texts(), marked_tests(Path("tests"))
    try:
        if since:
            tables = [as_data(flow, texts) for flow in flows]
            raise typer.Exit(_changes(since, directory, tables, output or CHANGES))
        if check:
            stale = pack.stale(directory, flows, texts, tests)
            for name in stale:
                typer.echo(f"stale: {name}; run: payagent diagram", err=True)
            raise typer.Exit(1 if stale else 0)
        for path in pack.write(directory, flows, texts, tests):
            typer.echo(str(path))
    except NoGraphviz as error:
        raise fail(f"{error} Everything but the pictures and the page is written.", 1) from None
    except PayagentError as error:
        raise fail(str(error), 2) from None


def _changes(since: str, directory: Path, tables: list[FlowData], output: Path) -> int:
    """Print what changed in each table, draw it into `output`, and say where; the exit status."""
    from payagent.review import releases, render

    versions = releases.versions(since, directory, tables)
    changes = [releases.told(old, new) for old, new in versions]
    typer.echo("\n".join(line for change in changes for line in change.lines()))
    try:
        for path in render.write_changes(output, [(old, new) for old, new in versions if old and new]):
            typer.echo(f"drawn: {path}")
    except NoGraphviz as error:
        typer.echo(f"{error} The pictures' text (.dot) is written.", err=True)
    return 1 if any(change.loosens for change in changes) else 0


def _flows() -> list[Flow]:
    from payagent.flow.states import Pace, Profile
    from payagent.flow.table import build

    return [build(pace, profile) for pace in Pace for profile in Profile]


def _texts() -> Mapping[str, Mapping[str, str]]:
    from payagent.speech import Sentences

    return Sentences.load(None).texts


def _prove() -> int:
    """Walk every table and print what was checked; the exit status."""
    from payagent.review import walked, walks

    flows, broken = _flows(), 0
    for flow, found in zip(flows, walks.walk_all(flows), strict=True):
        broken += len(found.broken) + len(found.stuck)
        typer.echo("\n".join(walked.told(flow, found)) + "\n")
    typer.echo(f"{broken} promises are broken." if broken else "Every promise holds in every table.")
    return 1 if broken else 0
