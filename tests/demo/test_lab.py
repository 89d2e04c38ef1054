"""The lab by its own wire: calls, faults, time, and who may ask for what."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from tab import Tab

from payagent.demo.run import lab
from payagent.lab.brain import Brain
from payagent.lab.model import ScriptedModel
from payagent.lab.serving import serve
from payagent.rehearsal import RealModel

OpenTab = Callable[[], AbstractAsyncContextManager[Tab]]

CARD, EXPIRY = "4242424242424242", "1230"


async def test_a_whole_call_by_word_and_key(tab: Tab) -> None:
    """Everything comes by: states, tools, words and whose they are, callbacks, money, what to say next."""
    await tab.introduced()
    await tab.ask("say", words="Yes, and a hundred and twenty dollars, please.")
    for field, keys in (("payment-card-number", f"{CARD}#"), ("expiration-date", EXPIRY), ("security-code", "123")):
        await tab.listening(field)
        await tab.ask("press", keys=keys)
    await tab.heard("Shall I charge one hundred and twenty dollars")
    await tab.ask("say", words="Yes, go ahead.")
    paid = await tab.in_state("payment_completed")
    await tab.until(lambda news: news["kind"] == "people")
    await tab.ask("say", words="No thanks, bye.")
    ended = await tab.until(lambda news: news["kind"] == "ended")

    (charge,) = tab.of("charge")
    assert charge["amount"] == "120.00 USD"
    assert paid["money"] | {"confirmation": ""} == {
        "name": "John Doe",
        "bill": "office visit",
        "owed": "600.00 USD",
        "agreed": "120.00 USD",
        "outcome": "paid",
        "confirmation": "",
        "card": "visa •••• 4242",
    }
    assert paid["money"]["confirmation"] == charge["confirmation"]
    assert paid["tools"] == ["check_pending_bill", "switch_language", "human_agent_handoff", "end_call"]
    assert tab.of("people")[-1]["people"][0]["owes"] == [{"bill": "office visit", "amount": "480.00"}]
    assert ended["how"] == "hung_up_by_app"
    assert {news["voice"] for news in tab.of("voice")} == {"fixed"}
    assert [news["operation"] for news in tab.of("rest")] == ["create", "capture", "capture", "capture", "complete"]
    assert tab.of("sayings")[0]["sayings"][0] == "I'm John Doe, born on May 1, 1990."
    assert any("Yes, go ahead." in news["sayings"] for news in tab.of("sayings"))


async def test_no_key_and_no_field_of_a_card_is_shown(tab: Tab) -> None:
    """Nor a number said aloud: of a card, type and last four."""
    await tab.introduced()
    await tab.ask("say", words="Yes, all of it.")
    await tab.in_state("card_number_entry")
    await tab.ask("say", words=f"My card number is {CARD}")
    await tab.until(lambda news: news["kind"] == "caller" and news["cut"])
    await tab.ask("card", card="good")
    await tab.heard("Shall I charge")
    shown = json.dumps(tab.news)

    assert "4242" in shown
    assert CARD not in shown
    for callback in tab.of("callback"):
        assert callback.keys() <= {"kind", "name", "field", "required", "card", "last_four"}
    assert all(news == {"kind": "key"} for news in tab.of("key"))
    assert len(tab.of("key")) == 17 + 4 + 3


async def test_words_of_the_model_come_piece_by_piece(tab: Tab) -> None:
    """And are told from the fixed sentences."""
    await tab.ask("ring")
    await tab.heard("date of birth")
    await tab.ask("say", words="Hm, what?")
    await tab.until(lambda news: news["kind"] == "voice" and news["voice"] == "model")

    assert len(tab.of("token")) > 2
    assert "".join(news["words"] for news in tab.of("token")).strip() == tab.of("agent")[-1]["words"]


async def test_two_tabs_do_not_mix(open_tab: OpenTab) -> None:
    """Each has its own call, its own book and its own clock."""
    async with open_tab() as one, open_tab() as other:
        await asyncio.gather(one.introduced(), other.ask("ring"))
        await other.heard("date of birth")
        await one.ask("clock", rate=0)
        await other.ask("say", words="I'm Alice Johnson, born July 20 1992")
        await other.heard("six hundred and fifty dollars for physical therapy")

        assert not [news for news in one.of("agent") if "physical" in news["words"]]
        assert not [news for news in other.of("step") if news["money"]["name"] == "John Doe"]
        assert other.of("clock") == []
        (mine,), (theirs,) = one.of("placed"), other.of("placed")
        assert mine["sid"] != theirs["sid"] or one.of("call")[0]["database"] != other.of("call")[0]["database"]


async def test_a_new_call_follows_without_a_reload(tab: Tab) -> None:
    """On the same line what was paid stays paid; forgetting it, or another set-up, begins anew."""
    await tab.introduced()
    await tab.ask("say", words="Yes, all of it.")
    await tab.in_state("card_number_entry")
    await tab.ask("card", card="good")
    await tab.heard("Shall I charge")
    await tab.ask("say", words="Yes.")
    await tab.heard("went through")
    tab.forget()
    assert await tab.ask("ring") == 204
    await tab.heard("date of birth")
    await tab.ask("say", words="John Doe, May 1st 1990")
    await tab.heard("you owe nothing")

    tab.forget()
    await tab.ask("reset")
    await tab.introduced()
    tab.forget()
    assert await tab.ask("ring", pace="automatic", profile="card_postal_code") == 204
    await tab.until(lambda news: news["kind"] == "line")
    assert tab.of("call")[-1]["pace"] == "automatic"


async def test_a_scenario_is_played_and_judged(tab: Tab) -> None:
    """With its own line, pace and profile; nobody else has to do anything."""
    assert await tab.ask("play", scenario="declined_then_stop") == 204
    played = await tab.until(lambda news: news["kind"] == "played")

    assert played == {"kind": "played", "ok": True, "problems": []}
    assert tab.of("call")[0]["scenario"] == "declined_then_stop"
    assert tab.of("charge") == []


async def test_a_scenario_can_be_broken_off(tab: Tab) -> None:
    """By hanging up: its caller says nothing more."""
    await tab.ask("play", scenario="full_payment")
    await tab.heard("Is that right?")
    await tab.ask("hang-up")
    await tab.until(lambda news: news["kind"] == "ended")

    assert tab.of("played") == []


async def test_time_can_stand_still(tab: Tab) -> None:
    """Nothing that waits goes on until it is let go again."""
    await tab.ask("clock", rate=0)
    ringing = asyncio.create_task(tab.ask("ring"))
    await tab.until(lambda news: news["kind"] == "clock" and news["rate"] == 1.0)

    assert await ringing == 204  # a call lets time go again
    assert [news["rate"] for news in tab.of("clock")] == [0, 1.0]


@pytest.mark.parametrize(
    ("fault", "sign"),
    [
        ("rest_error", {"kind": "rest", "operation": "create", "status": 503}),
        ("lost_socket", {"kind": "relay", "what": "dropped"}),
    ],
)
async def test_a_fault_that_hits_once_switches_itself_off(tab: Tab, fault: str, sign: dict[str, object]) -> None:
    """It is shown when it hits; the call goes on."""
    await tab.introduced()
    await tab.ask("switch", **{fault: True})
    await tab.ask("say", words="Yes, all of it.")
    await tab.until(lambda news: sign.items() <= news.items())
    await tab.until(lambda news: news["kind"] == "faults" and not news["on"][fault])
    await tab.until(lambda news: news["kind"] == "agent" and news["number"] > 3)

    assert [news["on"][fault] for news in tab.of("faults")][-2:] == [True, False]


async def test_an_error_of_the_model_is_met_with_a_sentence(tab: Tab) -> None:
    """The caller is asked to say it again, and the switch is off."""
    await tab.introduced()
    await tab.ask("switch", model_error=True)
    await tab.ask("say", words="Yes.")
    await tab.heard("could you say that again")

    assert not tab.of("faults")[-1]["on"]["model_error"]


async def test_callbacks_come_twice_when_that_is_switched_on(tab: Tab) -> None:
    """For a call that is already on; and the payment is as good."""
    await tab.introduced()
    await tab.ask("switch", duplicate=True, reordered=True)
    await tab.ask("say", words="Yes, all of it.")
    await tab.in_state("card_number_entry")
    await tab.ask("card", card="good")
    await tab.heard("Shall I charge")
    await tab.ask("say", words="Yes.")
    await tab.in_state("payment_completed")

    assert len(tab.of("charge")) == 1
    assert tab.of("faults")[-1]["on"] == dict.fromkeys(tab.of("faults")[-1]["on"], False) | {
        "duplicate": True,
        "reordered": True,
    }


async def test_some_sentences_cannot_be_talked_over(tab: Tab) -> None:
    """What is owed is heard to its end, and the tab is told so."""
    await tab.introduced()
    await tab.ask("interrupt")
    await tab.until(lambda news: news["kind"] == "not_interruptible")


async def test_the_caller_may_talk_over_and_the_line_may_drop(tab: Tab) -> None:
    """The agent's words are cut, a new relay takes the call up again."""
    await tab.ask("ring")
    await tab.heard("date of birth")
    await tab.ask("say", words="Hm?")
    await tab.until(lambda news: news["kind"] == "agent" and news["number"] == 2)
    assert await tab.ask("interrupt", heard="I need") == 204
    await tab.until(lambda news: news["kind"] == "interrupt" and news["heard"] == "I need")
    assert await tab.ask("drop-line") == 204
    await tab.heard("The line was interrupted")


@pytest.mark.parametrize(
    ("deed", "about", "status"),
    [
        ("say", {"words": "hello"}, 409),
        ("press", {"keys": "1"}, 409),
        ("interrupt", {}, 409),
        ("drop-line", {}, 409),
        ("hang-up", {}, 204),
        ("say", {"words": ""}, 400),
        ("say", {"words": "x" * 501}, 400),
        ("say", {"words": "x" * 20_000}, 413),
        ("press", {"keys": "1; drop table"}, 400),
        ("press", {"keys": "1", "more": 1}, 400),
        ("clock", {"rate": 9000}, 400),
        ("clock", {"rate": -1}, 400),
        ("ring", {"pace": "presto"}, 400),
        ("play", {"scenario": "../../etc/passwd"}, 400),
        ("play", {"scenario": "no_such"}, 404),
        ("card", {"card": "gold"}, 404),
        ("fly", {}, 404),
    ],
)
async def test_what_cannot_be_done_is_said(tab: Tab, deed: str, about: dict[str, object], status: int) -> None:
    """No call, unreadable, too large, unknown: each has its status, and nothing breaks."""
    assert await tab.ask(deed, **about) == status


async def test_what_a_page_is_made_of_and_nothing_else(tab: Tab) -> None:
    """Style, scripts, drawings; no other file, no room without its key."""
    status = {}
    for path in (
        "/static/base.css", "/static/lab.css", "/static/lab.js", "/static/icon.svg", "/static/lab.html",
        "/static/..%2Flab.html", "/drawings/model/card", "/drawings/presto/card", "/rooms/guessed/news",
    ):  # fmt: skip
        status[path] = (await tab.client.get(path)).status_code
    status["deed"] = (await tab.client.post("/rooms/guessed/ring", json={})).status_code
    status["foreign"] = (await tab.client.get("/", headers={"Host": "evil.example"})).status_code

    assert [path for path, code in status.items() if code == 200] == [
        "/static/base.css", "/static/lab.css", "/static/lab.js", "/static/icon.svg", "/drawings/model/card",
    ]  # fmt: skip
    assert status["foreign"] == 403


async def test_a_real_model_can_be_chosen(tmp_path: Path) -> None:
    """It is asked at its own address; a scenario is still played by the scripted one."""
    model = ScriptedModel(Brain())
    async with serve(model) as address:
        real = RealModel("a key", f"{address}/v1", "gpt-x")
        async with lab(tmp_path, real_model=real) as origin, Tab.at(origin) as tab:
            await tab.ask("ring", model="real")
            await tab.heard("date of birth")
            await tab.ask("say", words="Hello!")
            await tab.until(lambda news: news["kind"] == "voice" and news["voice"] == "model")
            assert tab.of("call")[0]["model"] == "real"
            assert len(model.requests) == 1

            await tab.ask("play", scenario="full_payment")
            await tab.until(lambda news: news["kind"] == "call" and news["scenario"] == "full_payment")
            assert tab.of("call")[-1]["model"] == "scripted"
