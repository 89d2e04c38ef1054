"""The proofs on file: good for the sources and tables they were made of, and for no others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from flows import TEXTS

from payagent.flow.table import build
from payagent.review import pack, proofs
from payagent.review.evidence import Proof, Proofs
from payagent.review.walked import Walked

FLOW = build()
FOUND = Proofs(
    "model.card", 7, 8, (Proof(2, "no charge", 3, frozenset({"b", "a"})),), FLOW.version, ("start@here: known",)
)


def test_what_is_filed_is_read_again(tmp_path: Path) -> None:
    """The same text each time, whatever the order of the rows."""
    text = proofs.as_text([FOUND])
    (tmp_path / proofs.PROOFS).write_text(text)

    assert proofs.on_file(tmp_path, [FLOW]) == (FOUND,)
    assert proofs.as_text(proofs.on_file(tmp_path, [FLOW])) == text


@pytest.mark.parametrize("text", [None, "", "{}", '{"sources": "another", "tables": []}'])
def test_what_cannot_be_read_proves_nothing(tmp_path: Path, text: str | None) -> None:
    """Nor what is not there."""
    if text is not None:
        (tmp_path / proofs.PROOFS).write_text(text)

    assert proofs.on_file(tmp_path, [FLOW]) == ()


@pytest.mark.promise(9)
def test_proofs_of_other_sources_or_tables_are_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed byte, a changed table, a table more: the walk is made anew."""
    (tmp_path / proofs.PROOFS).write_text(proofs.as_text([FOUND]))

    assert proofs.on_file(tmp_path, [replace(FLOW, rows=FLOW.rows[1:])]) == ()
    assert proofs.on_file(tmp_path, [FLOW, FLOW]) == ()
    monkeypatch.setattr(proofs, "sources", lambda: "other")
    assert proofs.on_file(tmp_path, [FLOW]) == ()


@pytest.mark.promise(9)
def test_the_sources_are_all_that_a_walk_rests_on() -> None:
    """Every module that is imported for it, but for plain data and this room's other papers."""
    root = Path(proofs.payagent.__file__).parent
    imported = {
        line.split()[1].removeprefix("payagent.review.")
        for name in proofs.WALKED_BY
        for line in (root / "review" / f"{name}.py").read_text().splitlines()
        if line.startswith("from payagent.review.")
    }

    assert imported <= set(proofs.WALKED_BY)


@pytest.mark.promise(9)
def test_a_check_walks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proofs of other sources are stale by their hash, and so are the papers written from them."""
    walked: list[int] = []
    monkeypatch.setattr(pack, "walk_all", lambda flows: walked.append(len(flows)) or [Walked() for _ in flows])
    pack.write(tmp_path, [FLOW], TEXTS, {})
    pack.write(tmp_path, [FLOW], TEXTS, {})

    assert pack.stale(tmp_path, [FLOW], TEXTS, {}) == []
    monkeypatch.setattr(proofs, "sources", lambda: "other")
    assert pack.stale(tmp_path, [FLOW], TEXTS, {}) == [f"payment_call.{end}" for end in ("html", "md", "proofs.json")]
    assert walked == [1]
