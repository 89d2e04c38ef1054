"""The page as it is sent, before anything happens in it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from payagent.demo.page import page
from payagent.lab import scenario as scenarios
from payagent.rehearsal import RealModel


class Parts(HTMLParser):
    """What stands in a page: every id, option and inline script or style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.options: list[str] = []
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = dict(attrs)
        self.ids += [of["id"] or ""] if "id" in of else []
        self.options += [of["value"] or ""] if tag == "option" else []
        inline = (tag == "script" and "src" not in of) or tag == "style" or "style" in of
        self.inline += [tag] if inline or any(name.startswith("on") for name in of) else []


def test_everything_there_is_to_choose_is_offered() -> None:
    """Every scenario, the plain one first; every person; the real model only where there is a key for one."""
    without, with_model = (
        Parts(page("k", None)),
        Parts(page("k", RealModel("sk-secret", "http://127.0.0.1:1/v1", "gpt-x"))),
    )

    assert {*scenarios.names()} <= {*without.options}
    assert without.options.index("full_payment") < without.options.index("balance_disputed")
    assert "A-1007" in without.options
    assert "real" in with_model.options
    assert "real" not in without.options
    assert "sk-secret" not in page("k", RealModel("sk-secret", "http://127.0.0.1:1/v1", "gpt-x"))


def test_the_page_brings_no_inline_script_and_no_id_twice() -> None:
    """The policy would stop the one, a label would miss the other."""
    parts = Parts(page("k", None))

    assert parts.inline == []
    assert len(parts.ids) == len(set(parts.ids))


def test_what_is_filled_in_is_text() -> None:
    """A key or a model's name that looks like markup stays one."""
    text = page('"><script>', RealModel("k", "http://127.0.0.1:1/v1", "<b>model</b>"))

    assert "<script>" not in text
    assert "&lt;b&gt;model" in text
    assert re.search(r"\$[a-z]", text) is None
