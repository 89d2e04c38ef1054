"""Prints a call on the terminal as it happens: who says what, keys as dots, callbacks, REST requests, money.

The lab's own kinds are listed in `observer`; the app's journal may add `state` (before, after) and `tools` (names).
Digits never come here, and partial callbacks are seen as the dots they belong to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

_QUIET_FIELDS = frozenset({"AccountSid", "CallSid", "Sid", "DateCreated", "DateUpdated", "PaymentMethod"})
_VERBS = {"relay": "Twilio opens the relay", "enqueue": "Twilio rings the queue", "dial": "Twilio dials a person"}


class Show:
    """An observer that prints."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._keying = False
        self._lines: Mapping[str, Callable[..., str]] = {
            "agent": lambda words: f"[bold cyan]agent [/] {escape(words)}",
            "caller": lambda words: f"[bold green]caller[/] {escape(words)}",
            "interrupt": lambda heard: f"[green]caller[/] [dim]talks over the agent, having heard[/] {escape(heard)}",
            "token": lambda words: "",
            "callback": _callback,
            "rest": _rest,
            "relay": lambda what: f"[dim]       relay {escape(what)}[/]",
            "language": lambda code: f"[dim]       language is now {escape(code)}[/]",
            "verb": _verb,
            "digits_lost": lambda field, count: f"[yellow]       {count} digits of {escape(field)} were lost[/]",
            "charge": lambda amount, confirmation: f"[bold magenta]$      charged {amount}, {confirmation}[/]",
            "violation": lambda text: f"[bold red]!      {escape(text)}[/]",
            "ended": lambda how: f"[dim]       the call is over: {escape(how)}[/]",
            "state": lambda before, after: f"[yellow]state  {escape(before)} → [bold]{escape(after)}[/][/]",
            "tools": lambda names: f"[dim]tools  {escape(', '.join(names) or 'none')}[/]",
        }

    def on(self, kind: str, **details: Any) -> None:
        """Print one thing that happened; a kind it does not know is printed as it comes."""
        if kind == "key":
            self._dot()
            return
        line = self._lines[kind](**details) if kind in self._lines else f"[dim]{escape(f'{kind} {details}')}[/]"
        if line:
            self._end_dots()
            self._console.print(line, highlight=False)

    def _dot(self) -> None:
        self._console.print("•" if self._keying else "[bold green]caller[/] •", end="", highlight=False)
        self._keying = True

    def _end_dots(self) -> None:
        if self._keying:
            self._console.print()
        self._keying = False


def _callback(name: str, form: Mapping[str, str]) -> str:
    if name == "partial":
        return ""
    said = " ".join(f"{key}={value}" for key, value in form.items() if key not in _QUIET_FIELDS)
    return f"[blue]pay[/]    [dim]{name}: {escape(said)}[/]"


def _rest(operation: str, status: int, code: int) -> str:
    colour = "dim" if status < 400 else "yellow"
    return f"[blue]rest[/]   [{colour}]{escape(operation)} → {status}{f' ({code})' if code else ''}[/]"


def _verb(name: str) -> str:
    return f"[dim]       {_VERBS[name]}[/]" if name in _VERBS else ""
