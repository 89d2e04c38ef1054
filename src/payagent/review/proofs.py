"""The proofs on file: what the last walk of each table found, beside the hash of the sources it rests on.

A walk takes seconds, so it is not made anew while no byte has changed that it depends on. The tests walk every table
all the same, and compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path

import msgspec

import payagent
from payagent.flow.rows import Flow
from payagent.review.evidence import Proof, Proofs
from payagent.review.flow_file import NAME
from payagent.review.promises import PROMISES
from payagent.review.walked import Walked

PROOFS = f"{NAME}.proofs.json"

WALKED_BY = ("alphabet", "ghost", "heard", "moments", "promises", "situations", "walk", "walked")
"""The modules of this room that a walk is made by; what it walks is `flow`."""


class Filed(msgspec.Struct, frozen=True):
    """The file: the hash of the sources (see `sources`), and each table's proofs."""

    sources: str
    tables: tuple[Proofs, ...]


@cache
def sources() -> str:
    """The hash of all that a walk depends on."""
    root = Path(payagent.__file__).parent
    files = [*sorted((root / "flow").glob("*.py")), *(root / "review" / f"{name}.py" for name in WALKED_BY)]
    return sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


def found(flows: Sequence[Flow], walks: Sequence[Walked]) -> tuple[Proofs, ...]:
    """The figures of these walks of these tables."""
    return tuple(proofs_of(flow, walked) for flow, walked in zip(flows, walks, strict=True))


def proofs_of(flow: Flow, walked: Walked) -> Proofs:
    """A walk's figures, promise by promise."""
    checks, rows = walked.checks, walked.checked_rows
    proofs = tuple(
        Proof(
            promise.number,
            promise.words,
            checks[promise.words],
            frozenset(row for row in rows.get(promise.words, ()) if row),
            promise.words in walked.broken,
        )
        for promise in PROMISES
    )
    return Proofs(
        f"{flow.pace}.{flow.profile}",
        walked.situations,
        walked.events,
        proofs,
        flow.version,
        tuple(walked.never_false(flow)),
    )


def as_text(tables: Sequence[Proofs]) -> str:
    """The file's text, laid out so that `git diff` of it reads well."""
    plain = msgspec.to_builtins(Filed(sources(), tuple(tables)), order="sorted")
    return msgspec.json.format(msgspec.json.encode(plain), indent=1).decode() + "\n"


def on_file(directory: Path, flows: Sequence[Flow]) -> tuple[Proofs, ...]:
    """The proofs of `flows` that are filed in `directory`, if they rest on the sources that run; () if not."""
    try:
        filed = msgspec.json.decode((directory / PROOFS).read_bytes(), type=Filed)
    except (FileNotFoundError, msgspec.DecodeError):
        return ()
    same = filed.sources == sources() and [t.version for t in filed.tables] == [flow.version for flow in flows]
    return filed.tables if same else ()
