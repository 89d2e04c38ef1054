"""The commands. Whatever is heavy is imported by the command that needs it."""

from payagent.cli import lab, line, review, storm
from payagent.cli.base import main

__all__ = ["lab", "line", "main", "review", "storm"]
