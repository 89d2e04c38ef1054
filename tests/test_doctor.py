"""The doctor: every finding in one line, with what to do, and no secret in it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from payagent import doctor
from payagent.doctor import Finding, Post, Probe, Probes, examine
from payagent.errors import BadSignature, JournalFailed, ModelFailed, SettingsError, TwilioRefused
from payagent.phone.signatures import Signatures
from payagent.settings import Settings

TOKEN = "auth-token-of-the-account"
GOOD: dict[str, Any] = {
    "TWILIO_ACCOUNT_SID": "AC" + "0" * 31 + "1",
    "TWILIO_AUTH_TOKEN": TOKEN,
    "TWILIO_API_KEY": "SK" + "0" * 31 + "2",
    "TWILIO_API_SECRET": "secret-of-the-api-key",
    "TWILIO_WORKFLOW_SID": "WW" + "0" * 31 + "3",
    "PUBLIC_URL": "https://pay.example.test",
    "OPENAI_API_KEY": "key-of-the-model",
}


async def works() -> None:
    """A probe that finds nothing wrong."""


def fails(error: Exception) -> Probe:
    """A probe that finds this."""

    async def probe() -> None:
        raise error

    return probe


def app_with(token: str) -> Post:
    """A program at the public URL that holds this auth token: it knows no call."""

    async def post(url: str, form: dict[str, str], headers: dict[str, str]) -> int:
        try:
            Signatures([token]).check_form(url, form, headers.get("X-Twilio-Signature"))
        except BadSignature:
            return 403
        return 404

    return post


def always(status: int) -> Post:
    """Something at the public URL that answers every request alike."""

    async def post(url: str, form: dict[str, str], headers: dict[str, str]) -> int:
        return status

    return post


HEALTHY = Probes(database=works, twilio=works, model=works, post=app_with(TOKEN))


async def findings(changes: dict[str, Any] | None = None, **probes: Any) -> dict[str, Finding]:
    """What the doctor finds, by name, with these settings and probes changed."""
    found = await examine(lambda: Settings.only(GOOD | (changes or {})), lambda settings: replace(HEALTHY, **probes))
    assert len({finding.name for finding in found}) == len(found)
    return {finding.name: finding for finding in found}


async def test_a_healthy_deployment_has_no_trouble() -> None:
    """All that can be seen is good; what cannot be seen is named for a person to look at."""
    found = await findings()

    assert not [finding for finding in found.values() if finding.ok is False]
    for seen in ("database", "Twilio REST", "model", "signed webhook", "unsigned webhook", "keypad tones"):
        assert found[seen].ok is True
    for unseen in ("speech (en)", "speech (es)", "recording", "PCI Mode", "AI addendum", "Pay connector"):
        assert found[unseen].ok is None


async def test_every_finding_is_one_line_without_a_secret() -> None:
    """Also when a probe's error quotes a secret."""
    quoting = fails(ModelFailed("refused", f"{GOOD['OPENAI_API_KEY']} is wrong"))
    found = await findings({"JOURNAL_KEY": "seal-of-the-journal"}, model=quoting)

    text = " ".join(finding.message for finding in found.values())
    assert found["model"].ok is False
    assert "\n" not in text
    for secret in (TOKEN, "secret-of-the-api-key", "key-of-the-model", "seal-of-the-journal"):
        assert secret not in text


async def test_each_setting_that_was_set_has_its_line() -> None:
    """A value is shown, a secret is only said to be set, the defaults are counted."""
    found = await findings({"PORT": 4000})

    assert found["PORT"] == Finding("PORT", True, "4000")
    assert found["TWILIO_AUTH_TOKEN"] == Finding("TWILIO_AUTH_TOKEN", True, "set")
    assert f"{len(Settings.table()) - len(GOOD) - 1} are left" in found["other settings"].message


async def test_unusable_settings_are_named_and_nothing_else_is_tried() -> None:
    """With settings that cannot be used there is nothing to probe with."""

    def load() -> Settings:
        return Settings.only({"PORT": "x"})

    def no_probes(settings: Settings) -> Probes:
        raise AssertionError("probed with unusable settings")

    with pytest.raises(SettingsError) as caught:
        load()
    found = await examine(load, no_probes)

    assert [finding.ok for finding in found] == [False] * len(caught.value.problems) + [None]
    assert "PORT" in {finding.name for finding in found}
    assert next(finding for finding in found if finding.name == "PUBLIC_URL").message.startswith("is missing")


@pytest.mark.parametrize(
    ("probe", "name", "error", "words"),
    [
        ("database", "database", JournalFailed("the file is read-only"), "read-only; see DATABASE_URL"),
        ("twilio", "Twilio REST", TwilioRefused(20003, 401, "Authenticate"), "20003 (HTTP 401): Authenticate; see "),
        ("model", "model", ModelFailed("refused", "HTTP 404 model_not_found"), "model_not_found; see OPENAI_API_KEY"),
        ("database", "database", NotImplementedError(), "NotImplementedError; see"),
    ],
)
async def test_a_failing_probe_is_trouble_with_what_to_do(probe: str, name: str, error: Exception, words: str) -> None:
    """The error's words and the settings to look at stand in the line; the other probes still run."""
    found = await findings(**{probe: fails(error)})

    assert found[name].ok is False
    assert words in found[name].message
    assert found["signed webhook"].ok is True


async def test_a_probe_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor comes back even when the outside does not."""
    monkeypatch.setattr(doctor, "PROBE_SECONDS", 0.01)

    async def hangs(*_: object) -> int:
        await asyncio.Event().wait()
        return 0

    found = await findings(twilio=hangs, post=hangs)

    assert "no answer in 0.01 seconds" in found["Twilio REST"].message
    assert "no answer in 0.01 seconds" in found["public URL"].message
    assert found["database"].ok is True


async def test_another_token_at_the_public_url_is_trouble() -> None:
    """A program that runs with another auth token turns Twilio's webhooks away."""
    found = await findings(post=app_with("another-token"))

    assert found["signed webhook"].ok is False
    assert "TWILIO_AUTH_TOKEN" in found["signed webhook"].message
    assert found["unsigned webhook"].ok is True


@pytest.mark.parametrize("status", [200, 502])
async def test_something_else_at_the_public_url_is_trouble(status: int) -> None:
    """An open door, or another program, is not what takes calls."""
    found = await findings(post=always(status))

    assert found["signed webhook"].ok is False
    assert f"HTTP {status}" in found["signed webhook"].message
    assert found["unsigned webhook"].ok is False


async def test_a_door_that_lets_everybody_in_is_trouble() -> None:
    """404 to an unsigned webhook means that signatures are not checked."""
    found = await findings(post=always(404))

    assert found["signed webhook"].ok is True
    assert found["unsigned webhook"].ok is False


async def test_nothing_at_the_public_url_is_trouble() -> None:
    """One line says how to get the program there."""

    async def post(url: str, form: dict[str, str], headers: dict[str, str]) -> int:
        raise ConnectionRefusedError("connection refused")

    found = await findings({"PORT": 4000}, post=post)

    assert found["public URL"].ok is False
    assert "payagent serve" in found["public URL"].message
    assert "4000" in found["public URL"].message
    assert "signed webhook" not in found


async def test_what_is_fine_in_a_lab_is_pointed_out() -> None:
    """A stand-in, a loopback address and demo accounts on a real line are for a person to judge."""
    lab = await findings({"TWILIO_API_BASE_URL": "http://127.0.0.1:9000", "PUBLIC_URL": "http://127.0.0.1:3000"})
    real = await findings({"DEMO_ACCOUNTS": "yes"})

    assert lab["stand-in"].ok is None
    assert lab["loopback"].ok is None
    assert "demo accounts" not in lab
    assert real["demo accounts"].ok is None
    assert "stand-in" not in real
    assert "loopback" not in real


async def test_the_advice_names_what_is_configured() -> None:
    """Providers, connector and webhook URL stand in the lines that ask a person to confirm them."""
    found = await findings({"ES_TTS_PROVIDER": "Amazon", "TWILIO_PAY_CONNECTOR": "Till", "LANGUAGE_KEYS": ""})

    assert "Google" in found["speech (en)"].message
    assert "Amazon" in found["speech (es)"].message
    assert "Till" in found["Pay connector"].message
    assert "https://pay.example.test/api/incoming-call" in found["phone number"].message
    assert "not reported at all" in found["keypad tones"].message
