"""A whole payment, with a slip on the keypad, in every way that Twilio may word what is uncertain (fact sheet 10)."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from pathlib import Path

import pytest

from payagent import rehearsal
from payagent.lab import scenario as scenarios
from payagent.lab.dialect import Dialect
from payagent.lab.faults import Faults
from payagent.lab.scenario import Expectation, Scenario, Step

SCALE = 0.05

VARIANTS = {
    "little is told": (Dialect(common="none", required="spaced"), Faults(no_begin_callback=True)),
    "all is told": (Dialect(common="all", mask="documented", partial_on_error="true"), Faults(callback_first=True)),
    "only Required tells": (Dialect(required="pascal", partial="absent", mask="stars"), Faults()),
    "only PartialResult tells": (Dialect(required="absent", partial="title"), Faults(duplicate_callbacks=True)),
    "a failed field looks done": (Dialect(partial_on_error="false", required="camel"), Faults(reorder_callbacks=True)),
    "digits leak": (Dialect(mask="leaking"), Faults(leak_dtmf=True)),
    "strangers": (Dialect(extras=True, bare_prompts=True, error_twice=True), Faults()),
    "an idle keypad times out": (Dialect(idle_time_out=True, time_out="timeout"), Faults(late_callbacks=1, chance=0.2)),
}


def with_a_slip(pace: str, dialect: Dialect, faults: Faults) -> Scenario:
    """The full payment, with an expiration date that is over and then the right one."""
    plain = scenarios.load("full_payment" if pace == "model" else "full_payment_automatic")
    at = next(n for n, step in enumerate(plain.steps) if step.press == "1230#")
    slip = Step(when=plain.steps[at].when, press="1319")
    # A key of the first try that is told late looks like one of the second: then the prompt is not spoken once more.
    again = Step(when=r"isn't valid[\s\S]*(four digits|waiting for your keypad)", press="1230#")
    steps = (*plain.steps[:at], slip, again, *plain.steps[at + 1 :])
    expect = plain.expect.model_copy(update={"model_requests": None})
    changes = {"steps": steps, "expect": expect, "dialect": dialect, "faults": faults, "name": "dialect"}
    return plain.model_copy(update=changes)


@pytest.mark.promise(2)
@pytest.mark.parametrize("name", VARIANTS)
async def test_a_payment_is_made_however_twilio_words_it(name: str, tmp_path: Path) -> None:
    """Charged once, told once, and no key is kept."""
    dialect, faults = VARIANTS[name]
    pace = "automatic" if list(VARIANTS).index(name) % 2 else "model"
    result = await rehearsal.rehearse(with_a_slip(pace, dialect, faults), directory=tmp_path, scale=SCALE)

    assert result.ok, result.report()
    assert [number for number in (b"424242", b"4242 42") if number in _all_bytes(tmp_path)] == []


def _all_bytes(directory: Path) -> bytes:
    kept = b"".join(path.read_bytes() for path in directory.rglob("*") if path.is_file())
    assert kept
    return kept


@pytest.mark.parametrize("cancel_result", ["", "none", "something-new"])
async def test_a_cancel_is_a_cancel_whatever_twilio_says_to_it(cancel_result: str, tmp_path: Path) -> None:
    """The caller hears that nothing was charged, once, and the session is closed."""
    plain = scenarios.load("cancel")
    expect = plain.expect.model_copy(update={"sessions": (cancel_result or "payment-cancelled",)})
    changed = {"dialect": Dialect(cancel_result=cancel_result), "expect": expect}
    result = await rehearsal.rehearse(plain.model_copy(update=changed), directory=tmp_path, scale=SCALE)

    assert result.ok, result.report()
    assert "\n".join(result.spoken).count("cancelled, nothing was charged") == 1


async def test_a_refused_card_may_be_told_at_once(tmp_path: Path) -> None:
    """By the answer to the charge instead of a callback: the caller may try another card all the same."""
    changed = {"dialect": Dialect(gateway="rest", error_status=402)}
    scenario = scenarios.load("declined_then_another_card").model_copy(update=changed)
    result = await rehearsal.rehearse(scenario, directory=tmp_path, scale=SCALE)

    assert result.ok, result.report()


async def test_a_declined_session_that_stays_open_ends_with_a_person(tmp_path: Path) -> None:
    """Twilio refuses a second session beside it (64021): nothing is charged, and a person goes on."""
    plain = scenarios.load("declined_then_another_card")
    at = next(n for n, step in enumerate(plain.steps) if step.when == "declined")
    again = Step(when="couldn't start.*again", say="Yes, all of it.")
    expect = Expectation(end="queue", sessions=("caller-hung-up",), heard=("declined", "colleague"))
    changed = {
        "steps": (*plain.steps[: at + 1], again, again),
        "expect": expect,
        "dialect": Dialect(after_decline="open"),
    }
    result = await rehearsal.rehearse(plain.model_copy(update=changed), directory=tmp_path, scale=SCALE)

    assert result.charges == ()
    assert result.ok, result.report()


@pytest.mark.parametrize(
    "order",
    [("action", "callback", "socket"), ("callback", "socket"), ("socket",)],
    ids=" ".join,
)
async def test_a_hang_up_is_seen_by_any_of_its_signs(order: tuple[str, ...], tmp_path: Path) -> None:
    """In any order, and with some of them missing; nothing is charged and the bill is free again."""
    changed = {"dialect": Dialect(hang_up=order)}
    scenario = scenarios.load("hang_up_while_keying").model_copy(update=changed)
    result = await rehearsal.rehearse(scenario, directory=tmp_path, scale=SCALE)

    assert result.ok, result.report()


def test_every_choice_is_played() -> None:
    """No field of the dialect is left at its default in all of the tests above."""
    played = {
        field.name
        for dialect, _ in VARIANTS.values()
        for field in fields(Dialect)
        if getattr(dialect, field.name) != field.default
    }

    assert played | {"cancel_result", "gateway", "error_status", "after_decline", "hang_up"} == {
        field.name for field in fields(Dialect)
    }
    assert Decimal("600.00") in scenarios.load("full_payment").expect.charged
