"""A call printed as it happens."""

from __future__ import annotations

import io

from rich.console import Console

from payagent.lab.show import Show


def shown(*happenings: tuple[str, dict[str, object]]) -> str:
    page = io.StringIO()
    show = Show(Console(file=page, width=200, no_color=True))
    for kind, details in happenings:
        show.on(kind, **details)
    return page.getvalue()


def test_keys_are_dots_on_one_line() -> None:
    """And the next thing begins a new one; partial callbacks are those dots."""
    partial = ("callback", {"name": "partial", "form": {"PaymentCardNumber": "x"}})
    page = shown(("key", {}), partial, ("key", {}), partial, ("agent", {"words": "Thank you [now]."}))

    assert page == "caller ••\nagent  Thank you [now].\n"


def test_everything_the_lab_reports_has_its_line() -> None:
    """Names, not SIDs and dates."""
    form = {"Sid": "PK1", "DateUpdated": "today", "Capture": "security-code", "Required": ""}
    page = shown(
        ("token", {"words": "unseen"}),
        ("caller", {"words": "hi"}),
        ("interrupt", {"heard": "You can"}),
        ("callback", {"name": "done", "form": form}),
        ("rest", {"operation": "create", "status": 201, "code": 0}),
        ("rest", {"operation": "complete", "status": 400, "code": 64019}),
        ("relay", {"what": "connected"}),
        ("language", {"code": "es-US"}),
        ("verb", {"name": "enqueue"}),
        ("verb", {"name": "say"}),
        ("digits_lost", {"field": "security-code", "count": 2}),
        ("charge", {"amount": "1.00 USD", "confirmation": "ch_1"}),
        ("violation", {"text": "bad"}),
        ("ended", {"how": "queue"}),
        ("state", {"before": "a", "after": "b"}),
        ("tools", {"names": ["f", "g"]}),
        ("weather", {"sun": True}),
    )

    assert "unseen" not in page
    assert "done: Capture=security-code Required=" in page
    assert "PK1" not in page
    for words in ("create → 201", "complete → 400 (64019)", "rings the queue", "charged 1.00 USD", "a → b", "f, g"):
        assert words in page
    assert "weather {'sun': True}" in page
    assert len(page.splitlines()) == 15
