"""The settings: read from environment and `.env`, checked as one."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from payagent.errors import SettingsError
from payagent.flow.limits import Limits
from payagent.flow.states import Pace, Profile
from payagent.settings import Settings

GOOD: dict[str, Any] = {
    "TWILIO_ACCOUNT_SID": "AC" + "0" * 31 + "1",
    "TWILIO_AUTH_TOKEN": "auth-token-of-the-account",
    "TWILIO_API_KEY": "SK" + "0" * 31 + "2",
    "TWILIO_API_SECRET": "secret-of-the-api-key",
    "TWILIO_WORKFLOW_SID": "WW" + "0" * 31 + "3",
    "PUBLIC_URL": "https://pay.example.test",
    "OPENAI_API_KEY": "key-of-the-model",
}
REQUIRED = [name for name in GOOD if name != "TWILIO_WORKFLOW_SID"]


def problems_of(changes: dict[str, Any]) -> list[str]:
    """What is wrong with the good settings after these changes."""
    with pytest.raises(SettingsError) as caught:
        Settings.only(GOOD | changes)
    return caught.value.problems


def named(problems: list[str]) -> set[str]:
    """The settings that the problems name."""
    return {problem.partition(":")[0] for problem in problems}


def test_good_settings_load_with_the_documented_defaults() -> None:
    """The required names are enough; the rest has defaults."""
    settings = Settings.only(GOOD)

    assert settings.port == 3000
    assert settings.pace is Pace.MODEL
    assert settings.profile is Profile.CARD
    assert settings.pay_timeout == 10
    assert settings.twilio_pay_connector == "Default"
    assert settings.database_path == Path("payagent.db")
    assert settings.language_keys == {"1": "es"}


def test_everything_missing_is_named_at_once() -> None:
    """An empty environment names every required setting, and that a hand-off has nowhere to go."""
    with pytest.raises(SettingsError) as caught:
        Settings.load(None)

    assert {*REQUIRED, "TWILIO_WORKFLOW_SID"} == named(caught.value.problems)


def test_every_kind_of_problem_is_named_in_one_go() -> None:
    """Missing, placeholder, contradictory and unreadable settings stand in one list, each once."""
    problems = problems_of(
        {
            "OPENAI_API_KEY": "",
            "TWILIO_API_SECRET": "your_api_secret",
            "NGROK_DOMAIN": "other.example.test",
            "PORT": "many",
            "PACE": "fast",
            "TWILIO_WORKFLOW_SID": "WW",
        }
    )

    names = {"OPENAI_API_KEY", "TWILIO_API_SECRET", "NGROK_DOMAIN", "PORT", "PACE", "TWILIO_WORKFLOW_SID"}
    assert names == named(problems)
    assert len(names) == len(problems)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TWILIO_ACCOUNT_SID", "ACxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
        ("TWILIO_ACCOUNT_SID", "SK" + "0" * 32),
        ("TWILIO_ACCOUNT_SID", "AC" + "0" * 31),
        ("TWILIO_API_KEY", "AC" + "0" * 32),
        ("TWILIO_AUTH_TOKEN", "changeme"),
        ("TWILIO_WORKFLOW_SID", "WW"),
        ("TWILIO_API_BASE_URL", "https://api.twilio.com/2010-04-01"),
        ("OPENAI_BASE_URL", "https://api.openai.com"),
        ("PUBLIC_URL", "http://pay.example.test"),
        ("TRANSFER_PHONE_NUMBER", "555 0100"),
        ("TRANSFER_PHONE_NUMBER", "+0123456789"),
        ("PROFILE", "bank"),
        ("TIME_SCALE", "0"),
        ("SILENCE_SECONDS", "inf"),
        ("IDENTITY_TRIES", "0"),
        ("PAY_TIMEOUT", "601"),
        ("LANGUAGE_KEYS", "9:xx"),
        ("VALID_CARD_TYPES", "visa foo"),
        ("DATABASE_URL", "mysql://db"),
        ("LOG_LEVEL", "loud"),
        ("DEMO_ACCOUNTS", "maybe"),
        ("NGROK_DOMAIN", "https://other.example.test"),
    ],
)
def test_an_unusable_value_is_named(name: str, value: str) -> None:
    """Each unusable value is a problem of that setting and of no other, and says what is needed."""
    problems = problems_of({name: value})

    assert {name} == named(problems)
    assert "; needed: " in problems[0]


def test_a_secret_is_never_in_a_message_or_a_repr() -> None:
    """Neither a problem nor a printed Settings shows a secret's value."""
    secret = "s3cret-value-that-must-not-show"
    problems = problems_of({"TWILIO_API_SECRET": secret, "PUBLIC_URL": f"https://u:{secret}@h", "PORT": secret})
    shown = repr(Settings.only(GOOD | {"JOURNAL_KEY": secret, "DATABASE_URL": f"postgresql://u:{secret}@h/d"}))

    assert secret not in " ".join(problems)
    assert secret not in shown
    assert GOOD["TWILIO_AUTH_TOKEN"] not in shown


def test_a_shown_value_is_no_secret() -> None:
    """A value is shown as it would be written; of a secret, and of a database that has one, only that it is set."""
    settings = Settings.only(GOOD | {"DATABASE_URL": "postgresql://u:p@h/d"})

    assert settings.shown("PORT") == "3000"
    assert settings.shown("TWILIO_AUTH_TOKEN") == "set"
    assert settings.shown("DATABASE_URL") == "set"
    assert Settings.only(GOOD).shown("DATABASE_URL") == "sqlite:///payagent.db"


def test_secrets_lists_every_secret_value() -> None:
    """What must be cut from the log: each secret, and the database's password as written and as read."""
    settings = Settings.only(
        GOOD
        | {
            "TWILIO_AUTH_TOKEN_SECONDARY": "second-token",
            "JOURNAL_KEY": "journal-key",
            "DATABASE_URL": "postgresql://u:p%40ss@h/d",
        }
    )

    expected = {
        "auth-token-of-the-account",
        "second-token",
        "secret-of-the-api-key",
        "key-of-the-model",
        "journal-key",
        "p%40ss",
        "p@ss",
    }
    assert expected == set(settings.secrets)
    assert settings.auth_tokens == ("auth-token-of-the-account", "second-token")
    assert settings.database_path is None


@pytest.mark.parametrize("domain", ["pay.example.test", "https://pay.example.test", "https://pay.example.test/"])
def test_ngrok_domain_stands_in_for_the_public_url(domain: str) -> None:
    """With or without its scheme, and also beside the same PUBLIC_URL."""
    alone = {name: value for name, value in GOOD.items() if name != "PUBLIC_URL"} | {"NGROK_DOMAIN": domain}

    assert Settings.only(alone).public_url == "https://pay.example.test"
    assert Settings.only(GOOD | {"NGROK_DOMAIN": domain}).public_url == "https://pay.example.test"


@pytest.mark.parametrize(
    ("public", "relay"),
    [
        ("https://pay.example.test", "wss://pay.example.test/relay"),
        ("http://127.0.0.1:3000/", "ws://127.0.0.1:3000/relay"),
    ],
)
def test_urls_are_built_on_the_public_origin(public: str, relay: str) -> None:
    """The relay speaks wss, or ws on a loopback http origin; no slash is doubled."""
    settings = Settings.only(GOOD | {"PUBLIC_URL": public})
    origin = public.rstrip("/")

    assert relay == settings.relay_url
    assert settings.relay_url.endswith(settings.relay_path)
    assert f"{origin}/api/incoming-call" == settings.incoming_url
    assert f"{origin}/api/status-callback" == settings.callback_url
    assert f"{origin}/api/action" == settings.action_url


def test_the_environment_wins_over_the_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`.env` is read, unknown names in it are passed over, and the environment has the last word."""
    env_file = tmp_path / ".env"
    env_file.write_text("\n".join(f"{name}={value}" for name, value in GOOD.items()) + "\nPORT=4000\nOTHER=1\n")
    monkeypatch.setenv("PORT", "5000")

    assert Settings.load(env_file).port == 5000
    assert Settings.load(env_file).public_url == "https://pay.example.test"


def test_only_looks_at_nothing_but_what_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lab's settings come neither from the environment nor from `.env`."""
    (tmp_path / ".env").write_text("PORT=4000\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", "sqlite:///real.db")

    settings = Settings.only(GOOD)

    assert settings.port == 3000
    assert settings.database_path == Path("payagent.db")


def test_a_phone_number_alone_is_a_route() -> None:
    """Either of the two hand-off settings is enough."""
    settings = Settings.only(GOOD | {"TWILIO_WORKFLOW_SID": " ", "TRANSFER_PHONE_NUMBER": "+15551234567"})

    assert settings.twilio_workflow_sid is None
    assert settings.transfer_phone_number == "+15551234567"


def test_blank_language_keys_turn_them_off() -> None:
    """Blank is a value here: no key switches the language."""
    assert Settings.only(GOOD | {"LANGUAGE_KEYS": ""}).language_keys == {}


def test_limits_are_settings_of_the_same_name_and_are_scaled() -> None:
    """Every limit can be set; TIME_SCALE shortens the waits and leaves the counts."""
    names = {field.name for field in fields(Limits)}
    limits = Settings.only(GOOD | {"SILENCE_SECONDS": "20", "FIELD_TRIES": "5", "TIME_SCALE": "0.1"}).limits()

    assert names <= set(Settings.model_fields)
    assert Settings.only(GOOD).limits() == Limits()
    assert limits.silence_seconds == pytest.approx(2)
    assert limits.unknown_seconds == pytest.approx(6)
    assert limits.field_tries == 5


def test_the_journals_key_follows_the_auth_token_unless_set() -> None:
    """Derived and stable by default, never the token itself; JOURNAL_KEY replaces it."""
    derived = Settings.only(GOOD).journal_secret
    other = Settings.only(GOOD | {"TWILIO_AUTH_TOKEN": "another-token"}).journal_secret

    assert len(derived) == 32
    assert derived == Settings.only(GOOD).journal_secret
    assert derived != other
    assert Settings.only(GOOD | {"JOURNAL_KEY": "k"}).journal_secret == b"k"


def test_results_are_kept_beside_the_database_unless_said_otherwise() -> None:
    """A folder of its own; for a database elsewhere one in the working directory."""
    given = [{}, {"DATABASE_URL": "postgresql://u:p@h/d"}, {"SPOOL_DIR": "/var/spool/payagent"}]
    paths = [str(Settings.only(GOOD | one).spool_path) for one in given]

    assert paths == ["payagent.db.spool", "payagent.spool", "/var/spool/payagent"]


@pytest.mark.parametrize(
    ("changes", "calls"),
    [
        ({}, 10),
        ({"TWILIO_API_BASE_URL": "http://127.0.0.1:9"}, 0),
        ({"TWILIO_API_BASE_URL": "http://127.0.0.1:9", "CALLS_PER_MINUTE": "3"}, 3),
        ({"CALLS_PER_MINUTE": "0"}, 0),
    ],
)
def test_one_callers_calls_are_bounded_but_in_a_lab(changes: dict[str, str], calls: int) -> None:
    """All calls of a lab come from one number."""
    assert Settings.only(GOOD | changes).calls_of_one_caller == calls


@pytest.mark.parametrize(
    ("wish", "base", "expected"),
    [
        ("auto", "https://api.twilio.com", False),
        ("auto", "http://127.0.0.1:9000", True),
        ("yes", "https://api.twilio.com", True),
        ("no", "http://127.0.0.1:9000", False),
    ],
)
def test_demo_accounts_need_a_stand_in_or_a_yes(wish: str, base: str, expected: bool) -> None:
    """Against the real Twilio no demo account appears by itself."""
    settings = Settings.only(GOOD | {"DEMO_ACCOUNTS": wish, "TWILIO_API_BASE_URL": base})

    assert expected is settings.wants_demo_accounts


def test_each_language_has_a_named_provider() -> None:
    """English comes first; each voice can be set by its own names."""
    voices = Settings.only(GOOD | {"ES_TTS_PROVIDER": "Amazon", "ES_VOICE": "Lupe-Neural"}).voices

    assert list(voices) == ["en", "es"]
    assert voices["es"].tts_provider == "Amazon"
    assert voices["es"].voice == "Lupe-Neural"
    assert all((voice.code, voice.tts_provider, voice.transcription_provider) for voice in voices.values())


def test_the_table_explains_every_setting() -> None:
    """One row a setting, in words; the required ones say so and no default is a Python repr."""
    table = Settings.table()

    assert {name.lower() for name, _, _ in table} == set(Settings.model_fields)
    assert all(meaning for _, _, meaning in table)
    assert set(REQUIRED) == {name for name, default, _ in table if default == "required"}
    assert ("LANGUAGE_KEYS", "1:es") in {(name, default) for name, default, _ in table}
    assert ("OPENAI_STREAMING", "true") in {(name, default) for name, default, _ in table}
    assert not any("<" in default or "None" in default for _, default, _ in table)


def test_a_log_level_may_be_written_small() -> None:
    """LOG_LEVEL=debug means DEBUG; other types than text are left to be refused."""
    assert Settings.only(GOOD | {"LOG_LEVEL": "debug"}).log_level == "DEBUG"
    assert {"LOG_LEVEL"} == named(problems_of({"LOG_LEVEL": 10}))


def test_importing_the_settings_loads_no_vendor_package() -> None:
    """`payagent --help` and the settings' errors come at once: no SDK and no server is imported for them."""
    code = "import sys, payagent.settings; print({'openai', 'twilio', 'uvicorn', 'transitions'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"


def test_the_sample_file_holds_known_names_and_is_refused_until_filled_in() -> None:
    """`.env.sample` names only settings that exist, and copying it unfilled names every placeholder."""
    sample = Path(__file__).parent.parent / ".env.sample"
    names = set(re.findall(r"^(?:# )?([A-Z_]+)=", sample.read_text(), re.MULTILINE))

    with pytest.raises(SettingsError) as caught:
        Settings.load(sample)

    assert names <= {name for name, _, _ in Settings.table()}
    assert {*REQUIRED, "TWILIO_WORKFLOW_SID"} == named(caught.value.problems)
    assert all("still a placeholder" in problem for problem in caught.value.problems)


HASH = f"scrypt.32768.8.3.{'5a' * 16}.{'c3' * 32}"


def test_the_consoles_users_are_read_by_name() -> None:
    """Several with commas between; space around them does not count."""
    settings = Settings.only(GOOD | {"CONSOLE_USERS": f" ann:{HASH} , bob@desk.test:{HASH},"})

    assert settings.console_passwords == {"ann": HASH, "bob@desk.test": HASH}
    assert Settings.only(GOOD).console_passwords == {}


@pytest.mark.parametrize(
    ("users", "said"),
    [
        ("ann:correct horse battery", "never write a password here"),
        ("ann", "never write a password here"),
        (HASH, "must be NAME:HASH"),
        (f"ann smith:{HASH}", "must be NAME:HASH"),
        (",", "must be NAME:HASH"),
        (f"ann:{HASH},ann:{HASH}", "names somebody twice"),
        (f"ann:{HASH.replace('32768', '1024')}", "never write a password here"),
        (f"ann:{HASH.replace('32768', '32767')}", "never write a password here"),
        (f"ann:{HASH.replace('32768', '1048576')}", "never write a password here"),
        (f"ann:{HASH.replace('.3.', '.0.')}", "never write a password here"),
    ],
)
def test_a_password_in_plain_text_or_too_cheap_a_hash_is_refused(users: str, said: str) -> None:
    """With the command that makes a good one; what was written there is not repeated."""
    (problem,) = problems_of({"CONSOLE_USERS": users})

    assert problem.startswith("CONSOLE_USERS: ")
    assert said in problem
    assert "payagent console-password" in problem
    assert "horse" not in problem
