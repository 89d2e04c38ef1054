"""What a tab offers to do next: things to say that fit the state, in the caller's language, and test cards.

Every card here is one that Stripe and other processors document for testing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from payagent.accounts.protocol import Entry
from payagent.flow.states import FIELDS, State

_MONTHS = {
    "en": "January,February,March,April,May,June,July,August,September,October,November,December",
    "es": "enero,febrero,marzo,abril,mayo,junio,julio,agosto,septiembre,octubre,noviembre,diciembre",
}

_ANYWHERE = {
    "en": ("I'd like to talk to a person.", "¿Puede hablar español?"),
    "es": ("Quiero hablar con una persona.", "English, please."),
}
_ENTRY = {
    "en": ("Just a moment, my card is in the car.", "Why do you need that?", "Can you ask me again?", "Cancel that."),
    "es": ("Un momento, mi tarjeta está en el coche.", "¿Para qué la necesita?", "¿Otra vez?", "Cancele, por favor."),
}
_SAYINGS: Mapping[State, Mapping[str, tuple[str, ...]]] = {
    State.VERIFYING_IDENTITY: {
        "en": ("Who are you?", "Is this safe?", "Why do you need my birthday?"),
        "es": ("¿Quién es usted?", "¿Es seguro esto?", "¿Por qué necesita mi fecha de nacimiento?"),
    },
    State.CONFIRMING_BALANCE: {
        "en": ("Yes, that's right.", "Yes, and I'll pay all of it.", "What is that for?", "No, that's wrong."),
        "es": ("Sí, es correcto.", "Sí, y quiero pagar todo.", "¿Por qué concepto?", "No, no es correcto."),
    },
    State.CHOOSING_AMOUNT: {
        "en": ("All of it, please.", "Half of it.", "A hundred and twenty dollars.", "What are my options?"),
        "es": ("Todo, por favor.", "La mitad.", "Ciento veinte dólares.", "¿Qué opciones tengo?"),
    },
    State.READY_TO_COMPLETE: {
        "en": ("Yes, go ahead.", "Wait, I mistyped the expiration date.", "Is it safe?", "No, stop."),
        "es": ("Sí, adelante.", "Espere, me equivoqué en la fecha.", "¿Es seguro?", "No, cancele."),
    },
    State.PROCESSING_PAYMENT: {"en": ("Did it work?", "Are you there?"), "es": ("¿Funcionó?", "¿Sigue ahí?")},
    State.PAYMENT_COMPLETED: {
        "en": ("No, thanks, that's all.", "Do I have another bill?"),
        "es": ("No, gracias, eso es todo.", "¿Tengo otra factura?"),
    },
    State.PAYMENT_DECLINED: {
        "en": ("Yes, I have another card.", "No, stop here."),
        "es": ("Sí, tengo otra tarjeta.", "No, dejémoslo."),
    },
    State.PAYMENT_CANCELLED: {
        "en": ("I'd like to try again.", "What are my options?", "No, thank you. Goodbye."),
        "es": ("Quiero intentarlo de nuevo.", "¿Qué opciones tengo?", "No, gracias. Adiós."),
    },
}
_ENTRIES = frozenset(field.entry for field in FIELDS.values())


@dataclass(frozen=True, slots=True)
class DemoCard:
    """What is keyed in for each field, by Twilio's `Capture` names; nothing for a field is left to the person."""

    label: str
    keys: Mapping[str, str]


def demo_cards(today: date) -> dict[str, DemoCard]:
    """The cards to choose from, none of them out of date but the expired one."""
    year = today.year % 100
    good, past = f"12{year + 3:02}", f"01{year - 1:02}"  # full at four digits, as the code is at three

    def card(label: str, number: str, expiry: str = good) -> DemoCard:
        keys = {"payment-card-number": f"{number}#", "expiration-date": expiry, "security-code": "123"}
        return DemoCard(label, keys | {"postal-code": "94016#"})

    return {
        "good": card("Good card", "4242424242424242"),
        "declined": card("Declined", "4000000000000002"),
        "wrong": card("Wrong digit", "4242424242424241"),
        "expired": card("Expired", "4242424242424242", past),
    }


def sayings(state: State, language: str, who: Entry | None) -> list[str]:
    """What the caller may say now, best first; `who` is the person the caller pretends to be."""
    spoken = language if language in _MONTHS else "en"
    fitting = _ENTRY[spoken] if state in _ENTRIES else _SAYINGS.get(state, {}).get(spoken, ())
    introduced = [introduction(who, spoken)] if who and state is State.VERIFYING_IDENTITY else []
    return [*introduced, *fitting, *_ANYWHERE[spoken]] if state not in _SILENT else []


_SILENT: Collection[State] = {State.HANDING_OFF, State.ENDED, State.PAYMENT_OUTCOME_UNKNOWN}


def introduction(who: Entry, language: str) -> str:
    """How this person says who they are."""
    born = who.birth_date
    month = _MONTHS[language].split(",")[born.month - 1]
    if language == "es":
        return f"Me llamo {who.account.name}, nací el {born.day} de {month} de {born.year}."
    return f"I'm {who.account.name}, born on {month} {born.day}, {born.year}."


def known(people: Sequence[Entry], account: str) -> Entry | None:
    """The person with this account, if there is one."""
    return next((who for who in people if who.account.id == account), None)
