"""The evidence: what was promised, what the walk checked of it, and which tests prove it.

Which tests prove a promise is read off their marks, `@pytest.mark.promise(2)`, without running them. Each has a mark of
its own: a file's `pytestmark` would call a proof whatever is added to the file.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from payagent.review.flow_file import FlowData
from payagent.review.page import NOTHING, codes, grid, text

PROMISES: dict[int, str] = {
    1: "The model cannot do what the state does not allow: it is not offered, and refused if tried.",
    2: "No card is charged without identity, agreed balance and amount, every field, and the bill held; once at most.",
    3: "“Paid” is said only after the processor's success; an outcome that never comes is unknown, and said so.",
    4: "No card data reaches the model, the record, the log or a person, however it is spoken or sent.",
    5: "Nobody but Twilio gets in: what is not signed is not served, and a socket belongs to its call.",
    6: "The caller is never left in silence: every state has a longest wait, and something follows it.",
    7: "A payment session does not outlive its caller, and a charge that was asked for is never cancelled.",
    8: "Nothing recorded is lost: after a crash the record still says truly what was ordered, done and unknown.",
    9: "What was signed is what runs: these pages come from the running tables, and a stale one fails the build.",
}
"""The numbers that the walk's checks and the tests' marks refer to."""

MOST_TRIGGERS = 12
"""The matrix names so many causes of a promise's rows; of more it says how many."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a walk checked under promise `number`: on how many steps, of which rows (ids), and whether it broke."""

    number: int
    words: str
    checks: int
    rows: frozenset[str] = frozenset()
    broken: bool = False


@dataclass(frozen=True, slots=True)
class Proofs:
    """One table's walk: `table` as `FlowData.table`; situations reached, events tried in them, what was checked.

    `version` is the table's; `never_false`: `row: guard` for each guard that no situation can make say no, since the
    way to its row implies it.
    """

    table: str
    situations: int
    events: int
    proofs: tuple[Proof, ...]
    version: str = ""
    never_false: tuple[str, ...] = ()


def marked_tests(directory: Path) -> dict[int, tuple[str, ...]]:
    """Promise → tests marked `promise(n)` in the files below `directory`, as `tests/a/test_b.py::test_c`."""
    found: dict[int, list[str]] = {}
    for path in sorted(directory.rglob("test_*.py")):
        for test in ast.parse(path.read_text("utf-8")).body:
            if isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef) and test.name.startswith("test_"):
                marks = [n for decorator in test.decorator_list for n in _marks(decorator)]
                for number in dict.fromkeys(marks):
                    name = f"{path.relative_to(directory.parent).as_posix()}::{test.name}"
                    found.setdefault(number, []).append(name)
    return {number: tuple(names) for number, names in sorted(found.items())}


def _marks(node: ast.AST) -> list[int]:
    calls = [part for part in ast.walk(node) if isinstance(part, ast.Call)]
    promises = [call for call in calls if ast.unparse(call.func) == "pytest.mark.promise"]
    return [ast.literal_eval(argument) for call in promises for argument in call.args]


def proofs(walks: Sequence[Proofs]) -> Iterator[str]:
    yield from ["## Proofs", ""]
    yield from [
        "Every reachable situation was walked with every event there can be; counted are the steps checked.",
        "",
    ]
    numbered = dict.fromkeys((p.number, p.words) for walk in walks for p in walk.proofs)
    rows = [(str(n), text(words), *(_count(walk, words) for walk in walks)) for n, words in numbered]
    situations = ("", "situations", *(f"{walk.situations:,}" for walk in walks))
    events = ("", "events tried", *(f"{walk.events:,}" for walk in walks))
    yield from grid(("promise", "checked", *(walk.table for walk in walks)), [*rows, situations, events])


def _count(walk: Proofs, words: str) -> str:
    proof = next((p for p in walk.proofs if p.words == words), None)
    if proof is None:
        return NOTHING
    return f"{proof.checks:,}" + (" **broken**" if proof.broken else "")


def matrix(tables: Sequence[FlowData], walks: Sequence[Proofs], tests: Mapping[int, Sequence[str]]) -> Iterator[str]:
    """The section of each promise with its tests, and beneath it what the walk checks of it and on which rows."""
    yield from ["## Promises, rows and tests", ""]
    every = frozenset(row.id for t in tables for row in t.rows)
    lines = []
    for number, words in PROMISES.items():
        lines.append((f"**{number}**", f"**{text(words)}**", NOTHING, codes(tests.get(number, ())) or "none is marked"))
        for checked in dict.fromkeys(p.words for walk in walks for p in walk.proofs if p.number == number):
            ids = frozenset(row for walk in walks for p in walk.proofs if p.words == checked for row in p.rows)
            lines.append(("", text(checked), _rows(ids, every), ""))
    yield from grid(("", "promise, and what the walk checks of it", "on the rows of", "proved by"), lines)


def _rows(ids: frozenset[str], every: frozenset[str]) -> str:
    if not ids:
        return NOTHING
    if ids == every:
        return f"every row ({len(every):,})"
    triggers = sorted({row.partition("@")[0] for row in ids})
    named = [f"`{t}` ({sum(row.startswith(f'{t}@') for row in ids)})" for t in triggers[:MOST_TRIGGERS]]
    return ", ".join(named) + (f" and {len(triggers) - MOST_TRIGGERS} more" if len(triggers) > MOST_TRIGGERS else "")
