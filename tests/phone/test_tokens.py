"""The relay's one-call token."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payagent.phone import tokens

KEY = b"0123456789abcdef"
CALL = "CA" + "0" * 31 + "2"


@pytest.mark.parametrize("nonce", ["q9F_-x", "", "a.b"])
def test_a_token_opens_its_call(nonce: str) -> None:
    """What was issued is good."""
    assert tokens.check(KEY, CALL, tokens.issue(KEY, CALL, nonce))


@pytest.mark.promise(5)
def test_a_token_opens_nothing_else() -> None:
    """Another call, another key or another nonce makes it worthless."""
    token = tokens.issue(KEY, CALL, "nonce")

    assert not tokens.check(KEY, CALL[:-1] + "3", token)
    assert not tokens.check(b"another key", CALL, token)
    assert not tokens.check(KEY, CALL, "x" + token)
    assert not tokens.check(KEY, CALL, token[:-1])
    assert not tokens.check(KEY, CALL, token.rpartition(".")[2])


def test_two_nonces_make_two_tokens() -> None:
    """A re-connect gets a token of its own."""
    assert tokens.issue(KEY, CALL, "one") != tokens.issue(KEY, CALL, "two")


@pytest.mark.promise(5)
def test_an_empty_key_opens_nothing() -> None:
    """Without a key no token is issued, and none is good: not even the one an empty key would make."""
    with pytest.raises(ValueError, match="key"):
        tokens.issue(b"", CALL, "nonce")

    forged = f"nonce.{tokens._mac(b'', CALL, 'nonce')}"
    assert not tokens.check(b"", CALL, forged)


@pytest.mark.promise(5)
@given(st.text(st.characters()), st.text(st.characters()))
def test_no_text_breaks_the_check(call_sid: str, token: str) -> None:
    """Whatever a socket presents is a plain no."""
    assert not tokens.check(KEY, call_sid, token)
