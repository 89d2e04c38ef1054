"""Writing the drawings and finding stale ones, with a stand-in for Graphviz: the tests pass without it."""

from __future__ import annotations

import html
import importlib.machinery
import re
import shutil
import struct
import sys
import types
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from payagent.errors import DrawingFailed, NoGraphviz, PayagentError
from payagent.flow.states import Pace, Profile
from payagent.flow.table import Flow, build
from payagent.review.diagram import dot
from payagent.review.render import png, stale, svg, write

FLOWS = [build(pace, profile) for pace in Pace for profile in Profile]

TINY_SVG = '<?xml version="1.0"?>\n<svg width="10pt" height="10pt"/>\n'
FAKE_DOT = f"""#!{sys.executable}
import struct, sys, zlib
text = sys.stdin.read()
if not text.startswith("//"):
    sys.exit("syntax error in line 1")
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
if "-Tpng" in sys.argv:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(b"\\0\\0")) + chunk(b"IEND", b"")
    sys.stdout.buffer.write(b"\\x89PNG\\r\\n\\x1a\\n" + header + body)
else:
    sys.stdout.write({TINY_SVG!r})
"""


@pytest.fixture
def no_graphviz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without Graphviz; returns the only directory on its PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    return programs


@pytest.fixture
def graphviz(no_graphviz: Path) -> None:
    """A machine with a `dot` that draws the same small picture of whatever it is given."""
    program = no_graphviz / "dot"
    program.write_text(FAKE_DOT)
    program.chmod(0o755)


@pytest.fixture
def written(graphviz: None, tmp_path: Path) -> Path:
    directory = tmp_path / "fsm_diagrams"
    write(directory, FLOWS)
    return directory


def chunks(picture: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The PNG's chunks; a wrong checksum fails."""
    at = 8
    while at < len(picture):
        (length,) = struct.unpack_from(">I", picture, at)
        kind, data = picture[at + 4 : at + 8], picture[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", picture, at + 8 + length) == (zlib.crc32(kind + data),)
        yield kind, data
        at += length + 12


def test_writes_every_pace_and_profile_and_a_short_name(written: Path) -> None:
    """Four forms each, and the default once more as `payment_call.dot` and `.svg`."""
    names = {
        f"payment_call.{flow.pace}.{flow.profile}.{form}" for flow in FLOWS for form in ("dot", "svg", "png", "mmd")
    }

    assert {path.name for path in written.iterdir()} == {*names, "payment_call.dot", "payment_call.svg"}
    assert (written / "payment_call.dot").read_text() == dot(build())


@pytest.mark.promise(9)
def test_what_was_just_written_is_fresh(written: Path) -> None:
    """Freshness is judged without drawing anything."""
    assert stale(written, FLOWS) == []


def test_writing_twice_changes_nothing(written: Path) -> None:
    """Same tables, same bytes, for each form."""
    before = {path.name: path.read_bytes() for path in written.iterdir()}

    write(written, FLOWS)

    assert {path.name: path.read_bytes() for path in written.iterdir()} == before


@pytest.mark.promise(9)
@pytest.mark.parametrize("form", ["dot", "mmd"])
def test_a_text_form_is_compared_byte_for_byte(written: Path, form: str) -> None:
    """One space more is another drawing."""
    path = written / f"payment_call.automatic.card.{form}"
    path.write_text(path.read_text() + " ")

    assert stale(written, FLOWS) == [path.name]


@pytest.mark.promise(9)
@pytest.mark.parametrize("form", ["svg", "png"])
def test_a_picture_is_compared_by_the_drawing_it_shows(written: Path, form: str) -> None:
    """Another Graphviz may draw it differently; a picture of another table is stale."""
    path = written / f"payment_call.automatic.card.{form}"
    path.write_bytes(path.read_bytes() + b"\n")
    assert stale(written, FLOWS) == []

    path.write_bytes((written / f"payment_call.model.card.{form}").read_bytes())
    assert stale(written, FLOWS) == [path.name]


@pytest.mark.promise(9)
def test_a_missing_file_is_stale(written: Path) -> None:
    """Nothing written is nothing signed."""
    (written / "payment_call.svg").unlink()

    assert stale(written, FLOWS) == ["payment_call.svg"]


@pytest.mark.promise(9)
def test_a_drawing_of_no_table_is_stale(written: Path) -> None:
    """A profile that is gone leaves no picture behind; other files are not looked at."""
    (written / "payment_call.model.bank.svg").write_text("<svg/>")
    (written / "payment_call.md").write_text("a document of its own")

    assert stale(written, FLOWS) == ["payment_call.model.bank.svg"]


@pytest.mark.promise(9)
def test_no_directory_at_all_is_all_stale(tmp_path: Path) -> None:
    """Every expected file is named."""
    assert len(stale(tmp_path / "nowhere", FLOWS)) == 4 * len(FLOWS) + 2


def test_without_graphviz_it_says_how_to_get_one(no_graphviz: Path) -> None:
    """The error is ours and names three ways."""
    with pytest.raises(NoGraphviz, match=r"apt install graphviz, .*pip install pygraphviz") as error:
        svg(dot(build()))

    assert isinstance(error.value, PayagentError)


def test_without_graphviz_the_text_forms_are_still_written(no_graphviz: Path, tmp_path: Path) -> None:
    """And only the pictures are stale then."""
    directory = tmp_path / "fsm_diagrams"
    with pytest.raises(NoGraphviz):
        write(directory, FLOWS)

    assert {Path(name).suffix for name in stale(directory, FLOWS)} == {".svg", ".png"}


def test_pygraphviz_draws_where_there_is_no_dot(no_graphviz: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is asked for the same program, form and resolution."""
    asked = []

    class AGraph:
        def __init__(self, string: str) -> None:
            self.string = string

        def draw(self, **how: str) -> bytes:
            asked.append((self.string, how))
            return TINY_SVG.encode()

    module = types.ModuleType("pygraphviz")
    module.__spec__ = importlib.machinery.ModuleSpec("pygraphviz", None)
    module.__dict__["AGraph"] = AGraph
    monkeypatch.setitem(sys.modules, "pygraphviz", module)
    text = dot(build())

    assert "payagent diagram" in svg(text)
    assert asked == [(text, {"prog": "dot", "format": "svg", "args": ""})]


def test_an_svg_carries_the_drawing_s_hash_as_a_comment(graphviz: None) -> None:
    """Behind the XML declaration, which has to come first."""
    text = dot(build())

    head, comment, *_ = svg(text).split("\n")

    assert head.startswith("<?xml")
    assert comment == f"<!-- {text.partition(chr(10))[0].removeprefix('// ')} -->"


def test_a_png_carries_the_drawing_s_hash_and_stays_a_png(graphviz: None) -> None:
    """In a text chunk behind the header, with a right checksum."""
    text = dot(build())

    found = list(chunks(png(text)))

    assert [kind for kind, _ in found] == [b"IHDR", b"tEXt", b"IDAT", b"IEND"]
    assert found[1][1] == b"Source\0" + text.partition("\n")[0].removeprefix("// ").encode()


def test_a_text_that_cannot_be_drawn_fails_in_words(graphviz: None) -> None:
    """What Graphviz said is passed on."""
    with pytest.raises(DrawingFailed, match="syntax error in line 1"):
        svg("no drawing")


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
@pytest.mark.parametrize("flow", FLOWS, ids=[f"{flow.pace}-{flow.profile}" for flow in FLOWS])
def test_a_real_drawing_fits_a_page_upright_with_every_id(flow: Flow) -> None:
    """A4 and letter with small margins both take 7.7 by 10.5 inches; a wide strip would not be readable."""
    text = dot(flow)

    drawn = svg(text)

    size = re.search(r'<svg width="(\d+)pt" height="(\d+)pt"', drawn)
    assert size
    width, height = int(size[1]), int(size[2])
    assert width <= 7.7 * 72 + 1
    assert width < height <= 10.5 * 72 + 1
    assert set(re.findall(r'\bid="((?:state|edge)-[^"]+)"', text)) <= set(
        re.findall(r'<g id="([^"]+)"', html.unescape(drawn))
    )
