"""The log: one formatter for all, and nothing in it that must not be there."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from payagent.logs import CARD_REMOVED, NOISY, SECRET_REMOVED, Redaction, configure, cut_cards, passes_luhn

CARD = "4242424242424242"
SECRET = "auth-token-of-the-account"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def restore_logging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave logging as it was found; a server of another test may have cut uvicorn.access off."""
    monkeypatch.setattr(logging.getLogger("uvicorn.access"), "propagate", True)
    handlers = logging.getLogger().handlers[:]
    levels = {name: logging.getLogger(name).level for name in ("root", "payagent", *NOISY)}
    yield
    logging.getLogger().handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def logged(stream: io.StringIO) -> list[dict[str, Any]]:
    """The JSON lines of the log."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize("number", [CARD, "378282246310005", "5555555555554444", "6011000990139424", "79927398713"])
def test_luhn_knows_a_check_digit(number: str) -> None:
    """Published test numbers pass, and fail with any other last digit."""
    others = [number[:-1] + digit for digit in "0123456789" if digit != number[-1]]

    assert passes_luhn(number)
    assert not any(map(passes_luhn, others))


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    "text",
    [
        CARD,
        "4242 4242 4242 4242",
        "4242-4242-4242-4242",
        "4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 2",
        f"card={CARD}&x",
        f"12 {CARD}",
        f"{CARD} 12",
        f"99 {CARD} 7 378282246310005",
        f"+{CARD}",
        f"no.{CARD}.",
        f"\\n{CARD}",
        "6304000000000000",
    ],
)
def test_a_card_number_is_cut_however_it_is_written(text: str) -> None:
    """Spaces and dashes, other numbers beside it and punctuation around it do not hide a card number."""
    cut = cut_cards(text)

    assert CARD_REMOVED in cut
    assert "4242" not in cut
    assert "378282246310005" not in cut


@pytest.mark.parametrize(
    "text",
    [
        "CA" + "0" * 32,
        "PK4242424242424242abcdef0123456789",
        "SK0123456789abcdef4242424242424242",
        "4242424242424243",
        "42424242424242424242424242424242",
        "2026-11-22T11:47:00.424242Z",
        "took 0.4242424242424242 s",
        "+1 555 0100 0199",
        "600.00 USD",
    ],
)
def test_what_is_no_card_number_stays(text: str) -> None:
    """SIDs, hashes, times, fractions, phone numbers and amounts are not touched."""
    assert text == cut_cards(text)


@given(st.text("0123456789", min_size=11, max_size=18), st.sampled_from(["", " ", "-"]), st.integers(1, 6))
def test_every_luhn_number_of_12_to_19_digits_is_cut(digits: str, separator: str, size: int) -> None:
    """Whatever the number and however evenly it is grouped, none of it is left."""
    number = next(digits + check for check in "0123456789" if passes_luhn(digits + check))
    grouped = separator.join(number[i : i + size] for i in range(0, len(number), size))

    assert cut_cards(f"said {grouped}, then") == f"said {CARD_REMOVED}, then"


@given(st.from_regex(r"[0-9a-f]{32}|[0-9a-f]{64}", fullmatch=True), st.sampled_from(["CA", "PK", "AC", "SK", "VX", ""]))
def test_no_sid_or_hash_is_touched(digits: str, prefix: str) -> None:
    """A call must stay findable by its SID in the log."""
    assert cut_cards(prefix + digits) == prefix + digits


def test_a_long_run_of_digits_takes_no_long_time() -> None:
    """Work grows with the length, not with its square: this would not come to an end otherwise."""
    assert cut_cards("1 " * 20_000)


def test_secrets_are_cut_the_longest_first() -> None:
    """A secret that begins another leaves no tail of it; an empty one cuts nothing."""
    redaction = Redaction(["abc", "abcdef", ""])

    assert redaction.text("abcdef abc ab") == f"{SECRET_REMOVED} {SECRET_REMOVED} ab"
    assert Redaction().text("abc") == "abc"


def test_redaction_goes_as_deep_as_the_values_do() -> None:
    """Keys, nested values, numbers and objects' reprs are redacted; harmless values keep their types."""

    class Thing:
        def __repr__(self) -> str:
            return f"<Thing {SECRET}>"

    event = {
        "nested": {"list": [CARD, {"inner": (SECRET, 7)}], CARD: 1},
        "number": int(CARD),
        "thing": Thing(),
        "plain": [None, True, 1.5, 42],
    }

    assert Redaction([SECRET])(None, "info", event) == {
        "nested": {"list": [CARD_REMOVED, {"inner": [SECRET_REMOVED, 7]}], CARD_REMOVED: 1},
        "number": CARD_REMOVED,
        "thing": f"<Thing {SECRET_REMOVED}>",
        "plain": [None, True, 1.5, 42],
    }


def test_a_line_is_json_with_its_call() -> None:
    """Not on a terminal: one JSON object a line, with level, logger, UTC time and what is bound to the call."""
    stream = io.StringIO()
    configure(stream=stream)
    structlog.contextvars.bind_contextvars(call_sid="CA1", seq=3)

    structlog.get_logger("payagent.session").info("step", state="ended")

    (line,) = logged(stream)
    assert line.pop("timestamp").endswith("Z")
    expected = {"event": "step", "level": "info", "logger": "payagent.session", "call_sid": "CA1", "seq": 3}
    assert line == expected | {"state": "ended"}


@pytest.mark.promise(4)
@pytest.mark.parametrize("style", ["auto", "json", "console"])
def test_no_logger_prints_a_card_or_a_secret(style: Any) -> None:
    """Ours and others', by message, argument, key and traceback, in JSON and on a terminal."""
    stream = Terminal()
    configure(style=style, secrets=[SECRET], stream=stream)
    ours, theirs = structlog.get_logger("payagent.x"), logging.getLogger("other")

    ours.error(f"card {CARD}", token=SECRET, **{CARD: 1})
    ours.error("card %s", CARD, stack_info=True)
    theirs.error("card %s and %s", CARD, SECRET)
    try:
        local = f"{CARD} {SECRET}"
        raise ValueError(local)
    except ValueError:
        ours.exception("ours")
        theirs.exception("theirs")

    printed = stream.getvalue()
    assert CARD not in printed
    assert SECRET not in printed
    assert printed.count("ValueError") >= 2
    assert CARD_REMOVED in printed
    assert SECRET_REMOVED in printed


def test_a_terminal_gets_no_json() -> None:
    """`auto` on a terminal is the readable form, `json` is JSON there too."""
    terminal, forced = Terminal(), Terminal()
    configure(stream=terminal)
    structlog.get_logger("payagent").info("hello")
    configure(style="json", stream=forced)
    structlog.get_logger("payagent").info("hello")

    assert "hello" in terminal.getvalue()
    assert "{" not in terminal.getvalue()
    assert logged(forced)[0]["event"] == "hello"


def test_talkative_loggers_are_silent_below_warning() -> None:
    """What prints whole URLs or every callback does not, even at DEBUG; its warnings come through."""
    stream = io.StringIO()
    configure(level="DEBUG", stream=stream)
    for name in ("uvicorn.access", "httpx", "httpx2", "transitions.core", "twilio.http_client"):
        logging.getLogger(name).info("POST https://api/…?x=1")
        logging.getLogger(name).warning(name)

    assert [line["event"] for line in logged(stream)] == [
        "uvicorn.access",
        "httpx",
        "httpx2",
        "transitions.core",
        "twilio.http_client",
    ]


def test_debug_is_for_payagents_own_loggers() -> None:
    """At DEBUG servers print socket frames, keypad digits among them: only ours go below INFO."""
    stream = io.StringIO()
    configure(level="DEBUG", stream=stream)

    structlog.get_logger("payagent.session").debug("ours")
    logging.getLogger("uvicorn.error").debug('< TEXT {"type":"dtmf","digit":"4"}')

    assert [line["event"] for line in logged(stream)] == ["ours"]


def test_the_level_holds_for_all() -> None:
    """At WARNING nobody's info is printed; a second call replaces the first."""
    first, second = io.StringIO(), io.StringIO()
    configure(stream=first)
    configure(level="WARNING", stream=second)

    structlog.get_logger("payagent").info("no")
    logging.getLogger("other").info("no")
    logging.getLogger("other").warning("yes")

    assert first.getvalue() == ""
    assert [line["event"] for line in logged(second)] == ["yes"]


def test_a_line_that_cannot_be_written_breaks_no_call() -> None:
    """Nobody reads the other end of the pipe any more, or a value cannot be shown: the work goes on."""

    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    class Unspeakable:
        def __repr__(self) -> str:
            raise RuntimeError

    stream = io.StringIO()
    configure(stream=Gone())
    structlog.get_logger("payagent.a").info("lost")
    configure(stream=stream)
    structlog.get_logger("payagent.b").info("lost too", value=Unspeakable())
    structlog.get_logger("payagent.b").info("read")

    assert [line["event"] for line in logged(stream)] == ["read"]
