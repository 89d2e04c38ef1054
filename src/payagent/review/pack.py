"""The reviewer's pack: everything that is filed, made from the running tables in one go.

Pictures and their texts come from `render`; beside them stand each table as data (what a release diff compares), the
proofs' figures, the dictionary with both, and the dictionary as a page to print. Texts are compared byte for byte; the
page, which has the pictures inside, by the dictionary's hash that it carries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from payagent.errors import NoGraphviz
from payagent.flow.table import Flow
from payagent.review import proofs, render
from payagent.review.dictionary import markdown
from payagent.review.evidence import Proofs
from payagent.review.flow_file import NAME, FlowData, as_data, as_text
from payagent.review.page import html
from payagent.review.walks import walk_all

Texts = Mapping[str, Mapping[str, str]]
"""The sentences: language → name → text."""


def write(directory: Path, flows: Sequence[Flow], texts: Texts, tests: Mapping[int, Sequence[str]]) -> list[Path]:
    """Write the whole pack.

    Raises:
        NoGraphviz: there is none; everything but the pictures and the page is written all the same.
    """
    missing: NoGraphviz | None = None
    try:
        written = render.write(directory, flows)
    except NoGraphviz as error:
        written, missing = [], error
    walks = proofs.on_file(directory, flows) or proofs.found(flows, walk_all(flows))
    for name, text in _texts(flows, texts, tests, walks).items():
        written.append(_put(directory / name, text))
    if missing:
        raise missing
    document = (directory / f"{NAME}.md").read_text("utf-8")
    pictures = {path.name: path.read_text("utf-8") for path in directory.glob(f"{NAME}*.svg")}
    return [*written, _put(directory / f"{NAME}.html", f"{html(document, pictures)}\n{_stamp(document)}\n")]


def stale(directory: Path, flows: Sequence[Flow], texts: Texts, tests: Mapping[int, Sequence[str]]) -> list[str]:
    """The names of the pack's files that are missing or do not show what runs.

    Nothing is walked for it: proofs of other sources than run are stale, and with them what is written from them.
    """
    walks = proofs.on_file(directory, flows)
    expected = _texts(flows, texts, tests, walks)
    old = [name for name, text in expected.items() if _read(directory / name) != text]
    if not walks or _stamp(expected[f"{NAME}.md"]) not in _read(directory / f"{NAME}.html"):
        old.append(f"{NAME}.html")
    return sorted([*render.stale(directory, flows), *old])


def _texts(
    flows: Sequence[Flow], texts: Texts, tests: Mapping[int, Sequence[str]], walks: Sequence[Proofs]
) -> dict[str, str]:
    tables: list[FlowData] = [as_data(flow, texts) for flow in flows]
    files = {table.file_name: as_text(table) for table in tables}
    return {**files, proofs.PROOFS: proofs.as_text(walks), f"{NAME}.md": markdown(tables, walks, tests)}


def _stamp(document: str) -> str:
    return f"<!-- payagent dictionary {sha256(document.encode()).hexdigest()[:12]} -->"


def _put(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def _read(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""
