"""Leaves logging as it was found, for tests of what configures it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from payagent.logs import NOISY


@contextmanager
def logging_restored() -> Iterator[None]:
    """Handlers, levels and structlog's configuration are afterwards what they were before."""
    handlers = logging.getLogger().handlers[:]
    levels = {name: logging.getLogger(name).level for name in ("root", "payagent", *NOISY)}
    try:
        yield
    finally:
        logging.getLogger().handlers[:] = handlers
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
