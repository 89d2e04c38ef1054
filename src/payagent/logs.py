"""Logging: structlog and the standard library to one stream in one form, with card numbers and secrets cut out.

Rules: JSON unless the stream is a terminal. Every line of every logger, tracebacks included, passes the redaction,
which stands last before the renderer, so that nothing is added behind it. A line that cannot be written breaks no call.
payagent's own lines, one a step and more, do not go through the standard library: that would take twice as long. Only
payagent's own loggers may go below INFO: at DEBUG, others print socket frames and form bodies. What describes a call
(`call_sid`, `seq`, `state`) is bound by `structlog.contextvars`.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor

SHORTEST_CARD = 12
CARD_REMOVED = "[card number removed]"
SECRET_REMOVED = "[secret removed]"  # noqa: S105 - what stands in a secret's place
# Digits with single spaces or dashes between. Beside a hexadecimal digit they are part of a SID or a hash, behind a
# point of a fraction: those stay whole.
DIGITS = re.compile(r"(?<![0-9A-Fa-f])(?<![0-9]\.)[0-9](?:[ -]?[0-9]){11,}(?![0-9A-Fa-f])")
GROUP = re.compile(r"[0-9]+")
# Whole URLs at INFO (uvicorn.access, httpx), every callback (transitions), whole requests (twilio).
NOISY = ("uvicorn.access", "httpx", "httpx2", "httpcore", "httpcore2", "openai", "transitions", "twilio")


def passes_luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1)."""
    doubled = (2 * int(digit) for digit in digits[-2::-2])
    return (sum(map(int, digits[::-2])) + sum(number // 10 + number % 10 for number in doubled)) % 10 == 0


def cut_cards(text: str) -> str:
    """The text without runs of 12 to 19 digits that pass Luhn, single spaces or dashes between the digits allowed."""
    return DIGITS.sub(lambda run: _cut_run(run.group()), text)


def _cut_run(run: str) -> str:
    """Cut each stretch of whole groups that is a card number: in `12 4242424242424242` the second group is one."""
    groups = list(GROUP.finditer(run))
    kept, at = [], 0
    for position, group in enumerate(groups):
        end = _card_end(groups[position : position + 19]) if group.start() >= at else 0
        if end:
            kept += [run[at : group.start()], CARD_REMOVED]
            at = end
    return "".join([*kept, run[at:]])


def _card_end(groups: list[re.Match[str]]) -> int:
    """Where the longest card number that begins with the first group ends; 0 when none does."""
    digits, end = "", 0
    for group in groups:
        digits += group.group()
        if SHORTEST_CARD <= len(digits) <= 19 and passes_luhn(digits):
            end = group.end()
    return end


class Redaction:
    """A structlog processor that cuts card numbers and the given secrets out of all keys and values, however deep."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # The longest first: one secret may begin another.
        known = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
        self._shortest = min([SHORTEST_CARD, *map(len, known)])
        self._secrets = re.compile("|".join(map(re.escape, known)) if known else r"(?!)")

    def text(self, text: str) -> str:
        """`text` without secrets and card numbers."""
        if len(text) < self._shortest:
            return text
        return cut_cards(self._secrets.sub(SECRET_REMOVED, text))

    def __call__(self, logger: object, method: str, event: EventDict) -> EventDict:
        """Redact one event; all its values come out as plain JSON types."""
        return {self.text(key): self._value(value) for key, value in event.items()}

    def _value(self, value: object) -> Any:
        match value:
            case None | bool() | float():
                return value
            case int():
                return value if self.text(str(value)) == str(value) else CARD_REMOVED
            case str():
                return self.text(value)
            case Mapping():
                return {self.text(str(key)): self._value(inner) for key, inner in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self._value(inner) for inner in value]
            case _:
                return self.text(repr(value))


def configure(
    level: str = "INFO",
    style: Literal["auto", "json", "console"] = "auto",
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Send every logger of the process, redacted, to `stream` (default: standard error); may be called again.

    `level` is a name of the standard library's; `auto` is console on a terminal and JSON elsewhere.
    """
    stream = stream or sys.stderr
    last = _last(Redaction(secrets), _renderer(style, stream))
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_formatter(last))
    logging.basicConfig(handlers=[handler], force=True)
    own = logging.getLevelNamesMapping()[level]
    logging.getLogger().setLevel(max(own, logging.INFO))
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=_context(),
        logger_factory=lambda name="": _Lines(name, stream, last),
        wrapper_class=structlog.make_filtering_bound_logger(own),
        cache_logger_on_first_use=True,
    )


class _Lines:
    """Writes the lines of the logger `name`, as the standard library's handler does those of the others."""

    def __init__(self, name: str, stream: TextIO, last: list[Processor]) -> None:
        self.name = name
        self._stream = stream
        self._last = last

    def write(self, /, **event: Any) -> None:
        """One event, whatever its level."""
        with suppress(Exception):
            line: Any = event
            for process in self._last:
                line = process(self, "", line)
            self._stream.write(f"{line}\n")
            self._stream.flush()

    debug = info = warning = error = critical = write


def _context() -> list[Processor]:
    """What every event carries, whoever logged it."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _last(redaction: Redaction, renderer: Processor) -> list[Processor]:
    """What makes a line of an event, whoever logged it."""
    return [
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,  # also keeps the console's own formatter from printing locals
        redaction,
        renderer,
    ]


def _formatter(last: list[Processor]) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_context(),
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )


def _renderer(style: Literal["auto", "json", "console"], stream: TextIO) -> Processor:
    if style == "json" or (style == "auto" and not stream.isatty()):
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=stream.isatty())
