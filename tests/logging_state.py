"""Leaves logging as it was found, for tests of what configures it."""

from __future__ import annotations

import logging
import sys
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
        forget()
        structlog.contextvars.clear_contextvars()


def forget() -> None:
    """No logger of ours stays bound to a configuration that is over (structlog caches it)."""
    structlog.reset_defaults()
    for name, module in list(sys.modules.items()):
        if name.startswith("payagent") and hasattr(module, "_log"):
            vars(module._log).pop("bind", None)
