from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from flows import data_of, unguarded

from payagent.flow import guards
from payagent.flow.states import Pace
from payagent.flow.table import build
from payagent.review.flow_file import FlowData, UnreadableFlowFile, as_text
from payagent.review.releases import load, since

OLD = data_of(build())
NEW = data_of(unguarded(build(), "start_payment@choosing_amount", guards.heard_since.words))
AUTOMATIC = data_of(build(Pace.AUTOMATIC))


def git(directory: Path, *arguments: str) -> None:
    named = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    subprocess.run(["git", *named, *arguments], cwd=directory, check=True, capture_output=True)


def save(directory: Path, *tables: FlowData) -> None:
    directory.mkdir(exist_ok=True)
    for data in tables:
        (directory / data.file_name).write_text(as_text(data), "utf-8")


@pytest.fixture(autouse=True)
def own_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings of this machine, and no repository around the one of the test."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))


@pytest.fixture
def drawings(tmp_path: Path) -> Path:
    """A repository with one commit without flow files, tag `bare`, and one with them, tag `v1`."""
    git(tmp_path, "init", "-q")
    directory = tmp_path / "fsm_diagrams"
    directory.mkdir()
    (directory / "payment_call.dot").write_text("digraph {}")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "Draw")
    git(tmp_path, "tag", "bare")
    save(directory, OLD, AUTOMATIC)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "Save the tables")
    git(tmp_path, "tag", "v1")
    return directory


def test_a_saved_file_is_read(tmp_path: Path) -> None:
    """By its path, without git."""
    save(tmp_path, OLD)

    assert load(str(tmp_path / OLD.file_name), tmp_path / "nowhere") == (OLD,)


def test_a_revision_gives_the_tables_of_that_time(drawings: Path) -> None:
    """As they were committed, whatever stands in the folder now."""
    save(drawings, NEW)

    assert load("v1", drawings) == (AUTOMATIC, OLD)
    assert load("HEAD", drawings) == (AUTOMATIC, OLD)


def test_other_files_beside_the_tables_are_not_read(drawings: Path) -> None:
    """The proofs' figures are no table, and stand in the same folder."""
    (drawings / "payment_call.proofs.json").write_text('{"walks": []}')
    git(drawings, "add", ".")
    git(drawings, "commit", "-q", "-m", "Save the proofs")

    assert load("HEAD", drawings) == (AUTOMATIC, OLD)


def test_since_a_revision_every_table_is_compared(drawings: Path) -> None:
    """One that is new loosens; one that is gone is told."""
    git(drawings, "rm", "-q", AUTOMATIC.file_name)
    git(drawings, "commit", "-q", "-m", "One table less")

    changed, gone = since("v1", drawings, [NEW])
    kept, new = since("HEAD", drawings, [OLD, AUTOMATIC])

    assert changed.loosens
    assert (changed.before, changed.after) == (OLD.version, NEW.version)
    assert gone.lines()[1:] == ["  table: is gone"]
    assert kept.changes == ()
    assert (new.table, new.loosens) == ("automatic.card", True)


def test_since_a_saved_file_only_its_table_is_compared(tmp_path: Path) -> None:
    """The others have nothing to be compared with."""
    save(tmp_path, OLD)
    path = str(tmp_path / OLD.file_name)

    (changed,) = since(path, tmp_path, [AUTOMATIC, NEW])

    assert changed.table == "model.card"
    assert changed.loosens
    with pytest.raises(UnreadableFlowFile, match=r"is of table model\.card; here are automatic\.card"):
        since(path, tmp_path, [AUTOMATIC])


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("v2", "v2 is neither a flow file nor a git revision here"),
        ("--help", "--help is neither a flow file nor a git revision here"),
        ("--since=yesterday", "--since=yesterday is neither a flow file nor a git revision here"),
        ("bare", "there is no flow file in .* at bare"),
    ],
)
def test_a_revision_that_cannot_tell_is_refused(drawings: Path, spec: str, words: str) -> None:
    """An unknown one, one that would be an option, and one from before the tables were saved."""
    with pytest.raises(UnreadableFlowFile, match=words):
        load(spec, drawings)


def test_a_broken_file_in_a_revision_is_named(drawings: Path) -> None:
    """With its revision."""
    (drawings / OLD.file_name).write_text("{}")
    git(drawings, "commit", "-q", "-a", "-m", "Break it")

    with pytest.raises(UnreadableFlowFile, match=f"{OLD.file_name} at HEAD has format None"):
        load("HEAD", drawings)


def test_outside_a_repository_it_says_so(tmp_path: Path) -> None:
    """And a folder that is not there is named."""
    with pytest.raises(UnreadableFlowFile, match=r"v1 is not a file, and .* is not in a git repository"):
        load("v1", tmp_path)
    with pytest.raises(UnreadableFlowFile, match=r"there is no folder .*nowhere"):
        load("v1", tmp_path / "nowhere")


def test_without_git_it_says_so(drawings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than end in a traceback."""
    monkeypatch.setenv("PATH", "")

    with pytest.raises(UnreadableFlowFile, match="git is needed"):
        load("v1", drawings)
