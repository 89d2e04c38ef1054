"""What makes one value usable."""

from __future__ import annotations

import pytest

from payagent import setting_rules


@pytest.mark.parametrize(
    "value", ["ACxxxxxxxxxxxxxxxx", "your_auth_token", "https://your-domain.ngrok.app", "changeme"]
)
def test_a_samples_stand_in_is_a_placeholder(value: str) -> None:
    """A text that only a sample file would contain is seen as such."""
    assert setting_rules.is_placeholder(value)


@pytest.mark.parametrize("value", ["test", "sk-test", "0123456789abcdef" * 2, "https://pay.example.test", "Default"])
def test_a_plain_value_is_no_placeholder(value: str) -> None:
    """Short and odd values that a stand-in may use are taken."""
    assert not setting_rules.is_placeholder(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("https://pay.example.test", "https://pay.example.test"),
        ("https://pay.example.test/", "https://pay.example.test"),
        ("https://pay.example.test:8443", "https://pay.example.test:8443"),
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("http://localhost:3000/", "http://localhost:3000"),
        ("http://[::1]:3000", "http://[::1]:3000"),
    ],
)
def test_public_origin_is_kept_bare(value: str, expected: str) -> None:
    """An https origin, or a loopback http one, passes without its slash."""
    assert expected == setting_rules.public_origin(value)


@pytest.mark.parametrize(
    "value",
    [
        "pay.example.test",
        "http://pay.example.test",
        "https://pay.example.test/api",
        "https://pay.example.test?x=1",
        "https://pay.example.test#x",
        "https://user:s3cret@pay.example.test",
        "https://pay.example.test:s3cret",
        "https://pay.example.test:0",
        "https://[s3cret",
        "https://",
        "wss://pay.example.test",
        "https://pay example.test",
    ],
)
def test_any_other_public_url_is_refused_without_quoting_it(value: str) -> None:
    """What is not an origin is refused in words that do not repeat the value."""
    with pytest.raises(ValueError, match="must be") as caught:
        setting_rules.public_origin(value)

    assert "s3cret" not in str(caught.value)


def test_model_base_ends_in_v1() -> None:
    """The model's base URL ends in /v1, with or without a slash behind it."""
    assert setting_rules.model_base("http://127.0.0.1:9/openai/v1/") == "http://127.0.0.1:9/openai/v1"

    with pytest.raises(ValueError, match="/v1"):
        setting_rules.model_base("https://api.openai.com")


@pytest.mark.parametrize("value", ["sqlite:///", "mysql://x/y", "payagent.db"])
def test_other_databases_are_refused(value: str) -> None:
    """Only a SQLite file and PostgreSQL are known."""
    with pytest.raises(ValueError, match="sqlite"):
        setting_rules.database(value)


def test_language_keys_are_pairs_of_a_digit_and_a_language() -> None:
    """Pairs are read, blank is empty, a star or an unknown language is refused."""
    assert setting_rules.language_keys("1:es, 2:en") == {"1": "es", "2": "en"}
    assert setting_rules.language_keys("") == {}

    for wrong in ("*:es", "1:fr", "1", "12:es"):
        with pytest.raises(ValueError, match="pairs"):
            setting_rules.language_keys(wrong)


def test_card_types_are_twilios() -> None:
    """Names that Twilio does not know are refused; spaces are tidied."""
    assert setting_rules.card_types("visa   amex") == "visa amex"

    with pytest.raises(ValueError, match="diners-club"):
        setting_rules.card_types("visa diners")


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("https://api.twilio.com", True),
        ("https://api.dublin.ie1.twilio.com", True),
        ("https://nottwilio.com", False),
        ("https://api.twilio.com.evil.test", False),
        ("http://127.0.0.1:9000", False),
    ],
)
def test_twilios_own_host_is_told_from_a_stand_in(origin: str, expected: bool) -> None:
    """Only hosts of twilio.com are Twilio's."""
    assert expected is setting_rules.is_twilio(origin)
