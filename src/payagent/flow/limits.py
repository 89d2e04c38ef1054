"""The flow's numbers: how often, and how long (seconds). Every one is a setting of the same name."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True)
class Limits:
    """Counts and waits of the flow; `scaled` shortens the waits for a lab."""

    identity_tries: int = 3
    field_tries: int = 3
    declined_cards: int = 3
    reconnects: int = 3
    model_failures: int = 3
    stopped_claims: int = 3
    silences: int = 3
    start_failures: int = 3
    refused_tools: int = 3

    silence_seconds: float = 10
    turn_seconds: float = 30
    start_seconds: float = 15
    due_seconds: float = 5
    cancel_seconds: float = 5
    entry_prompt_seconds: float = 30
    entry_person_seconds: float = 90
    entry_total_seconds: float = 300
    quiet_keys_seconds: float = 3
    still_working_seconds: float = 10
    unknown_seconds: float = 60
    line_lost_seconds: float = 15
    look_up_seconds: float = 15
    hand_off_seconds: float = 14400
    speaking_seconds_per_character: float = 0.065

    def scaled(self, factor: float) -> Limits:
        """These limits with every wait multiplied by `factor`; counts stay."""
        waits = {f.name: getattr(self, f.name) * factor for f in fields(self) if "seconds" in f.name}
        return replace(self, **waits)
