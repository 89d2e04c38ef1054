"""payagent takes card payments by phone; a state machine decides what may happen."""

__version__ = "0.1.0"
