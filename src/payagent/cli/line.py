"""The commands of the line itself: serve it, and see whether it is set up well."""

from __future__ import annotations

import asyncio
import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from payagent.cli.base import DATABASE, fail, journal_at, main, told
from payagent.errors import PayagentError, SettingsError


@main.command()
def serve(
    workers: Annotated[int, typer.Option(min=1, help="Processes on this machine; more than one need PostgreSQL")] = 1,
    descriptor: Annotated[int | None, typer.Option("--socket", hidden=True, help="An open socket to serve on")] = None,
) -> None:
    """Run the payment line, from the environment and `.env`.

    SIGTERM drains: /readyz says so, callers who are connected may finish, at the longest for DRAIN_SECONDS.
    """
    from payagent import logs, serving, stores, wiring
    from payagent.settings import Settings
    from payagent.web.desk import Drain

    drain = Drain()
    try:
        settings = Settings.load()
        app = wiring.application(settings, drain=drain)
        if workers > 1 and settings.database_path:
            raise SettingsError(["DATABASE_URL: several workers need PostgreSQL; SQLite is a file for one process"])
        if descriptor is None:
            asyncio.run(stores.check(settings.database_url, to_serve=True))
    except SettingsError as error:
        lines = "\n".join(f"  {problem}" for problem in error.problems)
        raise fail(f"The settings cannot be used (see .env.sample):\n{lines}") from None
    except PayagentError as error:
        raise fail(str(error)) from None
    logs.configure(settings.log_level, settings.log_format, settings.secrets)
    if workers == 1:
        serving.serve(app, settings, drain, descriptor)
        return
    try:
        raise typer.Exit(serving.serve_many(settings, workers))
    except OSError as error:
        raise fail(f"The line cannot be served on {settings.listen_address}:{settings.port}: {error}", 1) from None


@main.command()
def migrate(database: DATABASE = "sqlite:///payagent.db") -> None:
    """Bring the database's schema up to date. Safe when several start at once; needs the owner's role on PostgreSQL."""
    from payagent import stores

    applied = asyncio.run(told(stores.migrate(database)))
    for change in applied:
        typer.echo(f"applied: {change}")
    typer.echo("The schema is up to date.")


@main.command()
def purge(
    older_than: Annotated[str, typer.Option("--older-than", help="An age: 30d, 8w or 720h; at least a day")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Erase nothing; say what would be erased")] = False,
    database: DATABASE = "sqlite:///payagent.db",
) -> None:
    """Erase what was said and who called, once it is old enough. Steps, payments and bills stay, and verify still."""
    before = datetime.now(UTC) - _age(older_than)

    async def erase() -> tuple[int, int]:
        from payagent import stores

        accounts = stores.accounts_of(stores.existing(database))
        async with journal_at(database) as journal:
            try:
                await accounts.open()
                words = await journal.erase_words(before, try_out=dry_run)
                return words, await accounts.forget_tries(before, try_out=dry_run)
            finally:
                await accounts.close()

    words, tries = asyncio.run(told(erase()))
    typer.echo(
        f"{'Would erase' if dry_run else 'Erased'}, from before {before:%Y-%m-%d %H:%M} UTC: "
        f"words and names of {words} steps; {tries} failed identity tries. Steps, payments and bills stay."
    )


_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def _age(text: str) -> timedelta:
    """The age that `30d`, `8w` or `720h` names; ends the command in words for anything else."""
    if found := re.fullmatch(r"([0-9]{1,5})([hdw])", text.strip()):
        age = timedelta(**{_UNITS[found[2]]: int(found[1])})
        if timedelta(days=1) <= age <= timedelta(days=36_500):
            return age
    raise fail(f"--older-than {text}: not an age. Give hours, days or weeks, as 30d, 8w or 720h, and at least a day.")


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
