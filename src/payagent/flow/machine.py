"""Drives the table's rows with `transitions`; the only importer of that library.

One shared machine per table; its transitions of a state and trigger are executed on an object that has nothing but a
state and a view, so the call itself is not touched. Around that loop the library's own `trigger` has only queues, hooks
and log lines that are not used here, at twice the time. Traps of the library (0.9.3) that this module knows:
`auto_transitions` would add a jump to every state, `*` would let final states out, a guard's no returns False while an
illegal trigger raises `MachineError` and an unknown one is missing from `events`. These three become one `None` here:
the last two by looking before executing. A guard that raises is a bug and is never folded.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, cast

from transitions import Event, EventData, Machine, Transition

from payagent.flow.rows import Guard, Row, View
from payagent.flow.states import State
from payagent.flow.table import Flow

logging.getLogger("transitions").setLevel(logging.WARNING)  # it logs every callback at INFO


class Scratch:
    """What a row is tried on: a state, the view that guards read, and what the last guard that said no had to say."""

    __slots__ = ("refusal", "state", "view")

    def __init__(self, view: View) -> None:
        self.state = str(view.state)  # a plain word: the library reads an Enum by its name
        self.view = view
        self.refusal = ""


class Engine:
    """The machine of one flow."""

    def __init__(self, flow: Flow) -> None:
        self._machine = Machine(
            model=None,
            states=[str(s) for s in flow.states],
            transitions=[_config(row) for row in flow.rows],
            initial=str(State.VERIFYING_IDENTITY),
            auto_transitions=False,
            send_event=True,
        )
        self._tried = {key: self._transitions(rows) for key, rows in flow.by_trigger.items()}

    def _transitions(self, rows: tuple[Row, ...]) -> tuple[Event, list[tuple[Transition, Row]]]:
        """The library's event and transitions of these rows of one state and trigger; it keeps them in their order."""
        event = self._machine.events[rows[0].trigger]
        return event, list(zip(event.transitions[str(rows[0].source)], rows, strict=True))

    def fire(self, trigger: str, view: View) -> tuple[Row | None, str]:
        """The row that fires in this view and "", or None and the refusal of the last guard that said no."""
        if (view.state, trigger) not in self._tried:
            return None, ""
        scratch = Scratch(view)
        event, transitions = self._tried[view.state, trigger]
        data = EventData(None, event, self._machine, scratch, (), {})
        for transition, row in transitions:
            if transition.execute(data):
                return row, ""
        return None, scratch.refusal


def _config(row: Row) -> dict[str, Any]:
    return {
        "trigger": row.trigger,
        "source": str(row.source),
        "dest": str(row.dest) if row.dest else None,
        "conditions": [_all_hold(row.guards)] if row.guards else [],
    }


def _all_hold(guards: tuple[Guard, ...]) -> Callable[[EventData], bool]:
    """Whether the guards hold, asked in their order up to the first that does not."""

    def hold(event: EventData) -> bool:
        scratch = cast(Scratch, event.model)
        for guard in guards:
            if not guard.holds(scratch.view):
                scratch.refusal = guard.refusal
                return False
        return True

    return hold
