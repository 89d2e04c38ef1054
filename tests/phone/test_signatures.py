"""Twilio's signatures: the fact sheet's vectors, what must not match, and failing closed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import FormData, UploadFile
from twilio.request_validator import RequestValidator

from payagent.errors import BadSignature
from payagent.phone.signatures import Signatures

TOKEN = "0123456789abcdef0123456789abcdef"
OTHER = "f" * 32
TWILIO = Signatures([TOKEN])

FORM_URL = "https://pay.example.test/twilio/payment-status?c=7"
FORM = [
    ("AccountSid", "AC" + "0" * 31 + "1"),
    ("CallSid", "CA" + "0" * 31 + "2"),
    ("Sid", "PK" + "0" * 31 + "3"),
    ("Capture", "security-code"),
    ("PartialResult", "false"),
    ("Required", ""),
    ("SecurityCode", "xxx"),
]
FORM_SIGNATURE = "w5VchzLcwmNKewV/WLH/TletQdM="
SOCKET_URL = "wss://pay.example.test/relay/abc"
SOCKET_SIGNATURE = "qDiYoljYqEo0gVz1oZ4+QtHYPgc="
BODY = b'{"hello":"world"}'
JSON_URL = "https://pay.example.test/json?bodySHA256=93a23971a914e5eacbf0a8d25154cda309c3c1c72fbb9914d47c60f3cb681588"
JSON_SIGNATURE = "ML+iynKw3o4zxXnTsdvgb4Xp+iU="


def refused(check: Callable[..., None], *args: object) -> bool:
    """Whether the check says that Twilio did not sign this."""
    try:
        check(*args)
    except BadSignature:
        return True
    return False


@pytest.mark.promise(5)
def test_published_vectors_pass() -> None:
    """The three vectors computed with Twilio's own library are good, and we sign as they were signed."""
    TWILIO.check_form(FORM_URL, FORM, FORM_SIGNATURE)
    TWILIO.check_form(FORM_URL, dict(FORM), FORM_SIGNATURE)
    TWILIO.check_form(FORM_URL, FormData(FORM), FORM_SIGNATURE)
    TWILIO.check_socket(SOCKET_URL, SOCKET_SIGNATURE)
    TWILIO.check_json(JSON_URL, BODY, JSON_SIGNATURE)

    assert TWILIO.sign(FORM_URL, FORM) == FORM_SIGNATURE
    assert TWILIO.sign(SOCKET_URL) == SOCKET_SIGNATURE
    assert TWILIO.sign(JSON_URL) == JSON_SIGNATURE


def test_an_empty_value_counts() -> None:
    """A parser that drops blanks would break exactly the callback of the last field."""
    without = [pair for pair in FORM if pair[1]]

    assert TWILIO.sign(FORM_URL, without) == "gUxvg7dZvRBJI5jFutU0pK7SEU8="
    assert refused(TWILIO.check_form, FORM_URL, without, FORM_SIGNATURE)
    assert refused(TWILIO.check_form, FORM_URL, FORM, "gUxvg7dZvRBJI5jFutU0pK7SEU8=")


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    "form",
    [
        [],
        FORM[:-1],
        [*FORM, ("Result", "success")],
        [*FORM[:-1], ("SecurityCode", "xxx ")],
        [*FORM[:-1], ("securityCode", "xxx")],
    ],
)
def test_another_form_is_not_signed(form: list[tuple[str, str]]) -> None:
    """A field taken out, put in, spaced or renamed is a forgery."""
    assert refused(TWILIO.check_form, FORM_URL, form, FORM_SIGNATURE)


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    "url",
    [
        "https://pay.example.test/twilio/payment-status",
        "https://pay.example.test/twilio/payment-status?c=8",
        "http://pay.example.test/twilio/payment-status?c=7",
        "https://other.example.test/twilio/payment-status?c=7",
        "https://pay.example.test/twilio/payment-status/?c=7",
    ],
)
def test_another_url_is_not_signed(url: str) -> None:
    """Scheme, host, path and query are part of what is signed."""
    assert refused(TWILIO.check_form, url, FORM, FORM_SIGNATURE)


def test_repeated_names_follow_twilio() -> None:
    """Values of one name are sorted and counted once each, as the vendor's algorithm says."""
    pairs = [("Digits", "b"), ("Digits", "a"), ("Digits", "b")]
    by_hand = RequestValidator(TOKEN).compute_signature(FORM_URL + "DigitsaDigitsb", {})

    TWILIO.check_form(FORM_URL, pairs, by_hand)


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    "url",
    [
        "https://pay.example.test/relay/abc",
        "wss://pay.example.test/relay/abc/",
        "wss://pay.example.test/relay",
        "wss://pay.example.test/relay/abc?x=1",
    ],
)
def test_the_socket_url_is_literal(url: str) -> None:
    """The https form, a trailing slash or a query do not have the socket's signature."""
    assert refused(TWILIO.check_socket, url, SOCKET_SIGNATURE)


@pytest.mark.parametrize(
    ("signed", "presented"),
    [
        ("wss://pay.example.test/r", "wss://pay.example.test:443/r"),
        ("wss://pay.example.test:443/r", "wss://pay.example.test/r"),
        ("wss://pay.example.test:80/r", "wss://pay.example.test/r"),
        ("https://pay.example.test/r", "https://pay.example.test:8443/r"),
        ("https://pay.example.test:443/r", "https://pay.example.test/r"),
        ("ws://127.0.0.1:3000/r", "ws://127.0.0.1:3000/r"),
        ("ws://[::1]:3000/r", "ws://[::1]:3000/r"),
    ],
)
def test_a_port_may_be_written_or_not(signed: str, presented: str) -> None:
    """Twilio is not consistent about ports, so both spellings are checked."""
    TWILIO.check_socket(presented, TWILIO.sign(signed))


@pytest.mark.promise(5)
def test_another_port_is_not_signed() -> None:
    """A port that was written is not replaced by any other."""
    assert refused(TWILIO.check_socket, "ws://127.0.0.1:3001/r", TWILIO.sign("ws://127.0.0.1:3000/r"))


@pytest.mark.promise(5)
def test_json_needs_the_signed_body() -> None:
    """Another body, no hash, or two hashes are refused even where the URL is rightly signed."""
    without = "https://pay.example.test/json"
    twice = JSON_URL + "&bodySHA256=00"

    assert refused(TWILIO.check_json, JSON_URL, BODY + b" ", JSON_SIGNATURE)
    assert refused(TWILIO.check_json, JSON_URL, BODY, FORM_SIGNATURE)
    assert refused(TWILIO.check_json, without, BODY, TWILIO.sign(without))
    assert refused(TWILIO.check_json, twice, BODY, TWILIO.sign(twice))


def test_both_tokens_of_a_rotation_are_good() -> None:
    """The old and the new token are accepted, in any order; a third is not; the first one signs."""
    rotating = Signatures([OTHER, TOKEN])
    rotating.check_form(FORM_URL, FORM, FORM_SIGNATURE)

    assert rotating.sign(FORM_URL, FORM) == Signatures([OTHER]).sign(FORM_URL, FORM) != FORM_SIGNATURE
    assert refused(Signatures([OTHER]).check_form, FORM_URL, FORM, FORM_SIGNATURE)


@pytest.mark.promise(5)
@pytest.mark.parametrize("signature", [None, "", " ", FORM_SIGNATURE.lower(), FORM_SIGNATURE + " ", "é", "\ud800"])
def test_no_valid_header_no_service(signature: str | None) -> None:
    """A missing, empty, altered or unreadable header is a bad signature."""
    assert refused(TWILIO.check_form, FORM_URL, FORM, signature)
    assert refused(TWILIO.check_socket, SOCKET_URL, signature)
    assert refused(TWILIO.check_json, JSON_URL, BODY, signature)


@pytest.mark.promise(5)
@pytest.mark.parametrize("tokens", [[], [""], ["  "]])
def test_no_token_no_service(tokens: list[str]) -> None:
    """Without an auth token everything is refused, even what an empty key would sign."""
    empty = Signatures(tokens)
    forged = RequestValidator(tokens[0] if tokens else "").compute_signature(FORM_URL, dict(FORM))

    assert refused(empty.check_form, FORM_URL, FORM, forged)
    with pytest.raises(BadSignature):
        empty.sign(FORM_URL, FORM)


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    ("url", "form"),
    [
        (FORM_URL, [("file", UploadFile(file=None))]),
        (FORM_URL, [("half", "\ud800")]),
        (FORM_URL, [("number", 5)]),
        ("https://pay.example.test:port/", FORM),
        ("https://[pay.example.test/", FORM),
        ("", []),
    ],
)
def test_odd_input_is_a_bad_signature(url: str, form: object) -> None:
    """What nobody can sign fails closed, not with another error."""
    assert refused(TWILIO.check_form, url, form, FORM_SIGNATURE)


@pytest.mark.promise(5)
@given(st.text(st.characters()), st.lists(st.tuples(st.text(st.characters()), st.text(st.characters()))), st.text())
def test_nothing_but_a_signature_gets_in(url: str, form: list[tuple[str, str]], signature: str) -> None:
    """Whatever is presented is refused, and by no other error."""
    assert refused(TWILIO.check_form, url, form, signature)
    assert refused(TWILIO.check_json, url, b"{}", signature)
