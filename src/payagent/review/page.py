"""Markdown as GitHub renders it, and one page made of it for printing: pictures inside, no script, no network."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template

from markdown_it import MarkdownIt

NOTHING = "\u2013"
"""What stands in a cell that has nothing to say."""


# Markdown


def text(words: str) -> str:
    """Words as they are, wherever they stand."""
    return re.sub(r"([|<*&\[\]])", r"\\\1", words)


def listed(words: Iterable[str]) -> str:
    """Several pieces of words in a row; "" for none."""
    return "; ".join(text(some) for some in words)


def codes(names: Iterable[str]) -> str:
    """Names as they stand in the code; "" for none."""
    return ", ".join(f"`{name}`" for name in names)


def link(name: str) -> str:
    """A name in the code that leads to the heading of that name."""
    return f"[`{name}`](#{anchor(name)})"


def anchor(heading: str) -> str:
    """The id GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def grid(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table, and an empty one after it; cells are Markdown."""
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


# The page


def html(markdown: str, pictures: Mapping[str, str]) -> str:
    """The document as one page for A4; `pictures` are SVG texts by the file name the Markdown refers to them by.

    Raises:
        KeyError: the Markdown refers to a picture that is not there.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(markdown)
    for n, token in enumerate(tokens):
        if token.type == "heading_open":
            token.attrSet("id", anchor(tokens[n + 1].content))
        for child in token.children or ():
            if child.type == "image":
                child.attrSet("src", _data_uri(pictures[str(child.attrGet("src"))]))
    page = Template((files("payagent.review") / "page.html").read_text("utf-8"))
    title = markdown.partition("\n")[0].lstrip("# ")
    return page.substitute(title=escape(title), body=parser.renderer.render(tokens, parser.options, {}))


def _data_uri(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
