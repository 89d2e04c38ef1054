"""Writes the lab's page. What changes while it is open comes later, as news."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from string import Template

from payagent.accounts.demo import DEMO
from payagent.demo import offers
from payagent.lab import scenario as scenarios
from payagent.rehearsal import RealModel

_LETTERS = {"2": "ABC", "3": "DEF", "4": "GHI", "5": "JKL", "6": "MNO", "7": "PQRS", "8": "TUV", "9": "WXYZ"}
_NAMES = {"*": "star", "#": "pound"}
_FAULTS = {
    "duplicate": ("Callbacks twice", "every one, bit for bit"),
    "reordered": ("Callbacks out of order", "a key overtaken by the next"),
    "late": ("Callbacks late", "each by three seconds"),
    "lost_callbacks": ("Callbacks lost", "“field captured” never comes"),
    "lost_result": ("Result lost", "the processor never answers"),
    "rest_error": ("REST error", "the next payment request fails, once"),
    "model_error": ("Model error", "its next answer fails, once"),
    "lost_socket": ("Socket lost", "at the next move, once"),
}


def page(key: str, real_model: RealModel | None) -> str:
    """The page for a tab with this key."""
    text = (files("payagent.demo") / "lab.html").read_text("utf-8")
    return Template(text).substitute(
        key=escape(key),
        people="".join(
            _option(who.account.id, f"{who.account.name} · {_owes(who.bills and who.bills[0].owed.amount)}")
            for who in DEMO
        ),
        keypad="".join(map(_key, "123456789*0#")),
        cards="".join(
            f'<button type="button" data-card="{name}">{escape(card.label)}</button>'
            for name, card in offers.demo_cards(datetime.now(UTC).date()).items()
        ),
        scenarios="".join(_option(name, name.replace("_", " ")) for name in _scenarios()),
        faults="".join(_fault(name, label, what) for name, (label, what) in _FAULTS.items()),
        models=_option("scripted", "scripted") + (_option("real", real_model.name) if real_model else ""),
        model_note="" if real_model else "Set OPENAI_API_KEY to choose a real model.",
    )


def _owes(amount: object) -> str:
    return f"owes ${amount:.2f}" if amount else "owes nothing"


def _scenarios() -> Iterable[str]:
    """All of them, the plain one first."""
    return sorted(scenarios.names(), key=lambda name: (name != "full_payment", name))


def _option(value: str, label: str) -> str:
    return f'<option value="{escape(value)}">{escape(label)}</option>'


def _key(key: str) -> str:
    letters = f"<small aria-hidden='true'>{_LETTERS.get(key, '')}</small>"
    return f'<button type="button" data-key="{key}" aria-label="{_NAMES.get(key, key)}"><b>{key}</b>{letters}</button>'


def _fault(name: str, label: str, what: str) -> str:
    return (
        f'<label class="switch"><input type="checkbox" role="switch" name="{name}">'
        f"<span><b>{label}</b> <small>{what}</small></span></label>"
    )
