"""Turns what happens on the line and in the record into what a tab may be shown.

Only what is named here is shown: no key, and of a card its type and last four. The caller's words are shown as the
record has them, so that a card number said aloud does not stand on the page either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from payagent.demo.feed import Feed
from payagent.demo.voices import Voice, Voices
from payagent.flow import events as ev
from payagent.flow.call import Call
from payagent.flow.facts import Facts
from payagent.flow.money import Money
from payagent.flow.states import MEANING
from payagent.flow.step import Step
from payagent.flow.table import Flow
from payagent.review.arrows import drawn_as
from payagent.review.trace import lines

_PLAIN = frozenset(
    {"token", "interrupt", "rest", "relay", "language", "verb", "ended", "charge", "violation", "key", "digits_lost"}
)
_OF_A_CALLBACK = {
    "Capture": "field",
    "ErrorType": "error",
    "Result": "result",
    "PayErrorCode": "code",
    "PaymentConfirmationCode": "confirmation",
    "PaymentCardType": "card",
    "Required": "required",
}


class Sheet:
    """One line's; an observer of the stand-in Twilio and a watcher of the steps."""

    def __init__(self, feed: Feed, flow: Flow) -> None:
        self._feed = feed
        self._arrows = drawn_as(flow)
        self._said = 0
        self._voices = Voices()

    def begin(self, **about: object) -> None:
        """A call begins: what was shown before is over."""
        self._said, self._voices = 0, Voices()
        self._feed.add("call", **about)

    def on(self, kind: str, **details: Any) -> None:
        """Something happened on the line."""
        if kind == "agent":
            self._said += 1
            self._feed.add("agent", number=self._said, words=details["words"])
            self._show_voices(self._voices.heard(self._said, details["words"]))
        elif kind == "callback":
            self._feed.add("callback", name=details["name"], **_shown(details["form"]))
        elif kind in _PLAIN:
            self._feed.add(kind, **details)

    def __call__(self, call: Call, step: Step, offered: Sequence[str]) -> None:
        """A step was recorded."""
        match step.event:
            case ev.CallerSpoke(words=words, card_cut=cut):
                self._feed.add("caller", words=words, cut=cut)
            case ev.ToolCalled():
                self._feed.add("tool", name=lines([step])[0].trigger, refused=step.refused)
        self._show_voices(self._voices.recorded(step))
        self._feed.add("step", **self._step(step), tools=list(offered), money=_money(call.facts), **_situation(call))

    def _step(self, step: Step) -> dict[str, Any]:
        told = lines([step])[0]
        moved = step.before is not step.after
        talk = isinstance(step.event, ev.CallerSpoke | ev.AgentSpoke | ev.CallerInterrupted)
        return {
            "seq": step.seq,
            "party": str(told.party),
            "trigger": told.trigger,
            "what": "" if talk else told.what,  # the talk stands beside
            "state": str(step.after),
            "before": str(step.before),
            "meaning": MEANING[step.after],
            "arrow": self._arrows.get(step.row, "") if moved else "",
            "refused": told.refused,
            "orders": list(told.orders),
            "wait": _wait(step),
        }

    def _show_voices(self, known: list[tuple[int, Voice]]) -> None:
        for number, voice in known:
            self._feed.add("voice", number=number, voice=voice)


def _situation(call: Call) -> dict[str, Any]:
    return {"language": call.facts.language, "line": str(call.facts.line)}


def _wait(step: Step) -> dict[str, Any] | None:
    """The next thing that time will do, and in how many seconds."""
    if not step.timers:
        return None
    first = min(step.timers, key=lambda timer: timer.due)
    return {"name": first.name, "seconds": round(_seconds_until(first.due, step.at), 1)}


def _seconds_until(due: datetime, at: datetime) -> float:
    return max(0.0, (due - at).total_seconds())


def _money(facts: Facts) -> dict[str, Any]:
    payment = facts.payment
    return {
        "name": facts.account.name if facts.account else "",
        "bill": facts.bill.description if facts.bill else "",
        "owed": _amount(facts.bill.owed if facts.bill and facts.told else None),
        "agreed": _amount(payment.amount),
        "outcome": str(facts.outcome),
        "confirmation": facts.confirmation,
        "card": f"{facts.card_type} •••• {facts.last_four}".strip() if facts.last_four else "",
    }


def _amount(money: Money | None) -> str:
    return str(money) if money else ""


def _shown(form: Mapping[str, str]) -> dict[str, str]:
    """The fields of a callback that a page may show; of a card number that is whole, the last four."""
    shown = {ours: form[theirs] for theirs, ours in _OF_A_CALLBACK.items() if theirs in form}
    number = form.get("PaymentCardNumber", "")
    return shown | ({"last_four": number[-4:]} if number[-4:].isdigit() else {})
