"""What a tab may be shown, and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

from payagent.demo.drawing import flow_of
from payagent.demo.feed import Feed
from payagent.demo.sheet import Sheet


async def shown(kind: str, **details: Any) -> list[dict[str, Any]]:
    feed = Feed(asyncio.get_running_loop())
    sheet = Sheet(feed, flow_of("model", "card"))
    sheet.on(kind, **details)
    feed.close()
    return [item.data async for item in feed.after(0)]


async def test_of_a_callback_only_what_is_named_is_shown() -> None:
    """No digit but the last four, no expiry, no postal code, no SID."""
    form = {
        "Sid": "PK1",
        "Capture": "postal-code",
        "Required": "",
        "PaymentCardNumber": "424242xxxxxx4242",
        "ExpirationDate": "1230",
        "SecurityCode": "xxx",
        "PaymentCardPostalCode": "94016",
        "PaymentCardType": "visa",
        "PartialResult": "false",
    }

    assert await shown("callback", name="done", form=form) == [
        {
            "kind": "callback",
            "name": "done",
            "field": "postal-code",
            "required": "",
            "card": "visa",
            "last_four": "4242",
        }
    ]


async def test_a_number_that_is_not_whole_has_no_last_four() -> None:
    """What is keyed in so far is masked whole."""
    (news,) = await shown("callback", name="partial", form={"PaymentCardNumber": "xxxx"})

    assert news == {"kind": "callback", "name": "partial"}


async def test_what_is_not_known_to_be_harmless_is_not_shown() -> None:
    """The caller's raw words are not: the record's stand for them."""
    assert await shown("caller", words="4242 4242 4242 4242") == []
    assert await shown("state", before="a", after="b") == []
    assert await shown("new_kind", digits="4242") == []
