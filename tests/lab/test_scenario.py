"""Scenario files: what loads, and what does not."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from payagent.lab import scenario

TEXT = """
name = "one"
description = "says one thing"
[[steps]]
when = "hello"
say = "hi"
[expect]
end = "hung_up_by_app"
charged = ["12.10"]
"""


@pytest.mark.parametrize("name", scenario.names())
def test_every_scenario_of_the_package_loads(name: str) -> None:
    """Under its own name, with something to read and something to expect."""
    loaded = scenario.load(name)

    assert loaded.name == name
    assert loaded.description.endswith(".")
    assert loaded.steps
    assert len(loaded.expect.charged) <= len(loaded.expect.sessions)


def test_a_file_loads_by_its_path(tmp_path: Path) -> None:
    """A user's own scenario."""
    path = tmp_path / "mine.toml"
    path.write_text(TEXT)

    loaded = scenario.load(str(path))

    assert loaded.expect.charged == (Decimal("12.10"),)
    assert (loaded.steps[0].deed, loaded.pace, loaded.profile) == ("say", "model", "card")


def test_an_unknown_name_says_what_there_is() -> None:
    """The message lists them."""
    with pytest.raises(FileNotFoundError, match="full_payment"):
        scenario.load("nonsense")


@pytest.mark.parametrize(
    "change",
    [
        ('say = "hi"', 'shout = "hi"'),
        ('say = "hi"', 'say = "hi"\npress = "1"'),
        ('say = "hi"', 'press = "a"'),
        ('say = "hi"', ""),
        ('when = "hello"', 'when = "("'),
        ('end = "hung_up_by_app"', 'end = "somehow"'),
        ("[expect]", "[faults]\nlose_everything = true\n[expect]"),
        ("[expect]", "[faults]\nlose_final = 3\n[expect]"),
    ],
)
def test_anything_unknown_does_not_load(change: tuple[str, str]) -> None:
    """Misspelt deeds, two deeds in a step, no deed, broken expressions, ends and faults there are not."""
    with pytest.raises(ValidationError):
        scenario.read(TEXT.replace(*change))
