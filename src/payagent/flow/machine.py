"""Drives the table's rows with `transitions`; the only importer of that library.

One shared machine per table, fired as `events[trigger].trigger(scratch)` on an object that has nothing but a state and
a view: 12 microseconds a move, and the call itself is not touched. Traps of the library (0.9.3) that this module knows:
`auto_transitions` would add a jump to every state, `*` would let final states out, a guard's no returns False while an
illegal trigger raises `MachineError` and an unknown one is missing from `events`. These three become one `None` here:
the last two by looking before firing. A guard that raises is a bug and is never folded.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, cast

from transitions import EventData, Machine

from payagent.flow.rows import Row, View
from payagent.flow.states import State
from payagent.flow.table import Flow

logging.getLogger("transitions").setLevel(logging.WARNING)  # it logs every callback at INFO


class Scratch:
    """What is fired upon: a state, the view that guards read, and the row that fired."""

    __slots__ = ("failed", "row", "state", "view")

    def __init__(self, state: State, view: View) -> None:
        self.state = str(state)  # a plain word: the library reads an Enum by its name
        self.view = view
        self.row: Row | None = None
        self.failed = ""


class Engine:
    """The machine of one flow."""

    def __init__(self, flow: Flow) -> None:
        self._open = flow.by_trigger
        self._machine = Machine(
            model=None,
            states=[str(s) for s in flow.states],
            transitions=[_config(row) for row in flow.rows],
            initial=str(State.VERIFYING_IDENTITY),
            auto_transitions=False,
            send_event=True,
        )

    def fire(self, trigger: str, view: View) -> tuple[Row | None, str]:
        """The row that fires in this view and "", or None and the refusal of the last guard that said no."""
        if (view.state, trigger) not in self._open:
            return None, ""
        scratch = Scratch(view.state, view)
        self._machine.events[trigger].trigger(scratch)
        return scratch.row, "" if scratch.row else scratch.failed


def _config(row: Row) -> dict[str, Any]:
    return {
        "trigger": row.trigger,
        "source": str(row.source),
        "dest": str(row.dest) if row.dest else None,
        "conditions": [_condition(guard.holds, guard.refusal) for guard in row.guards],
        "after": [_note(row)],
    }


def _condition(holds: Callable[[View], bool], refusal: str) -> Callable[[EventData], bool]:
    def condition(event: EventData) -> bool:
        scratch = cast(Scratch, event.model)
        if holds(scratch.view):
            return True
        scratch.failed = refusal
        return False

    return condition


def _note(row: Row) -> Callable[[EventData], None]:
    """Say which row fired; for `dest=None` nothing else would tell."""

    def note(event: EventData) -> None:
        cast(Scratch, event.model).row = row

    return note
