"""What the commands share: the app they belong to, and how a command ends in words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from payagent.errors import PayagentError

if TYPE_CHECKING:
    from payagent.journal.protocol import Journal

T = TypeVar("T")

main = typer.Typer(
    name="payagent",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Card payments by phone: an AI agent talks, a state machine decides what may happen.",
)

DATABASE = Annotated[str, typer.Option("--database", envvar="DATABASE_URL", help="Where the record is")]


def fail(message: str, status: int = 2) -> typer.Exit:
    """An exit with this status, once the message is on the standard error."""
    typer.echo(message, err=True)
    return typer.Exit(status)


@asynccontextmanager
async def journal_at(database: str) -> AsyncIterator[Journal]:
    """The record at this URL, for reading. Only the line's own key can tell whether it is whole."""
    from payagent import stores, wiring

    journal = stores.journal_of(stores.existing(database), wiring.journal_key_here())
    try:
        await journal.open()
        yield journal
    finally:
        await journal.close()


async def told(work: Awaitable[T]) -> T:
    """Wait for the work; what goes wrong ends the command in words."""
    try:
        return await work
    except PayagentError as error:
        raise fail(str(error)) from None
