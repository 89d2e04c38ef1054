"""The page about what is uncertain at Twilio: all of its points, and tests that exist."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
POINTS = 27


def points() -> dict[int, str]:
    """Each numbered section's text."""
    page = (ROOT / "docs" / "twilio-uncertainties.md").read_text("utf-8")
    parts = re.split(r"^## (\d+)\. ", page, flags=re.MULTILINE)[1:]
    return {int(number): text for number, text in zip(parts[0::2], parts[1::2], strict=True)}


@lru_cache
def functions_of(path: Path) -> frozenset[str]:
    module = ast.parse(path.read_text("utf-8"))
    return frozenset(node.name for node in module.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_no_point_is_left_out() -> None:
    """In their order."""
    assert list(points()) == list(range(1, POINTS + 1))


@pytest.mark.parametrize("number", range(1, POINTS + 1))
def test_each_point_has_tests_that_exist_or_says_why_not(number: int) -> None:
    """By file and name."""
    text = points()[number]
    named = re.findall(r"^- `(tests/[\w/]+\.py)::(\w+)`$", text, flags=re.MULTILINE)

    assert named or re.search(r"^No test: \w+", text, flags=re.MULTILINE)
    assert text.count("::") == len(named)
    assert [name for path, name in named if name not in functions_of(ROOT / path)] == []
