"""Who is told what happens in the lab, as it happens.

Kinds and their details, as the lab reports them:

* `caller` words · `token` words (a piece of what the agent is saying) · `agent` words (all of it) · `interrupt` heard
* `key` (no details: which key is nobody's business) · `digits_lost` field, count
* `callback` name, form (masks only) · `rest` operation, status, code
* `relay` what (`connected`, `dropped`, `ended`, `failed`) · `language` code · `verb` name, detail
* `ended` how · `charge` amount, confirmation · `violation` text
"""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Something that wants to know."""

    def on(self, kind: str, **details: object) -> None:
        """Take note of one thing that happened; must not raise."""


class Unwatched:
    """The observer of a call nobody watches."""

    def on(self, kind: str, **details: object) -> None:
        """Take no note."""
