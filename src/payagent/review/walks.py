"""Walks several tables at once, one process each, as many at a time as there are processors."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence

from payagent.flow.rows import Flow
from payagent.review.walk import walk
from payagent.review.walked import Walked


def walk_all(flows: Sequence[Flow]) -> list[Walked]:
    """What walking each of `flows` finds.

    Guards are functions, which cannot be sent to another process: it has to be forked, with the tables in it. Where
    the system forks none, or has one processor, the tables are walked one after the other.
    """
    at_once = min(len(flows), os.cpu_count() or 1)
    if at_once < 2 or "fork" not in multiprocessing.get_all_start_methods():
        return [walk(flow) for flow in flows]
    longest_first = sorted(range(len(flows)), key=lambda n: -len(flows[n].rows))
    with multiprocessing.get_context("fork").Pool(at_once, _take, (flows,)) as pool:
        found = dict(zip(longest_first, pool.map(_walk, longest_first, chunksize=1), strict=True))
    return [found[n] for n in range(len(flows))]


_taken: list[Flow] = []


def _take(flows: Sequence[Flow]) -> None:
    _taken[:] = flows


def _walk(n: int) -> Walked:
    return walk(_taken[n])
