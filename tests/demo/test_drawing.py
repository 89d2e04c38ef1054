"""The diagram in the page, with and without Graphviz."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from payagent.demo import drawing as module
from payagent.demo.drawing import drawing, flow_of
from payagent.errors import NoGraphviz
from payagent.review.diagram import dot

COMMITTED = Path(__file__).parents[2] / "fsm_diagrams"


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """What was drawn in another test is forgotten."""
    drawing.cache_clear()
    yield
    drawing.cache_clear()


@pytest.fixture
def no_graphviz(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without it."""

    def missing(text: str) -> str:
        raise NoGraphviz

    monkeypatch.setattr(module.render, "svg", missing)


@pytest.mark.needs("graphviz")
def test_it_is_drawn_from_the_running_table() -> None:
    """As an element for a page, with an id for each state."""
    svg = drawing("automatic", "card_postal_code")

    assert svg.startswith("<svg")
    assert svg.rstrip().endswith("</svg>")
    for state in flow_of("automatic", "card_postal_code").states:
        assert f'id="state&#45;{state}"' in svg


@pytest.mark.usefixtures("no_graphviz")
def test_without_graphviz_the_committed_one_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """It carries what it was drawn from."""
    monkeypatch.setattr(module, "COMMITTED", COMMITTED)

    assert drawing("model", "card").startswith("<svg")


@pytest.mark.usefixtures("no_graphviz")
def test_a_drawing_of_another_table_is_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Better none than a wrong one."""
    stamp = dot(flow_of("model", "card")).partition("\n")[0].removeprefix("// ")
    committed = (COMMITTED / "payment_call.model.card.svg").read_text("utf-8")
    (tmp_path / "payment_call.model.card.svg").write_text(committed.replace(stamp, "another table"), "utf-8")
    monkeypatch.setattr(module, "COMMITTED", tmp_path)

    assert drawing("model", "card") == ""
    assert drawing("automatic", "card") == ""


def test_there_is_none_of_an_unknown_pace() -> None:
    """Which is an error of whoever asks."""
    with pytest.raises(ValueError, match="presto"):
        drawing("presto", "card")
