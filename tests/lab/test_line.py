"""One call through the stand-in: webhooks, the relay's socket, and the TwiML followed to its end."""

from __future__ import annotations

import asyncio

import pytest
from echo_app import CONNECT, HANGUP, PUBLIC, laboratory

from payagent.lab import signing
from payagent.lab.circumstances import Circumstances
from payagent.lab.dialect import Dialect
from payagent.lab.faults import Faults
from payagent.lab.line import APPLICATION_ERROR, Routes

WORKFLOW = "WW" + "0" * 32
ENQUEUE = (
    f'<Response><Enqueue action="/api/action" workflowSid="{WORKFLOW}"><Task>{{"a": 1}}</Task></Enqueue></Response>'
)
DIAL = '<Response><Dial action="/api/action"><Number>+15550123</Number></Dial></Response>'
END = {"type": "end", "handoffData": '{"reason":"human"}'}


async def test_a_call_is_signed_and_set_up() -> None:
    """Webhook and handshake carry valid signatures; the first frame is `setup` with the parameters."""
    async with laboratory() as lab:
        call = await lab.ring()
        await call.say("hello")
        assert await call.until(lambda: len(call.spoken) == 2, 5)

        ring, setup = lab.app.of("/api/incoming-call")[0], lab.app.frames[0]
        assert (ring["CallStatus"], ring["Direction"], ring["FromCity"]) == ("ringing", "inbound", "")
        assert (setup["type"], setup["callSid"], setup["callStatus"]) == ("setup", call.sid, "RINGING")
        assert setup["customParameters"] == {"ticket": "t-1"}
        assert lab.app.frames[1] == {"type": "prompt", "voicePrompt": "hello", "lang": "en-US", "last": True}
        assert call.spoken == ["Hello & welcome.", "You said hello"]
        assert lab.app.forged == lab.twilio.violations == []


async def test_partial_prompts_grow() -> None:
    """Unfinished transcripts first, the whole one last."""
    async with laboratory() as lab:
        call = await lab.ring()
        await call.say("all of it", partials=True)
        await call.until(lambda: len(call.spoken) == 2, 5)

        prompts = [(frame["voicePrompt"], frame["last"]) for frame in lab.app.frames[1:]]
        assert prompts == [("all", False), ("all of", False), ("all of it", True)]


async def test_tokens_are_one_talk_cycle_until_last() -> None:
    """Their spaces are kept."""
    async with laboratory() as lab:
        lab.app.replies["hi"] = [
            {"type": "text", "token": "One", "last": False},
            {"type": "text", "token": " moment"},
            {"type": "text", "token": ".", "last": True},
        ]
        call = await lab.ring()
        await call.say("hi")

        assert await call.until(lambda: call.spoken[-1] == "One moment.", 5)


async def test_an_interrupt_tells_what_was_heard() -> None:
    """Half of what is said, unless told; only where it may be talked over."""
    async with laboratory() as lab:
        lab.app.replies["a"] = [{"type": "text", "token": "one two three four"}]
        lab.app.replies["b"] = [{"type": "text", "token": "You owe money.", "last": True, "interruptible": False}]
        call = await lab.ring()
        await call.say("a")
        await call.until(lambda: bool(call.speaking), 5)
        assert await call.interrupt()
        assert call.spoken[-1] == "one two"

        await call.say("b")
        await call.until(lambda: call.spoken[-1] == "You owe money.", 5)
        assert not await call.interrupt()
        assert [f["utteranceUntilInterrupt"] for f in lab.app.frames if f["type"] == "interrupt"] == ["one two"]


async def test_keys_go_to_the_relay_unless_a_capture_listens() -> None:
    """And nowhere else, unless Twilio leaks."""
    async with laboratory() as lab:
        call = await lab.ring()
        await call.press("1")
        session = await lab.open(call)
        await lab.capture(call, session, "expiration-date", "1230#")
        await call.say("hi")
        await call.until(lambda: len(call.spoken) == 2, 5)

        # the pound after the date completed itself is an ordinary key
        assert [frame["digit"] for frame in lab.app.frames if frame["type"] == "dtmf"] == ["1", "#"]


async def test_leaked_digits_reach_the_relay_too() -> None:
    """With `leak_dtmf`."""
    async with laboratory(faults=Faults(leak_dtmf=True)) as lab:
        call = await lab.ring()
        await lab.capture(call, await lab.open(call), "expiration-date", "1230")
        await call.say("hi")
        await call.until(lambda: len(call.spoken) == 2, 5)

        assert [frame["digit"] for frame in lab.app.frames if frame["type"] == "dtmf"] == list("1230")


async def test_the_language_of_hearing_follows() -> None:
    """A language without its <Language> is a violation."""
    async with laboratory() as lab:
        lab.app.replies["es"] = [{"type": "language", "ttsLanguage": "es-US", "transcriptionLanguage": "es-US"}]
        lab.app.replies["fr"] = [{"type": "language", "ttsLanguage": "fr-FR"}]
        call = await lab.ring()
        await call.say("es")
        await call.until(lambda: "language" in call.followed, 5)
        await call.say("fr")
        await call.until(lambda: bool(lab.twilio.violations), 5)

        assert lab.app.frames[-1]["lang"] == "es-US"
        assert lab.twilio.violations == ["ttsLanguage fr-FR has no <Language>"]


async def test_end_asks_the_action_with_the_hand_off_data() -> None:
    """And its TwiML is followed."""
    async with laboratory() as lab:
        lab.app.replies["bye"] = [END]
        call = await lab.ring()
        await call.say("bye")
        await call.ended()

        (action,) = lab.app.of("/api/action")
        assert (action["SessionStatus"], action["HandoffData"]) == ("ended", '{"reason":"human"}')
        assert action["CallStatus"] == "in-progress"
        assert (call.end, call.followed) == ("hung_up_by_app", ["relay", "end", "hangup"])


@pytest.mark.parametrize(
    ("document", "routes", "field", "end"),
    [
        (ENQUEUE, Routes(queue_result="bridged"), ("QueueResult", "bridged"), "queue"),
        (ENQUEUE, Routes(queue_result="queue-full"), ("QueueResult", "queue-full"), "hung_up_by_app"),
        (DIAL, Routes(dial_status="completed"), ("DialCallStatus", "completed"), "dial"),
        (DIAL, Routes(dial_status="busy"), ("DialCallStatus", "busy"), "hung_up_by_app"),
    ],
)
async def test_hand_offs_come_back_to_the_action(
    document: str, routes: Routes, field: tuple[str, str], end: str
) -> None:
    """With the queue's or the dial's result; the call's end says whether a person took it."""
    async with laboratory(routes=routes) as lab:
        lab.app.replies["person"] = [END]
        lab.app.actions = [document]
        call = await lab.ring()
        await call.say("person")
        await call.ended()

        assert lab.app.of("/api/action")[1][field[0]] == field[1]
        assert call.end == end


async def test_a_hand_off_with_an_open_payment_is_a_violation() -> None:
    """The person could not start one."""
    async with laboratory() as lab:
        lab.app.replies["person"] = [END]
        lab.app.actions = [DIAL]
        call = await lab.ring()
        await lab.open(call)
        await call.say("person")
        await call.ended()

        assert "open payment session" in lab.twilio.violations[0]
        assert lab.twilio.sessions[0].end == "caller-hung-up"


async def test_a_hang_up_is_told_and_its_twiml_ignored() -> None:
    """SessionStatus and CallStatus are `completed`."""
    async with laboratory() as lab:
        lab.app.actions = [CONNECT]
        call = await lab.ring()
        await call.hang_up()

        (action,) = lab.app.of("/api/action")
        assert (action["SessionStatus"], action["CallStatus"]) == ("completed", "completed")
        assert (call.end, call.followed) == ("caller_hung_up", ["relay"])


async def test_a_dropped_line_is_failed_and_connected_anew() -> None:
    """A new session, a new setup, the same call."""
    async with laboratory() as lab:
        lab.app.actions = [CONNECT]
        call = await lab.ring()
        await call.drop_line()
        await call.say("still here")
        await call.until(lambda: "You said still here" in call.spoken, 5)

        (action,) = lab.app.of("/api/action")
        assert (action["SessionStatus"], action["ErrorCode"]) == ("failed", "39001")
        first, second = (frame for frame in lab.app.frames if frame["type"] == "setup")
        assert first["sessionId"] != second["sessionId"]
        assert (second["callSid"], second["callStatus"]) == (call.sid, "IN-PROGRESS")
        assert lab.twilio.violations == []


async def test_an_app_that_closes_the_socket_is_reported() -> None:
    """Without `end` the session failed."""
    async with laboratory() as lab:
        lab.app.replies["crash"] = ["close"]
        call = await lab.ring()
        await call.say("crash")
        await call.ended()

        assert lab.twilio.violations == ["the app closed the relay's socket (1011) without `end` (64105)"]
        assert lab.app.of("/api/action")[0]["SessionStatus"] == "failed"


async def test_a_refused_socket_is_reported() -> None:
    """64102, and the action is asked."""
    async with laboratory() as lab:
        lab.app.refuse_socket = True
        call = await lab.ring()

        assert call.end == "hung_up_by_app"
        assert "64102" in lab.twilio.violations[0]


async def test_ten_bad_messages_in_a_row_close_the_socket() -> None:
    """Each is answered by an `error`; the tenth by a close with 1007."""
    async with laboratory() as lab:
        lab.app.replies["bad"] = ['{"type":"error"}'] * 10
        lab.app.replies["mixed"] = [*['{"type":"error"}'] * 9, {"type": "text", "token": "ok", "last": True}]
        call = await lab.ring()
        await call.say("mixed")
        await call.until(lambda: call.spoken[-1] == "ok", 5)
        assert not call.end

        await call.say("bad")
        await call.ended()
        assert len([violation for violation in lab.twilio.violations if "64107" in violation]) == 19
        assert "(1007)" in lab.twilio.violations[-1]


async def test_card_data_to_the_relay_is_a_violation() -> None:
    """In hand-off data above all."""
    async with laboratory() as lab:
        lab.app.replies["bye"] = [{"type": "end", "handoffData": '{"n": "4242424242424242"}'}]
        call = await lab.ring()
        await call.say("bye")
        await call.ended()

        assert lab.twilio.violations == ["card data in end.handoffData"]


@pytest.mark.parametrize(
    ("incoming", "says"),
    [
        ("<Response><Say>Closed.</Say></Response>", ""),
        (HANGUP, ""),
        ("", "not XML"),
    ],
)
async def test_a_call_may_end_without_a_relay(incoming: str, says: str) -> None:
    """Then it has ended when `place_call` returns."""
    async with laboratory(incoming=incoming) as lab:
        call = await lab.ring()

        assert call.end == "hung_up_by_app"
        assert (call.spoken == ["Closed."]) == ("Closed" in incoming)


async def test_an_app_out_of_reach_is_a_violation() -> None:
    """Nothing listens there."""
    async with laboratory() as lab:
        lab.twilio.point_at("http://127.0.0.1:9")
        call = await lab.ring()

        assert (call.end, call.spoken) == ("application_error", [APPLICATION_ERROR])
        assert lab.twilio.violations == ["/api/incoming-call could not be asked: ConnectError"]


async def test_an_answer_that_is_not_twiml_is_a_violation() -> None:
    """A path that is not served answers 404."""
    async with laboratory() as lab:
        lab.app.incoming = CONNECT.replace('action="/api/action"', 'action="/nowhere"')
        call = await lab.ring()
        await call.hang_up()

        assert lab.twilio.violations == ["/nowhere answered 404 text/plain, not TwiML"]


async def test_an_outage_to_be_expected_is_counted_and_no_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tries, then Twilio has no TwiML to go on with."""
    monkeypatch.setattr(signing, "HELD", 0.0)
    monkeypatch.setattr(signing, "CONNECT_TRY_SECONDS", 0.1)
    async with laboratory(outages=True) as lab:
        lab.twilio.point_at("http://127.0.0.1:9")
        call = await lab.ring()

        assert call.end == "application_error"
        assert lab.twilio.violations == []
        assert lab.twilio.injected == {"/api/incoming-call not delivered": 1}


@pytest.mark.parametrize("held", [0.0, 1.0])
async def test_an_app_that_is_back_in_time_is_asked_a_second_time(held: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a connect that failed is tried again; a balancer may hold the request meanwhile."""
    monkeypatch.setattr(signing, "CONNECT_TRY_SECONDS", 0.2)
    monkeypatch.setattr(signing, "HELD", held)
    async with laboratory(outages=True) as lab:
        origin = lab.twilio.app_url
        lab.twilio.point_at("http://127.0.0.1:9", PUBLIC)
        ringing = asyncio.create_task(lab.ring())
        await asyncio.sleep(0.3 if held else 0.01)  # the balancer waits longer than a second try
        lab.twilio.point_at(origin, PUBLIC)
        call = await ringing

        assert call.spoken == ["Hello & welcome."]
        assert lab.twilio.injected == {}


async def test_a_socket_that_breaks_with_the_server_is_no_violation() -> None:
    """Where outages are expected, the action is asked all the same."""
    async with laboratory(outages=True) as lab:
        lab.app.replies["die"] = ["close"]
        call = await lab.ring()
        await call.say("die")
        await call.until(lambda: call.followed.count("hangup") == 1, 5)  # as the app's action answers

        assert call.followed == ["relay", "hangup"]
        assert lab.twilio.violations == []
        assert lab.twilio.injected["line lost with the server"] == 1


@pytest.mark.parametrize(
    ("order", "told"),
    [
        (("socket", "callback", "action"), ["callback", "action"]),
        (("action", "callback", "socket"), ["action", "callback"]),
        (("callback", "socket"), ["callback"]),
        (("socket", "action"), ["action"]),
        (("socket",), []),
    ],
)
async def test_the_signs_of_a_hang_up_come_in_any_order(order: tuple[str, ...], told: list[str]) -> None:
    """Or not at all; the payment session is closed in each case."""
    async with laboratory(dialect=Dialect(hang_up=order)) as lab:
        call = await lab.ring()
        await lab.open(call)
        await call.hang_up()
        await lab.twilio.settle()

        posts = [path.rpartition("/")[2].removeprefix("status-") for path, form in lab.app.forms if told_of_it(form)]
        assert posts == told
        assert call.end == "caller_hung_up"
        assert [session.end for session in lab.twilio.sessions] == ["caller-hung-up"]
        assert lab.app.forged == lab.twilio.violations == []


def told_of_it(form: dict[str, str]) -> bool:
    return "caller-hung-up" in form.values() or form.get("CallStatus") == "completed"


async def test_a_caller_may_hang_up_in_the_queue() -> None:
    """The action hears of it, and nobody has taken the call."""
    async with laboratory(incoming=ENQUEUE, scale=0.1) as lab:
        ringing = asyncio.create_task(lab.ring())
        await asyncio.sleep(0)
        (call,) = lab.twilio.calls
        await call.until(lambda: bool(call.tasks), 5)
        await call.hang_up()
        await ringing

        (asked,) = lab.app.of("/api/action")
        assert (asked["QueueResult"], asked["CallStatus"]) == ("hangup", "completed")
        assert call.end == "caller_hung_up"


async def test_prompts_may_be_bare_and_come_with_strange_frames() -> None:
    """Without `last` and `lang`; numbers as strings; frames nobody has documented."""
    async with laboratory(dialect=Dialect(bare_prompts=True, extras=True)) as lab:
        lab.app.replies["a"] = [{"type": "text", "token": "one two three four"}]
        call = await lab.ring()
        await call.say("a")
        await call.until(lambda: bool(call.speaking), 5)
        await call.interrupt()
        await call.say("b")
        await call.until(lambda: call.spoken[-1] == "You said b", 5)

        kinds = [frame["type"] for frame in lab.app.frames[1:]]
        assert kinds == ["info", "somethingNew", "prompt", "interrupt", "info", "somethingNew", "prompt"]
        assert lab.app.frames[3] == {"type": "prompt", "voicePrompt": "a"}
        assert lab.app.frames[4]["durationUntilInterruptMs"] == "455"


async def test_each_call_has_circumstances_of_its_own() -> None:
    """What goes wrong in one leaves the other alone."""
    async with laboratory() as lab:
        troubled = await lab.twilio.place_call("+15550101", Circumstances(Faults(duplicate_callbacks=True)))
        calm = await lab.ring()
        for call in (troubled, calm):
            await lab.open(call)

        told = [form["CallSid"] for form in lab.app.callbacks]
        assert (told.count(troubled.sid), told.count(calm.sid)) == (2, 1)
        assert lab.twilio.injected == troubled.circumstances.injected == {"callback twice": 1}


async def test_a_caller_may_hang_up_while_the_relay_connects() -> None:
    """Then the socket is closed at once, and the call is over."""
    async with laboratory() as lab:
        ringing = asyncio.create_task(lab.ring())
        await asyncio.sleep(0)
        (call,) = lab.twilio.calls
        await call.until(lambda: bool(call.followed), 5)
        await asyncio.wait_for(call.hang_up(), 5)
        await ringing

        assert (call.end, call.spoken) == ("caller_hung_up", [])
        assert [frame["type"] for frame in lab.app.frames] in ([], ["setup"])
