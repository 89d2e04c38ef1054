"""The search for card numbers finds them however they are spelt, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from card_search import ON_PURPOSE, left_behind, traces


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    "text",
    [
        "it is 4242 4242 4242 4242.",
        '"4242-4242-4242"',
        "4 2 4 2, 4 2 4 2, 4",
        "PaymentCardNumber=4242424242424242&",
        "4242%2042424242+4242",
        "4111 1111 1111 1111",
        "\x000004242424242424242fff",
        "four two four two four two four two four",
        "forty two forty-two forty two forty two forty two",
        "double four no, FOUR TWO FOUR TWO FOUR TWO FOUR TWO FOUR",
        "cuarenta y dos cuarenta y dos cuarenta y dos cuarenta y dos cuarenta y dos",
        "sesenta once cero cero cero nueve noventa",
    ],
)
def test_a_number_and_a_part_of_one_is_found(text: str) -> None:
    """In digits with anything short between them, and in words."""
    assert traces(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "ending in 4242",
        "4242 4242",
        "CA42424242424242424242424242424242",
        "sha256 4111111111111111aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "2026-11-26T12:00:00.123456Z 1764158400",
        "+1 555 111 1111",
        "2026-11-02T12:00:45.006000+00:00 due 29",
        "12:36:45.126440+00:0025347",
        "May first nineteen ninety",
        "4242 and 4242",
        "",
    ],
)
def test_everything_else_is_not(text: str) -> None:
    """The last four digits, SIDs and hashes, times, phone numbers."""
    assert traces(text.encode()) == []


@pytest.mark.promise(4)
def test_a_file_that_holds_one_is_named(tmp_path: Path) -> None:
    """And where it stands in it; what is no file of the program's, or was put there by a test, is left out."""
    for name in ("kept.db", "run.sh"):
        (tmp_path / name).write_bytes(b"\x00number 4242 4242 4242 4242\x00")
    found = left_behind(tmp_path)
    (tmp_path / ON_PURPOSE).touch()

    assert len(found) == 1
    assert found[0].startswith("kept.db: ")
    assert left_behind(tmp_path) == []
