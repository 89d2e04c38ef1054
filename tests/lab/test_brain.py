"""The scripted model's decisions: what was said and what is offered lead to words or one tool."""

from __future__ import annotations

import json
from typing import Any

import pytest

from payagent.lab.brain import TALK_INSTEAD_OF_CAPTURE, Brain, Reply

ALWAYS = ["human_agent_handoff", "switch_language"]
CANCEL = ["cancel_payment_processing"]
VERIFYING = ["verify_user", *ALWAYS]
CONFIRMING = ["check_pending_bill", "confirm_balance", *ALWAYS]
CHOOSING = ["check_pending_bill", "check_payment_options", "start_payment", "end_call", *ALWAYS]
CARD_DUE = ["capture_payment_card_number", *CANCEL, *ALWAYS]
CAPTURES = [f"capture_{field}" for field in ("payment_card_number", "expiration_date", "security_code")]
READY = ["complete_payment_processing", *CAPTURES, *CANCEL, *ALWAYS]
DECLINED = ["start_payment", *CANCEL, "end_call", *ALWAYS]
CANCELLED = ["check_payment_options", "start_payment", "end_call", *ALWAYS]
COMPLETED = ["check_pending_bill", "end_call", *ALWAYS]
BALANCE = "You owe six hundred dollars for office visit. Is that right?"


def user(words: str) -> dict[str, Any]:
    return {"role": "user", "content": words}


def agent(words: str) -> dict[str, Any]:
    return {"role": "assistant", "content": words}


def called(name: str, **arguments: Any) -> list[dict[str, Any]]:
    call = {"id": "c1", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "ok"},
    ]


def decide(messages: list[dict[str, Any]], offered: list[str], mode: str = "plain") -> Reply:
    return Brain(mode).decide([{"role": "system", "content": "You are an agent."}, *messages], offered)


@pytest.mark.parametrize(
    ("offered", "said", "tool", "arguments"),
    [
        (
            VERIFYING,
            "John Doe, May 1st, 1990",
            "verify_user",
            {"full_name": "John Doe", "date_of_birth": "May 1st, 1990"},
        ),
        (CONFIRMING, "Yes, that's right.", "confirm_balance", {"agreed": True}),
        (CONFIRMING, "Sí, es correcto.", "confirm_balance", {"agreed": True}),
        (CONFIRMING, "Yes, and all of it.", "confirm_balance", {"agreed": True}),
        (CONFIRMING, "No, that's not right.", "confirm_balance", {"agreed": False}),
        (CONFIRMING, "What about the other bill?", "check_pending_bill", {"bill": None}),
        (CONFIRMING, "I mean the vaccination bill.", "check_pending_bill", {"bill": "vaccination"}),
        (CONFIRMING, "Yes, I want to pay my bill.", "confirm_balance", {"agreed": True}),
        (CHOOSING, "All of it, please.", "start_payment", {"amount": "600.00"}),
        (CHOOSING, "the full amount", "start_payment", {"amount": "600.00"}),
        (CHOOSING, "I'll pay the whole bill", "start_payment", {"amount": "600.00"}),
        (CHOOSING, "Todo, por favor.", "start_payment", {"amount": "600.00"}),
        (CHOOSING, "half of it", "start_payment", {"amount": "300.00"}),
        (CHOOSING, "200 dollars", "start_payment", {"amount": "200.00"}),
        (CHOOSING, "two hundred", "start_payment", {"amount": "200.00"}),
        (CHOOSING, "No, two hundred dollars.", "start_payment", {"amount": "200.00"}),
        (CHOOSING, "What are my options?", "check_payment_options", {}),
        (CHOOSING, "No, thanks, that's all.", "end_call", {}),
        (CHOOSING, "Eso es todo, gracias.", "end_call", {}),
        (CARD_DUE, "Okay, I'm ready.", "capture_payment_card_number", {}),
        (CARD_DUE, "Can you ask me again?", "capture_payment_card_number", {}),
        (CARD_DUE, "Please cancel that.", "cancel_payment_processing", {}),
        (READY, "Yes, go ahead.", "complete_payment_processing", {}),
        (READY, "No.", "cancel_payment_processing", {}),
        (READY, "Wait, I typed the expiration date wrong.", "capture_expiration_date", {}),
        (READY, "The card number again, please", "capture_payment_card_number", {}),
        (DECLINED, "No, stop here.", "cancel_payment_processing", {}),
        (CANCELLED, "No, thank you. Goodbye.", "end_call", {}),
        (COMPLETED, "No.", "end_call", {}),
        (COMPLETED, "Yes, the next bill.", "check_pending_bill", {"bill": None}),
        (VERIFYING, "¿Puede hablar español?", "switch_language", {"language": "es"}),
        (READY, "English, please", "switch_language", {"language": "en"}),
    ],
)
def test_words_lead_to_the_tool_they_mean(offered: list[str], said: str, tool: str, arguments: dict[str, Any]) -> None:
    """One tool, with its arguments as the app takes them."""
    reply = decide([agent(BALANCE), user(said)], offered)

    assert ("", tool, arguments) == (reply.words, reply.tool, reply.arguments)


@pytest.mark.parametrize(
    ("offered", "said"),
    [
        (VERIFYING, "I want to pay my bill."),
        (VERIFYING, "Jane Smith."),
        (CONFIRMING, "Why do I owe that?"),
        (CHOOSING, "Hmm."),
        (CARD_DUE, "Just a moment, my card is in the car."),
        (CARD_DUE, "Why do you need that?"),
        (READY, "What happens then?"),
        (READY, "Is it right that it's safe?"),
        (["cancel_payment_processing"], "Are you there?"),
    ],
)
def test_other_words_are_answered_in_words(offered: list[str], said: str) -> None:
    """Half an identity, side questions and mumbling call no tool, and no amount or outcome is named."""
    reply = decide([agent(BALANCE), user(said)], offered)

    assert reply.words
    assert not reply.tool
    assert not any(word in reply.words for word in ("dollar", "paid", "charged", "declined"))


def test_a_person_is_asked_for_with_a_reason() -> None:
    """The reason is in the caller's words."""
    reply = decide([user("I'd rather talk to a person.")], CARD_DUE)

    assert reply.tool == "human_agent_handoff"
    assert "talk to a person" in reply.arguments["reason"]


def test_identity_is_put_together_from_two_utterances() -> None:
    """The date may come after a question for it."""
    reply = decide([user("It's Jane Smith."), agent("And your date of birth?"), user("May 15 1985")], VERIFYING)

    assert reply.arguments == {"full_name": "Jane Smith", "date_of_birth": "May 15 1985"}


def test_identity_is_not_made_of_what_failed_before() -> None:
    """After a try that matched nobody both are asked for anew."""
    tried = [user("John Doe, May 1 1990"), *called("verify_user"), agent("No account. Once more, please.")]

    assert decide([*tried, user("Jon Doe")], VERIFYING).tool == ""


def test_one_utterance_may_agree_and_name_the_amount() -> None:
    """After the tool for its first half the second half is acted on."""
    first = [agent(BALANCE), user("Yes, and all of it."), *called("confirm_balance", agreed=True)]

    assert (
        decide(first, CHOOSING).tool,
        decide(first, CHOOSING).arguments,
    ) == ("start_payment", {"amount": "600.00"})


def test_the_same_words_do_not_call_a_tool_twice() -> None:
    """A yes that was used is used up."""
    reply = decide([agent(BALANCE), user("Yes."), *called("confirm_balance", agreed=True)], CONFIRMING)

    assert reply.tool == ""


@pytest.mark.parametrize("said", ["Yes, another card.", "Let me try again.", "Sure."])
def test_another_card_is_for_the_same_amount(said: str) -> None:
    """The amount is the one of the payment that was declined, not the balance."""
    paid = [agent(BALANCE), user("200 dollars"), *called("start_payment", amount="200.00")]

    reply = decide([*paid, agent("Declined. Another card?"), user(said)], DECLINED)

    assert (reply.tool, reply.arguments) == ("start_payment", {"amount": "200.00"})


def test_a_field_that_is_due_is_asked_for_when_nothing_waits_for_an_answer() -> None:
    """After a callback the turn has no new words of the caller."""
    so_far = [user("all of it"), *called("start_payment", amount="600.00"), agent("About to pay.")]

    assert decide(so_far, CARD_DUE).tool == "capture_payment_card_number"
    note = {"role": "developer", "content": "The card number is due."}
    assert decide([*so_far, note], CARD_DUE).tool == "capture_payment_card_number"


def test_a_capture_that_was_just_answered_is_not_repeated() -> None:
    """A refused tool leads to words, not to a loop."""
    reply = decide([user("again please"), *called("capture_payment_card_number")], CARD_DUE)

    assert reply.words


def test_the_charge_needs_a_go_ahead() -> None:
    """With every field in and nothing said the model does not complete."""
    reply = decide([user("ok"), agent("Shall I charge six hundred dollars?")], READY)

    assert reply.tool == ""


def test_a_talking_model_talks_instead_of_capturing() -> None:
    """But does what the caller asks for."""
    so_far = [user("all of it"), *called("start_payment", amount="600.00"), agent("About to pay.")]

    assert decide(so_far, CARD_DUE, TALK_INSTEAD_OF_CAPTURE).tool == ""
    assert decide([*so_far, user("Cancel it.")], CARD_DUE, TALK_INSTEAD_OF_CAPTURE).tool == "cancel_payment_processing"


def test_scripted_replies_go_first() -> None:
    """They may call what is not offered: that is how refusals are tried."""
    brain = Brain(script=[Reply(tool="complete_payment_processing")])

    assert brain.decide([user("hi")], VERIFYING).tool == "complete_payment_processing"
    assert brain.decide([user("hi")], VERIFYING).words


def test_spanish_is_answered_in_spanish() -> None:
    """By what the caller speaks, or by the last switch."""
    assert "Necesito" in decide([user("Hola, quiero pagar mi factura.")], VERIFYING).words
    switched = [user("Spanish"), *called("switch_language", language="es"), agent("Hablaré español."), user("Hm")]
    assert "Necesito" in decide(switched, VERIFYING).words


def test_hidden_arguments_in_the_history_are_tolerated() -> None:
    """The app cuts or hides some of them."""
    broken = called("start_payment")
    broken[0]["tool_calls"][0]["function"]["arguments"] = '{"amount": "2'

    assert decide([user("200"), *broken, agent("Declined."), user("Another card")], DECLINED).tool == ""
