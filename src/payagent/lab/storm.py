"""What a storm is made of: for each call its person's whims and what goes wrong, drawn with dice from families.

The same seed gives the same people and the same faults; when things meet is up to the machine.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass

from payagent.lab.circumstances import Circumstances
from payagent.lab.dialect import Dialect
from payagent.lab.faults import Faults
from payagent.lab.model import MISCHIEF
from payagent.lab.observer import Observer
from payagent.lab.people import DECLINED_CARDS, GOOD_CARDS, MISTYPED_CARD, Deed, Person, Whim

FAMILIES = ("callbacks", "rest", "model", "line", "people", "cards", "dialect")
"""What may go wrong: status callbacks, REST requests, the model, sockets and hang-ups, whims, cards, Twilio's words."""

_TROUBLES = (
    "create:429", "create:503", "create:hang", "create:hang:done", "create:reset:done", "create:64002", "create:64008",
    "capture:429", "capture:500:done", "capture:503", "capture:hang", "capture:reset", "capture:64020",
    "complete:429", "complete:500", "complete:500:done", "complete:hang:done", "complete:hang", "complete:reset:done",
    "complete:64002", "complete:64008", "complete:64019", "cancel:503", "cancel:hang:done", "cancel:404",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Holder:
    """An account holder as a caller knows it: the name, and the date of birth as it is said."""

    name: str
    born: str


def person(holder: Holder, number: str, dice: random.Random, families: Collection[str]) -> Person:
    """Who calls on this account."""
    whims = []
    if "line" in families and dice.random() < 0.35:
        whims.append(Whim(dice.choice(("hang_up", "hang_up", "drop_line", "drop_line")), dice.randint(1, 12)))
    if "people" in families and dice.random() < 0.35:
        deeds: tuple[Deed, ...] = ("cancel", "person", "star", "say_card", "interrupt", "silent")
        whims.append(Whim(dice.choice(deeds), dice.randint(1, 10)))
    amount = dice.choice(("All of it, please.", "All of it, please.", "Twenty five dollars, please."))
    return Person(holder.name, holder.born, number, _cards(dice, families), amount, tuple(whims))


def _cards(dice: random.Random, families: Collection[str]) -> tuple[str, ...]:
    good = dice.choice(GOOD_CARDS)
    if "cards" not in families or dice.random() < 0.6:
        return (good,)
    return dice.choice(((dice.choice(DECLINED_CARDS), good), (MISTYPED_CARD, good), (dice.choice(DECLINED_CARDS),)))


def circumstances(dice: random.Random, families: Collection[str], observer: Observer) -> Circumstances:
    """What goes wrong in one call; half of them meet nothing from a family."""
    faults = Faults(
        chance=0.5,
        **(_callback_faults(dice) if "callbacks" in families and dice.random() < 0.5 else {}),  # type: ignore[arg-type]
        rest_error=_rest_faults(dice) if "rest" in families and dice.random() < 0.5 else (),
    )
    dialect = _dialect(dice) if "dialect" in families and dice.random() < 0.5 else Dialect()
    return Circumstances(faults, dialect, observer, random.Random(dice.random()))


def _callback_faults(dice: random.Random) -> dict[str, object]:
    kinds = ("start", "began", "partial", "done", "error", "final")
    choices: tuple[dict[str, object], ...] = (
        {"duplicate_callbacks": True},
        {"reorder_callbacks": True},
        {"late_callbacks": dice.uniform(1, 20)},
        {"lose_callbacks": (dice.choice(kinds),)},
        {"lose_callbacks": tuple(dice.sample(kinds, 2))},
        {"lose_final": True},
        {"leak_dtmf": True},
        {"no_begin_callback": True},
        {"callback_first": True},
    )
    first, second = dice.sample(choices, 2)
    return first | second


def _rest_faults(dice: random.Random) -> tuple[str, ...]:
    return tuple(dice.sample(_TROUBLES, dice.randint(1, 3)))


def _dialect(dice: random.Random) -> Dialect:
    pick = dice.choice
    told = pick(
        (("kebab", "lower"), ("spaced", "title"), ("pascal", "absent"), ("camel", "lower"), ("absent", "lower"))
    )
    signs = ["socket", "callback", "action"]
    dice.shuffle(signs)
    return Dialect(
        required=told[0],  # type: ignore[arg-type]
        partial=told[1],  # type: ignore[arg-type]
        mask=pick(("recorded", "documented", "stars", "leaking")),
        common=pick(("recorded", "all", "none")),
        partial_on_error=pick(("", "true", "false")),
        error_twice=pick((False, True)),
        time_out=pick(("input-timeout", "timeout")),
        idle_time_out=pick((False, True)),
        cancel_result=pick(("payment-cancelled", "", "none", "something-new")),
        hang_up=tuple(signs[: pick((1, 2, 3, 3))]),
        gateway=pick(("callback", "rest")),
        extras=pick((False, True)),
        bare_prompts=pick((False, True)),
        error_status=pick((400, 400, 402, 409)),
    )


def mischief(dice: random.Random, families: Collection[str]) -> Callable[[], str]:
    """What the model does instead of answering, drawn anew for each request; "" is nothing."""

    def draw() -> str:
        return dice.choice(MISCHIEF) if "model" in families and dice.random() < 0.1 else ""

    return draw
