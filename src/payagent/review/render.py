"""Writes the drawings of the running tables, and tells which of the written ones no longer show what runs.

Text forms (DOT, Mermaid) are compared byte for byte. Pictures (SVG, PNG) differ between versions of Graphviz, so they
carry what the first line of their DOT says, its hash and the table's version, and that is compared. Rendering needs no
network: the `dot` program is used, or else the `pygraphviz` package, which brings its own. Showing a picture needs
neither.
"""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import struct
import subprocess
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from payagent.errors import DrawingFailed, NoGraphviz
from payagent.flow.states import Pace, Profile
from payagent.flow.table import Flow
from payagent.review import diff_diagram
from payagent.review.diagram import dot, mermaid
from payagent.review.flow_file import FlowData

NAME = "payment_call"
DEFAULT = (Pace.MODEL, Profile.CARD)
"""The table that is drawn under the short name too."""

DPI = 200
"""Of the PNG. Letters are as large as a page allows where the font asked for, or Liberation Sans, is there."""
RENDER_SECONDS = 60


def svg(dot_text: str) -> str:
    """The drawing as SVG; its second line is the DOT's first, as a comment.

    Raises:
        NoGraphviz: there is none.
        DrawingFailed: the text is no DOT.
    """
    head, _, rest = _draw(dot_text, "svg").decode().partition("\n")
    return f"{head}\n<!-- {_stamp(dot_text)} -->\n{rest}"


def png(dot_text: str) -> bytes:
    """The drawing as PNG at print resolution; a text chunk carries the DOT's first line.

    Raises:
        NoGraphviz: there is none.
        DrawingFailed: the text is no DOT.
    """
    drawn = _draw(dot_text, "png")
    chunk = b"tEXtSource\0" + _stamp(dot_text).encode("latin-1")
    framed = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    after_header = 8 + 25  # the signature and IHDR, which must come first (PNG specification, 5.6)
    return drawn[:after_header] + framed + drawn[after_header:]


def write(directory: Path, flows: Iterable[Flow]) -> list[Path]:
    """Write every drawing of `flows` into `directory`, and return the paths.

    Raises:
        NoGraphviz: there is none; the text forms are written all the same.
        DrawingFailed: the text is no DOT.
    """
    directory.mkdir(parents=True, exist_ok=True)
    texts, pictures = _texts(flows), _pictures(flows)
    written = [_put(directory / name, text.encode()) for name, text in texts.items()]
    for name, dot_text in pictures.items():
        written.append(_put(directory / name, png(dot_text) if name.endswith(".png") else svg(dot_text).encode()))
    return written


def stale(directory: Path, flows: Iterable[Flow]) -> list[str]:
    """The names of the files in `directory` that are missing, show another table, or show none of `flows` at all."""
    texts, pictures = _texts(flows), _pictures(flows)
    fresh = {name for name, text in texts.items() if _read(directory / name) == text.encode()}
    fresh |= {name for name, dot_text in pictures.items() if _stamp(dot_text).encode() in _read(directory / name)}
    found = {p.name for p in directory.glob(f"{NAME}*") if p.suffix in (".dot", ".mmd", ".svg", ".png")}
    return sorted((texts.keys() | pictures.keys() | found) - fresh)


def write_changes(directory: Path, versions: Iterable[tuple[FlowData, FlowData]]) -> Iterator[Path]:
    """Draw what changed in each table into `directory`, as DOT, SVG and PNG, and tell each path once it is written.

    Pictures of an earlier comparison of these tables are taken away.

    Raises:
        NoGraphviz: there is none; the DOT of every table is written all the same.
        DrawingFailed: the text is no DOT.
    """
    directory.mkdir(parents=True, exist_ok=True)
    drawn: dict[str, str] = {}
    for old, new in versions:
        name = f"changes.{new.table}"
        for form in ("dot", "svg", "png"):
            (directory / f"{name}.{form}").unlink(missing_ok=True)
        if old != new:
            drawn[name] = diff_diagram.dot(old, new)
    for name, text in drawn.items():
        yield _put(directory / f"{name}.dot", text.encode())
    for name, text in drawn.items():
        yield _put(directory / f"{name}.svg", svg(text).encode())
        yield _put(directory / f"{name}.png", png(text))


def _texts(flows: Iterable[Flow]) -> dict[str, str]:
    """File name → what the text file says."""
    texts: dict[str, str] = {}
    for flow in flows:
        texts |= {f"{name}.dot": dot(flow) for name in _names(flow)}
        texts[f"{_names(flow)[0]}.mmd"] = mermaid(flow)
    return texts


def _pictures(flows: Iterable[Flow]) -> dict[str, str]:
    """File name → the DOT the picture is made of."""
    pictures: dict[str, str] = {}
    for flow in flows:
        pictures |= {f"{name}.svg": dot(flow) for name in _names(flow)}
        pictures[f"{_names(flow)[0]}.png"] = dot(flow)
    return pictures


def _names(flow: Flow) -> list[str]:
    short = [NAME] if (flow.pace, flow.profile) == DEFAULT else []
    return [f"{NAME}.{flow.pace}.{flow.profile}", *short]


def _stamp(dot_text: str) -> str:
    return dot_text.partition("\n")[0].removeprefix("// ")


def _put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _draw(dot_text: str, form: str) -> bytes:
    options = [f"-T{form}", *([f"-Gdpi={DPI}"] if form == "png" else [])]
    program = shutil.which("dot")
    if program:
        return _run(program, options, dot_text)
    if importlib.util.find_spec("pygraphviz"):
        graph = importlib.import_module("pygraphviz").AGraph(string=dot_text)
        return bytes(graph.draw(prog="dot", format=form, args=" ".join(options[1:])))
    raise NoGraphviz


def _run(program: str, options: list[str], dot_text: str) -> bytes:
    command = [program, *options]
    done = subprocess.run(command, input=dot_text.encode(), capture_output=True, timeout=RENDER_SECONDS)  # noqa: S603 - our own text, no shell
    if done.returncode:
        raise DrawingFailed(f"dot ended with {done.returncode}: {done.stderr.decode(errors='replace').strip()[:500]}")
    return done.stdout
