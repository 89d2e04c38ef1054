"""What a tab offers to say and to key in."""

from __future__ import annotations

from datetime import date

import pytest

from payagent.accounts.demo import DEMO
from payagent.accounts.identity import parse_birth_date
from payagent.demo import offers
from payagent.flow.states import FIELDS, State
from payagent.lab import cards
from payagent.lab.hearing import birth_date, full_name

TODAY = date(2026, 11, 2)
ASKED = [
    State.VERIFYING_IDENTITY,
    State.CONFIRMING_BALANCE,
    State.CHOOSING_AMOUNT,
    State.CARD_NUMBER_ENTRY,
    State.READY_TO_COMPLETE,
    State.PAYMENT_COMPLETED,
    State.PAYMENT_DECLINED,
    State.PAYMENT_CANCELLED,
]


@pytest.mark.parametrize("language", ["en", "es", "fr"])
@pytest.mark.parametrize("state", ASKED)
def test_wherever_the_caller_is_asked_there_is_something_to_say(state: State, language: str) -> None:
    """In their language; in one that is not known, in English."""
    sayings = offers.sayings(state, language, DEMO[0])

    assert len(sayings) > 3
    assert len(sayings) == len(set(sayings))
    assert ("Quiero hablar con una persona." in sayings) == (language == "es")


@pytest.mark.parametrize("state", [State.ENDED, State.HANDING_OFF])
def test_where_nobody_listens_nothing_is_offered(state: State) -> None:
    """The call is over, or about to be."""
    assert offers.sayings(state, "en", DEMO[0]) == []


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("who", DEMO, ids=lambda who: who.account.id)
def test_an_introduction_is_understood(who: offers.Entry, language: str) -> None:
    """By the scripted model, and as the account's own date."""
    said = offers.introduction(who, language)

    assert full_name(said) == who.account.name
    assert parse_birth_date(birth_date(said)) == who.birth_date


def test_each_card_does_what_it_says() -> None:
    """At the stand-in's own rules and processor."""
    rules = cards.Rules(frozenset({"visa"}), 0, TODAY)
    keyed = {
        name: {capture: keys.rstrip("#") for capture, keys in card.keys.items()}
        for name, card in offers.demo_cards(TODAY).items()
    }
    errors = {
        name: [
            cards.error_of(field.capture, keys[field.capture], keys[cards.CARD_NUMBER], rules)
            for field in FIELDS.values()
        ]
        for name, keys in keyed.items()
    }

    assert errors["good"] == errors["declined"] == [""] * 4
    assert errors["wrong"][0] == "invalid-card-number"
    assert errors["expired"][:2] == ["", "invalid-date"]
    assert cards.refusal_of(keyed["good"][cards.CARD_NUMBER]) == 0
    assert cards.refusal_of(keyed["declined"][cards.CARD_NUMBER]) == 64012


def test_people_are_known_by_their_account() -> None:
    """Or not at all."""
    assert offers.known(DEMO, "A-1003") is DEMO[2]
    assert offers.known(DEMO, "A-9999") is None
