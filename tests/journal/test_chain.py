"""The chain itself: what it is made of, so that another program could check it."""

from __future__ import annotations

import hashlib
import hmac

from payagent.journal.chain import Row, call_problems, genesis, link

KEY = b"key"


def test_links_are_plain_hmac() -> None:
    """A reviewer can check the chain with HMAC-SHA256 and nothing else."""
    first = hmac.new(KEY, b"genesis:CA1", hashlib.sha256).digest()

    assert genesis(KEY, "CA1") == first
    assert link(KEY, first, b"{}") == hmac.new(KEY, first + b"{}", hashlib.sha256).digest()


def test_calls_begin_differently() -> None:
    """The first step of one call cannot stand for that of another."""
    assert genesis(KEY, "CA1") != genesis(KEY, "CA2")


def test_step_after_a_gap_is_not_blamed() -> None:
    """Only the missing step is named: the one after it has nothing to be checked against."""
    record = b'{"call_sid":"CA1","seq":%d,"event":{}}'
    rows, previous = [], genesis(KEY, "CA1")
    for seq in (1, 2, 3, 4):
        previous = link(KEY, previous, record % seq)
        rows.append(Row(seq, record % seq, previous))

    assert call_problems(KEY, "CA1", rows, 4) == []
    assert call_problems(KEY, "CA1", [rows[0], *rows[2:]], 4) == ["call CA1 step 2: missing"]
    assert call_problems(KEY, "CA1", [], 2) == ["call CA1 step 1: missing", "call CA1 step 2: missing"]
