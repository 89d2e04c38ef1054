"""What is wrong with a call's record: its chain first, and where that is whole, the index that follows from it."""

from __future__ import annotations

from payagent.journal import chain, codec, index


def call_problems(
    key: bytes, call_sid: str, rows: list[chain.Row], line: index.Columns | None, credited: set[index.Credit]
) -> list[str]:
    """In words, naming call and step; `line` and `credited` are what the index says of the call."""
    if not rows and not line:
        return [f"call {call_sid}: not on the record"]
    if found := chain.call_problems(key, call_sid, rows, index.length(line)):
        return found
    return index.problems(call_sid, [codec.decode(row.record) for row in rows], line, credited)
