"""The model's bill of one paid call, in both paces: requests, prompt size, and whether each prompt begins as the last.

Exact but for the tokens: a tokenizer would have to be downloaded, so they are taken as a quarter of the characters.
`python -m bench.bill`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench.figures import save, table
from bench.processes import machine
from payagent import logs
from payagent.flow.tools import schema
from payagent.lab import scenario as scenarios
from payagent.lab.brain import Brain, Reply
from payagent.lab.caller import play
from payagent.rehearsal import stage

CHARACTERS_A_TOKEN = 4
PAID = {"model": "full_payment", "automatic": "full_payment_automatic"}


@dataclass(frozen=True, slots=True)
class Request:
    """What one request to the model held."""

    messages: Sequence[Mapping[str, Any]]
    tools: tuple[str, ...]

    @property
    def characters(self) -> int:
        """Of messages and tools, as JSON."""
        return len(json.dumps([*self.messages, *map(schema, self.tools)]))


class NotingBrain(Brain):
    """Decides as ever, and notes what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Request] = []

    def decide(self, messages: Sequence[Mapping[str, Any]], offered: Any) -> Reply:
        """The reply, once the request is noted."""
        self.asked.append(Request(messages, tuple(offered)))
        return super().decide(messages, offered)


async def requests_of(pace: str, scale: float = 0.1) -> list[Request]:
    """The requests of one call in which John Doe pays all he owes.

    Raises:
        RuntimeError: the call did not end as it should.
    """
    scenario, brain = scenarios.load(PAID[pace]), NotingBrain()
    with tempfile.TemporaryDirectory() as folder:
        async with stage(scenario, directory=Path(folder), scale=scale, watchers=()) as up:
            up.model.brain = brain
            result = await play(scenario, up.twilio, scale=scale)
    if not result.ok:
        raise RuntimeError(result.report())
    return brain.asked


def kept(before: Request, after: Request) -> bool:
    """Whether all of a prompt but its last message (the state's own) begins the next one: what a cache can use."""
    stable = len(before.messages) - 1
    return list(before.messages[:stable]) == list(after.messages[:stable])


def bill(pace: str, requests: Sequence[Request]) -> dict[str, object]:
    """A row of figures."""
    tokens = [request.characters // CHARACTERS_A_TOKEN for request in requests]
    pairs = list(pairwise(requests))
    return {
        "pace": pace,
        "requests a payment": len(requests),
        "prompt tokens a payment": sum(tokens),
        "longest prompt": max(tokens),
        "prompts that begin as the last": f"{sum(kept(*pair) for pair in pairs)} of {len(pairs)}",
    }


def main() -> None:
    """Count, print, save."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--save", type=Path)
    given = options.parse_args()
    where = machine()
    logs.configure("ERROR")
    rows = [bill(pace, asyncio.run(requests_of(pace))) for pace in PAID]
    print(where)
    print(table(rows))
    save(given.save, "bill", where, rows)


if __name__ == "__main__":
    main()
