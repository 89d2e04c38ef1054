"""The three webhooks: what they record, and the TwiML they answer with."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from front import (
    CALL,
    NUMBER,
    OTHER_CALL,
    PUBLIC,
    RELAY,
    WORKFLOW,
    Front,
    Relay,
    RestHost,
    callback,
    choose_all,
    element,
    ended,
    kinds,
    opened,
    read,
    ringing,
    served,
    to_a_person,
)

from payagent.flow import events as ev
from payagent.flow.states import State
from payagent.lab import verbs

CARD = {
    "callSid",
    "reason",
    "state",
    "verified",
    "amount",
    "currency",
    "lastFour",
    "attempts",
    "lastError",
    "payment",
    "nextSafeAction",
}


# The phone rings


async def test_an_incoming_call_is_connected_to_the_relay(tmp_path: Path) -> None:
    """By TwiML that Twilio takes without a word: greeting, both languages, a token, no query in the URL."""
    async with opened(tmp_path, WELCOME_GREETING='Hello & welcome to "A<B".') as front:
        (relay,) = read(await front.post("/api/incoming-call", ringing()))

        assert isinstance(relay, verbs.Relay)
        assert (relay.url, relay.action) == (RELAY, f"{PUBLIC}/api/action")
        assert relay.greeting == 'Hello & welcome to "A<B".'
        assert (relay.language, sorted(relay.languages)) == ("en-US", ["en-US", "es-US"])
        assert (relay.dtmf, relay.interruptible, relay.greeting_interruptible) == (True, True, True)
        assert relay.parameters.keys() == {"token"}
        assert urlsplit(relay.url).query == ""


async def test_words_of_a_barge_in_are_heard_and_keys_are_not_speech(tmp_path: Path) -> None:
    """Twilio's defaults would lose the one (since May 2025) and let a key cut the agent off."""
    async with opened(tmp_path) as front:
        noun = element(await front.post("/api/incoming-call", ringing()), "Connect/ConversationRelay")

        assert (noun.get("interruptible"), noun.get("welcomeGreetingInterruptible")) == ("speech", "speech")
        assert noun.get("reportInputDuringAgentSpeech") == "any"


async def test_without_language_keys_no_key_is_reported(tmp_path: Path) -> None:
    """A blank `LANGUAGE_KEYS` turns keypad detection off altogether."""
    async with opened(tmp_path, LANGUAGE_KEYS="") as front:
        noun = element(await front.post("/api/incoming-call", ringing()), "Connect/ConversationRelay")

        assert (noun.get("dtmfDetection"), noun.get("reportInputDuringAgentSpeech")) == ("false", "speech")


async def test_voices_come_from_the_settings(tmp_path: Path) -> None:
    """Each language names who speaks, with which voice, and who listens, with which model."""
    changes = {"ES_TTS_PROVIDER": "Amazon", "ES_VOICE": "Lupe-Neural", "ES_LANGUAGE": "es-MX"}
    heard_by = {"ES_TRANSCRIPTION_PROVIDER": "Deepgram", "ES_SPEECH_MODEL": "nova-2-general"}
    async with opened(tmp_path, **changes, **heard_by) as front:
        answer = await front.post("/api/incoming-call", ringing())
        spanish = element(answer, "Connect/ConversationRelay/Language[@code='es-MX']")

        read(answer)
        assert spanish.attrib == {
            "code": "es-MX",
            "ttsProvider": "Amazon",
            "voice": "Lupe-Neural",
            "transcriptionProvider": "Deepgram",
            "speechModel": "nova-2-general",
        }


async def test_the_record_does_not_know_the_callers_number(tmp_path: Path) -> None:
    """Its last four, and a keyed hash that is the same for the same number."""
    async with opened(tmp_path) as front:
        for call_sid, caller in ((CALL, "+15551230100"), (OTHER_CALL, "+15551230100"), ("CA" + "03" * 16, "anonymous")):
            await front.post("/api/incoming-call", ringing(call_sid, From=caller))
        (first,), (second,) = await front.events(ev.CallStarted), await front.events(ev.CallStarted, OTHER_CALL)
        (nameless,) = await front.events(ev.CallStarted, "CA" + "03" * 16)

        assert (first.caller, nameless.caller, nameless.caller_id) == ("***0100", "anonymous", "")
        assert first.caller_id == second.caller_id != ""
        assert b"15551230100" not in front.database.read_bytes() + (tmp_path / "payagent.db-wal").read_bytes()


async def test_a_second_delivery_is_answered_the_same_way(tmp_path: Path) -> None:
    """Twilio may ask again for a call it has already told of; also while the first is being answered."""
    async with opened(tmp_path) as front:
        together = await asyncio.gather(*(front.ring() for _ in range(3)))
        later = await front.ring()

        assert {relay.greeting for relay in together} == {later.greeting} != {""}
        assert kinds(await front.steps()) == ["call_started"]


@pytest.mark.parametrize(
    ("changes", "verb"),
    [({}, verbs.Enqueue), ({"TWILIO_WORKFLOW_SID": ""}, verbs.Dial)],
)
async def test_a_call_that_cannot_be_recorded_is_passed_on(
    changes: dict[str, str], verb: type[verbs.Verb], tmp_path: Path
) -> None:
    """Nothing is done without a record; a person needs none. The card is whole."""
    async with opened(tmp_path, **changes) as front:
        front.break_record()
        told, route = read(await front.post("/api/incoming-call", ringing()))

        assert told == verbs.Say(TROUBLE)
        assert isinstance(route, verb)
        if isinstance(route, verbs.Enqueue):
            card = json.loads(route.task)
            assert card.keys() == CARD
            assert (card["callSid"], card["verified"], card["payment"]) == (CALL, False, "not_paid")
        assert await front.steps() == []


async def test_a_flood_of_one_caller_is_rejected(tmp_path: Path) -> None:
    """As busy, which costs nobody anything: no record, no session. A call told of twice is one, and others ring."""
    calls = ["CA" + f"{n:02d}" * 16 for n in range(10, 20)]
    async with opened(tmp_path, CALLS_PER_MINUTE=2) as front:
        answers = [await front.post("/api/incoming-call", ringing(call)) for call in calls for _ in range(2)]
        other = await front.post("/api/incoming-call", ringing(OTHER_CALL, From="+15550123"))
        rejected = [answer.text.count('<Reject reason="busy"') for answer in answers]

        assert rejected == [0] * 4 + [1] * 16
        assert "<Connect" in other.text
        assert [await front.steps(call) for call in calls[2:]] == [[]] * 8


async def test_calls_at_once_are_bounded(tmp_path: Path) -> None:
    """Whoever makes them."""
    async with opened(tmp_path, MAX_CALLS=1) as front:
        await front.ring()
        answer = await front.post("/api/incoming-call", ringing(OTHER_CALL, From="anonymous"))

        assert "<Reject" in answer.text
        assert isinstance(await front.ring(), verbs.Relay)


# A payment has news


async def test_a_callback_is_answered_when_it_is_on_the_record(tmp_path: Path) -> None:
    """204 with nothing in it."""
    async with opened(tmp_path) as front:
        await front.ring()
        answer = await front.post("/api/status-callback", callback())

        assert (answer.status_code, answer.content) == (204, b"")
        assert kinds(await front.steps()) == ["call_started", "key_pressed"]


@pytest.mark.parametrize("headers", [{}, {"I-Twilio-Idempotency-Token": "a-token"}])
async def test_a_callback_told_twice_is_recorded_once(headers: dict[str, str], tmp_path: Path) -> None:
    """204 both times; told apart by Twilio's idempotency token, or by the body."""
    rest = RestHost()
    rest.opens.set()
    async with served(tmp_path, rest) as front, front.relay((await front.ring()).parameters["token"]) as relay:
        await choose_all(relay)
        await relay.until("key in your card number")
        done = callback(PartialResult="false", PaymentCardNumber="xxxxxxxxxxxx4242", Required="expiration-date")
        answers = [await front.post("/api/status-callback", done, **headers) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [204, 204]
        assert len(await front.events(ev.FieldCaptured)) == 1


@pytest.mark.promise(8)
async def test_a_callback_that_cannot_be_recorded_is_not_taken(tmp_path: Path) -> None:
    """503; nothing has happened, and a later delivery may still come through."""
    async with opened(tmp_path) as front:
        await front.ring()
        front.break_record()
        answer = await front.post("/api/status-callback", callback())

        assert (answer.status_code, answer.text) == (503, "not recorded\n")
        assert kinds(await front.steps()) == ["call_started"]
        front.mend_record()
        assert (await front.post("/api/status-callback", callback())).status_code == 204


@pytest.mark.promise(8)
async def test_a_success_that_cannot_be_recorded_is_answered_once_it_is_on_the_disk(tmp_path: Path) -> None:
    """204, since Twilio would not send it again; it holds no card data, and is recorded when that can be."""
    paid = callback(Result="success", PaymentConfirmationCode="ch_1", PaymentCardNumber="xxxxxxxxxxxx4242")
    async with opened(tmp_path) as front:
        await front.ring()
        front.break_record()
        answer = await front.post("/api/status-callback", paid | {"ExpirationDate": "0731", "PaymentToken": "tok_1"})
        (file,) = (tmp_path / "payagent.db.spool").glob("*.json")
        kept = file.read_text()
        front.mend_record()
        await front.app.state.desk.switchboard.sweep()

        assert answer.status_code == 204
        assert ("ch_1" in kept, "0731" in kept, "tok_1" in kept) == (True, False, False)
        assert [event.confirmation for event in await front.events(ev.PaymentSucceeded)] == ["ch_1"]
        assert list(file.parent.iterdir()) == []


@pytest.mark.promise(8)
async def test_a_success_that_cannot_be_kept_either_is_not_taken(tmp_path: Path) -> None:
    """503: nobody is told that it is safe."""
    async with opened(tmp_path) as front:
        await front.ring()
        front.break_record()
        (tmp_path / "payagent.db.spool").rmdir()

        assert (await front.post("/api/status-callback", callback(Result="success"))).status_code == 503


async def test_unknown_values_of_a_callback_are_taken(tmp_path: Path) -> None:
    """Twilio's lists grow; a callback this program does not understand is recorded, and is no success."""
    async with opened(tmp_path) as front:
        await front.ring()
        for news in ({"Result": "made-up"}, {"ErrorType": "made-up"}, {"Capture": "shoe-size", "Required": "hat"}):
            assert (await front.post("/api/status-callback", callback(**news))).status_code == 204

        assert await front.events(ev.PaymentSucceeded) == []


# A verb of ours is over


async def test_a_lost_relay_is_connected_again_a_bounded_number_of_times(tmp_path: Path) -> None:
    """Without a second greeting; then the caller is told so and goes to a person."""
    async with opened(tmp_path, RECONNECTS=2) as front:
        first = await front.ring()
        answers = [read(await front.post("/api/action", ended("failed", ErrorCode="39001"))) for _ in range(3)]
        again = answers[0][0]

        assert isinstance(again, verbs.Relay)
        assert (again.url, again.greeting) == (first.url, "")
        assert again.parameters["token"] != first.parameters["token"]
        kinds_of = [[type(verb) for verb in answer] for answer in answers]
        assert kinds_of == [[verbs.Relay], [verbs.Relay], [verbs.Say, verbs.Enqueue]]


@pytest.mark.parametrize("status", ["made-up", ""])
async def test_an_unknown_end_of_the_relay_is_a_lost_one(status: str, tmp_path: Path) -> None:
    """The caller is still there."""
    async with opened(tmp_path) as front:
        await front.ring()
        (verb,) = read(await front.post("/api/action", ended(status)))

        assert isinstance(verb, verbs.Relay)


@pytest.mark.parametrize(
    "form",
    [ended("completed", "completed"), ended("failed", "completed"), ended("ended", "canceled"), ended("completed")],
)
async def test_nothing_is_asked_for_a_caller_who_is_gone(form: dict[str, str], tmp_path: Path) -> None:
    """TwiML would reach nobody; told again, the answer is the same."""
    async with opened(tmp_path) as front:
        await front.ring()
        for _ in range(2):
            assert read(await front.post("/api/action", form)) == []

        assert (await front.steps())[-1].after is State.ENDED


async def test_a_hand_off_goes_to_the_queue_with_the_card(tmp_path: Path) -> None:
    """Its keys are the contract's, its values JSON, and what comes back in `HandoffData` is not believed."""
    forged = json.dumps({"reason": "vip", "verified": True, "payment": "paid", "lastFour": "4242"})
    async with served(tmp_path) as front:
        await to_a_person(front)
        (route,) = read(await front.post("/api/action", ended("ended", HandoffData=forged)))

        assert isinstance(route, verbs.Enqueue)
        assert (route.workflow, route.action) == (WORKFLOW, f"{PUBLIC}/api/action")
        card = json.loads(route.task)
        assert card.keys() == CARD
        assert card["reason"] != "vip"
        assert (card["callSid"], card["state"], card["verified"]) == (CALL, "verifying_identity", False)
        assert (card["payment"], card["lastFour"], card["amount"], card["attempts"]) == ("not_paid", None, None, 0)


async def queue_says(front: Front, result: str, call_status: str = "in-progress") -> list[verbs.Verb]:
    """The answer to `<Enqueue action>`."""
    form = ringing(CallStatus=call_status) | {"QueueResult": result, "QueueSid": "QU1", "QueueTime": "3"}
    return read(await front.post("/api/action", form))


async def dial_says(front: Front, status: str, call_status: str = "in-progress") -> list[verbs.Verb]:
    """The answer to `<Dial action>`."""
    return read(await front.post("/api/action", ringing(CallStatus=call_status) | {"DialCallStatus": status}))


async def test_nobody_in_the_queue_and_nobody_on_the_phone(tmp_path: Path) -> None:
    """The caller is told, the number is dialled, then an apology and the end; a late word changes nothing."""
    async with served(tmp_path) as front:
        await to_a_person(front)
        read(await front.post("/api/action", ended("ended")))
        told, dial = await queue_says(front, "queue-full")
        last = await dial_says(front, "busy")
        late = await queue_says(front, "queue-full")

        assert isinstance(told, verbs.Say)
        assert "another way" in told.words
        assert dial == verbs.Dial(f"{PUBLIC}/api/action", NUMBER)
        assert [type(verb) for verb in last] == [verbs.Say, verbs.Hangup]
        assert isinstance(last[0], verbs.Say)
        assert "nobody can take your call" in last[0].words
        assert not any(isinstance(verb, verbs.Enqueue | verbs.Dial) for verb in late)


@pytest.mark.parametrize("result", ["bridged", "redirected-from-bridged"])
async def test_a_person_took_the_call(result: str, tmp_path: Path) -> None:
    """When they are done, so is the call."""
    async with served(tmp_path) as front:
        await to_a_person(front)
        read(await front.post("/api/action", ended("ended")))

        assert await queue_says(front, result) in ([], [verbs.Hangup()])
        assert (await front.steps())[-1].after is State.ENDED


async def test_a_hang_up_in_the_queue_is_a_hang_up(tmp_path: Path) -> None:
    """The other route is not rung for nobody."""
    async with served(tmp_path) as front:
        await to_a_person(front)
        read(await front.post("/api/action", ended("ended")))

        assert not any(isinstance(verb, verbs.Dial) for verb in await queue_says(front, "hangup", "completed"))
        assert (await front.steps())[-1].after is State.ENDED


async def test_a_number_alone_is_dialled_at_once(tmp_path: Path) -> None:
    """Without a workflow there is no queue, and nothing is left when the number is busy."""
    async with served(tmp_path, TWILIO_WORKFLOW_SID="") as front:
        await to_a_person(front)
        (dial,) = read(await front.post("/api/action", ended("ended")))

        assert dial == verbs.Dial(f"{PUBLIC}/api/action", NUMBER)
        assert [type(verb) for verb in await dial_says(front, "no-answer")] == [verbs.Say, verbs.Hangup]


# Without a record

TROUBLE = "I'm sorry, I'm having trouble right now. A colleague will help you."


async def test_a_caller_whose_line_cannot_be_recorded_goes_to_a_person(tmp_path: Path) -> None:
    """Told the truth, in their language, with a card; nobody hears Twilio's own error."""
    async with served(tmp_path) as front, front.relay((await front.ring()).parameters["token"]) as relay:
        await relay.say("My name is John Doe, and I was born on May 1st, 1990.", "Is that right")
        await relay.send({"type": "dtmf", "digit": "1"})
        await relay.until("español")
        front.break_record()
        told, route = read(await front.post("/api/action", ended("failed")))
        assert isinstance(told, verbs.Say)
        assert isinstance(route, verbs.Enqueue)
        card = json.loads(route.task)

        assert told == verbs.Say("Lo siento, tengo dificultades en este momento. Un colega le ayudará.")
        assert (card["reason"], card["state"]) == ("the record cannot be written", "confirming_balance")
        assert (card["verified"], card["payment"]) == (True, "not_paid")
        front.mend_record()


async def test_a_caller_of_a_call_that_cannot_be_read_goes_to_a_person_too(tmp_path: Path) -> None:
    """After a restart with the record gone nothing is known but that somebody is on the line."""
    async with opened(tmp_path, TWILIO_WORKFLOW_SID="") as front:
        await front.journal.close()
        told, route = read(await front.post("/api/action", ended("ended")))

        assert told == verbs.Say(TROUBLE)
        assert isinstance(route, verbs.Dial)


@pytest.mark.promise(3)
async def test_a_charge_that_may_be_made_is_told_as_unknown(tmp_path: Path) -> None:
    """Never as paid, never as not paid."""
    rest = RestHost()
    async with (
        served(tmp_path, rest, PACE="automatic") as front,
        front.relay((await front.ring()).parameters["token"]) as relay,
    ):
        await charge(rest, front, relay)
        front.break_record()
        told, route = read(await front.post("/api/action", ended("failed")))
        assert isinstance(told, verbs.Say)
        assert isinstance(route, verbs.Enqueue)
        card = json.loads(route.task)
        front.mend_record()

        assert "I don't know whether your card was charged" in told.words
        assert (card["payment"], card["lastFour"], card["amount"]) == ("unknown", "4242", "600.00")


async def charge(rest: RestHost, front: Front, relay: Relay) -> None:
    """Automatic pace: John Doe pays 600.00 with a card that ends in 4242; the charge is at the processor."""
    rest.opens.set()
    await choose_all(relay)
    left = ["payment-card-number", "expiration-date", "security-code"]
    for field in list(left):
        await relay.until({"payment-card-number": "card number", "expiration-date": "expiration"}.get(field, "code"))
        left.remove(field)
        done = callback(Capture=field, PartialResult="false", PaymentCardNumber="xxxxxxxxxxxx4242")
        await front.post("/api/status-callback", done | {"Required": ",".join(left)})
    await relay.until("processing your payment")


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (ended("completed", "completed"), []),
        (ringing(CallStatus="in-progress", DialCallStatus="completed"), [verbs.Hangup]),
        (ringing(CallStatus="in-progress", DialCallStatus="busy"), [verbs.Say, verbs.Hangup]),
        (ringing(CallStatus="in-progress", QueueResult="queue-full"), [verbs.Say, verbs.Dial]),
    ],
    ids=["hung up", "a person took it", "nobody on the phone", "nobody in the queue"],
)
async def test_without_a_record_the_call_still_comes_to_an_end(
    form: dict[str, str], said: list[type[verbs.Verb]], tmp_path: Path
) -> None:
    """Each way to a person is tried once."""
    async with opened(tmp_path) as front:
        await front.ring()
        front.break_record()

        assert [type(verb) for verb in read(await front.post("/api/action", form))] == said


async def test_without_a_record_nobody_is_passed_on_after_goodbye(tmp_path: Path) -> None:
    """The call is over as far as this process knows."""
    async with opened(tmp_path) as front:
        await front.ring()
        read(await front.post("/api/action", ended("completed", "completed")))
        front.break_record()

        assert read(await front.post("/api/action", ended("ended"))) == [verbs.Hangup()]
