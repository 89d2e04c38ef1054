"""What is particular to one call through the stand-in: what goes wrong, how Twilio words things, who watches."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

from payagent.lab.dialect import Dialect
from payagent.lab.faults import Faults
from payagent.lab.observer import Observer, Unwatched


@dataclass(slots=True)
class Circumstances:
    """One call's, or those that some calls share; `faults` and `dialect` may be exchanged while they go on.

    Attributes:
        faults: what goes wrong; of `rest_error`, what has bitten is taken off.
        injected: how often each fault has bitten, by its name.
        violations: what Twilio would have rejected in this call.
        dice: decide for faults that bite by chance.
    """

    faults: Faults = field(default_factory=Faults)
    dialect: Dialect = field(default_factory=Dialect)
    observer: Observer = field(default_factory=Unwatched)
    dice: random.Random = field(default_factory=lambda: random.Random(1))
    injected: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def bites(self, fault: str) -> bool:
        """Whether the fault of that name, which is on, bites now; it is counted when it does."""
        if self.faults.chance < 1 and self.dice.random() >= self.faults.chance:
            return False
        self.injected[fault] += 1
        return True
