"""Finds the tables of an earlier release: in a saved flow file, or in git."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from payagent.review.diff import Changes, appeared, compare, vanished
from payagent.review.flow_file import NAME, FlowData, UnreadableFlowFile, from_text

GIT_SECONDS = 30

TABLE_FILE = re.compile(rf"{NAME}\.[^.]+\.[^.]+\.json")
"""A table's file bears its pace and profile; the proofs' figures beside it do not."""


Versions = tuple[FlowData | None, FlowData | None]
"""One table before and after; None: there is none."""


def since(spec: str, directory: Path, tables: Sequence[FlowData]) -> tuple[Changes, ...]:
    """What changed in `tables` since `spec` (see `versions`).

    Raises:
        UnreadableFlowFile: there is nothing to compare with; the message says why.
    """
    return tuple(told(before, after) for before, after in versions(spec, directory, tables))


def told(before: FlowData | None, after: FlowData | None) -> Changes:
    """What changed in one table."""
    if before and after:
        return compare(before, after)
    if after:
        return appeared(after)
    assert before is not None  # one of them is there
    return vanished(before)


def versions(spec: str, directory: Path, tables: Sequence[FlowData]) -> tuple[Versions, ...]:
    """Each of `tables` as it was at `spec` (see `load`) and is. A saved file stands for its own table only.

    Raises:
        UnreadableFlowFile: there is nothing to compare with; the message says why.
    """
    before = {data.table: data for data in load(spec, directory)}
    after = {data.table: data for data in tables}
    if Path(spec).is_file():
        if not before.keys() <= after.keys():
            raise UnreadableFlowFile(f"{spec} is of table {', '.join(before)}; here are {', '.join(after)}")
        return tuple((before[name], after[name]) for name in before)
    kept = ((before.get(name), data) for name, data in after.items())
    return (*kept, *((data, None) for name, data in before.items() if name not in after))


def load(spec: str, directory: Path) -> tuple[FlowData, ...]:
    """The saved tables of `spec`: a flow file's path, or a git revision, whose files in `directory` are read.

    Raises:
        UnreadableFlowFile: no such file or revision, no git repository, no flow file there, or one that cannot be read.
    """
    path = Path(spec)
    if path.is_file():
        return (from_text(path.read_text("utf-8"), spec),)
    if not directory.is_dir():
        raise UnreadableFlowFile(f"{spec} is not a file, and there is no folder {directory} whose history could tell")
    commit = _commit(spec, directory)
    listed = _git(directory, "ls-tree", "--name-only", commit, "./").stdout.splitlines()
    names = [name for name in listed if TABLE_FILE.fullmatch(name)]
    if not names:
        raise UnreadableFlowFile(f"there is no flow file in {directory} at {spec}: it is from before they were saved")
    return tuple(from_text(_git(directory, "show", f"{commit}:./{name}").stdout, f"{name} at {spec}") for name in names)


def _commit(revision: str, directory: Path) -> str:
    if _git(directory, "rev-parse", "--git-dir").returncode:
        raise UnreadableFlowFile(f"{revision} is not a file, and {directory} is not in a git repository")
    found = _git(directory, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if found.returncode:
        raise UnreadableFlowFile(f"{revision} is neither a flow file nor a git revision here")
    return found.stdout.strip()


def _git(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["git", "-C", str(directory), *arguments]
    try:
        return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=GIT_SECONDS)  # noqa: S603 - no shell, and the revision is verified first
    except FileNotFoundError:
        raise UnreadableFlowFile("git is needed to look at an earlier revision, and none was found") from None
