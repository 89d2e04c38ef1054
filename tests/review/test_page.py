from __future__ import annotations

import re
from base64 import b64encode

import pytest

from payagent.review.page import anchor, codes, grid, html, link, listed, text

HOSTILE = "a|b <script>alert(1)</script> *bold* &copy; [x](http://y) \\ end"


def test_words_stay_as_they_are_in_a_cell() -> None:
    """Nothing in them ends the cell, is markup, or becomes a tag or a link."""
    page = html("\n".join(grid(("head", "other"), [(text(HOSTILE), "next")])), {})

    assert (
        "<td>a|b &lt;script&gt;alert(1)&lt;/script&gt; *bold* &amp;copy; [x](http://y) \\ end</td>\n<td>next</td>"
        in page
    )


def test_tags_in_a_document_are_shown_not_obeyed() -> None:
    """Also where somebody forgot to escape them."""
    assert "<b>" not in html("# T\n\n<b>bold</b>\n\n<script>alert(1)</script>\n", {})


def test_a_grid_is_a_table_with_an_empty_line_behind() -> None:
    """As GitHub wants it."""
    assert list(grid(("a", "b"), [("1", "2")])) == ["| a | b |", "|---|---|", "| 1 | 2 |", ""]


def test_names_are_code_and_links_lead_to_their_heading() -> None:
    """The ids of headings are those GitHub gives them."""
    page = html(f"# T\n\n{link('card_number_due')}\n\n### `card_number_due`\n\n## Who can *cause* it?\n", {})

    assert codes(["a", "b"]) == "`a`, `b`"
    assert listed(["a|b", "c"]) == "a\\|b; c"
    assert '<a href="#card_number_due"><code>card_number_due</code></a>' in page
    assert '<h3 id="card_number_due">' in page
    assert anchor("Promises, rows and tests") == "promises-rows-and-tests"


def test_the_page_stands_alone() -> None:
    """The picture is inside, the title is the document's, and there is no script and nothing to fetch."""
    svg = '<svg xmlns="http://www.w3.org/2000/svg"/>'
    page = html("# The flow & you\n\n![A picture](a.svg)\n", {"a.svg": svg})

    assert "<title>The flow &amp; you</title>" in page
    assert f'<img src="data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}" alt="A picture" />' in page
    assert "<script" not in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    assert not re.search(r"@import|url\(", page)
    assert "@page { size: A4;" in page


def test_a_picture_that_is_not_there_is_an_error() -> None:
    """A page with a hole in it is not written."""
    with pytest.raises(KeyError, match=r"b\.svg"):
        html("![A picture](b.svg)", {"a.svg": "<svg/>"})
