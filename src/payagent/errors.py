"""Every error payagent raises on purpose.

PayagentError
├── SettingsError      ours: the settings are missing, contradictory or placeholders
├── TableError         ours: the flow's table is not well formed (found at start-up)
├── IllegalMove        ours: a step was applied to a call it does not belong to
├── SpeechError        ours: a sentence is missing, or names a value it is not given
├── BadSignature       theirs: a request that Twilio did not sign
├── BadFrame           theirs: a relay frame that cannot be read
├── BadCallback        theirs: a webhook body that cannot be read
├── TwilioRefused      the world's: Twilio answered a Payments request with an error
├── TwilioUnanswered   the world's: no answer, or one that leaves open whether the deed was done
├── ModelFailed        the world's: the model gave no usable answer
├── AccountsFailed     the world's: the book of accounts cannot be reached
├── JournalFailed      the world's: a record could not be written or read
│   └── JournalConflict   somebody else wrote this call's next step first
├── NoGraphviz         the world's: no Graphviz is installed to draw a picture with
├── DrawingFailed      the world's: Graphviz could not draw a picture
└── UnknownCall        theirs: a call that is not on the record
"""

from __future__ import annotations


class PayagentError(Exception):
    """The root: catching it catches whatever payagent raises on purpose."""


class SettingsError(PayagentError):
    """The settings cannot be used; `problems` names every one, each with what to do."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class TableError(PayagentError):
    """The flow's table is not well formed."""


class IllegalMove(PayagentError):
    """A step was applied to a call it does not belong to."""


class SpeechError(PayagentError):
    """A sentence is missing, or its text names a value it is not given."""


class BadSignature(PayagentError):
    """The request does not carry a valid Twilio signature."""


class BadFrame(PayagentError):
    """A relay frame that cannot be read."""


class BadCallback(PayagentError):
    """A webhook body that cannot be read."""


class TwilioRefused(PayagentError):
    """Twilio answered with an error: nothing was done.

    `code` is Twilio's error number where it gave one, else the HTTP status.
    """

    def __init__(self, code: int, status: int, message: str) -> None:
        super().__init__(f"Twilio refused with {code} (HTTP {status}): {message}")
        self.code = code
        self.status = status


class TwilioUnanswered(PayagentError):
    """No answer, or one (5xx) that leaves open whether the deed was done."""


class ModelFailed(PayagentError):
    """The model gave no usable answer; `reason` is a short word for the record."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class AccountsFailed(PayagentError):
    """The book of accounts cannot be reached."""


class JournalFailed(PayagentError):
    """A record could not be written or read."""


class JournalConflict(JournalFailed):
    """Somebody else wrote this call's next step first."""


class NoGraphviz(PayagentError):
    """No Graphviz is installed, so no picture can be drawn; the text says how to get one."""

    def __init__(self) -> None:
        super().__init__(
            "Graphviz is needed to draw SVG and PNG, and none was found: apt install graphviz, brew install graphviz,"
            " or pip install pygraphviz."
        )


class DrawingFailed(PayagentError):
    """Graphviz could not draw a DOT text."""


class UnknownCall(PayagentError):
    """A call that is not on the record."""
