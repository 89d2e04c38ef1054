from __future__ import annotations

import ast
from pathlib import Path

from flows import data_of

from payagent.flow.table import build
from payagent.review.evidence import PROMISES, Proof, Proofs, marked_tests, matrix, proofs

DATA = data_of(build())
EVERY = frozenset(row.id for row in DATA.rows)
CHARGE = "complete_payment_processing@ready_to_complete"


def walked(*found: Proof) -> Proofs:
    return Proofs("model.card", 2979, 336208, found)


def test_tests_are_found_by_their_marks(tmp_path: Path) -> None:
    """On a function or an async one; what stands beside them in a file, or a mark of the whole file, proves nothing."""
    folder = tmp_path / "tests" / "phone"
    folder.mkdir(parents=True)
    (folder / "test_a.py").write_text(
        "import pytest\n"
        "@pytest.mark.promise(2)\n@pytest.mark.promise(4)\ndef test_one(): ...\n"
        "@pytest.mark.promise(4, 5)\nasync def test_two(): ...\n"
        "@pytest.mark.slow(9)\ndef test_three(): ...\n"
        "@pytest.mark.promise(7)\ndef helper(): ...\n"
    )
    (folder / "test_b.py").write_text(
        "import pytest\npytestmark = [pytest.mark.promise(4), pytest.mark.slow]\n"
        "@pytest.mark.promise(4)\ndef test_four(): ...\ndef test_six(): ...\n"
    )
    (folder / "other.py").write_text("import pytest\n@pytest.mark.promise(1)\ndef test_five(): ...\n")

    assert marked_tests(tmp_path / "tests") == {
        2: ("tests/phone/test_a.py::test_one",),
        4: (
            "tests/phone/test_a.py::test_one",
            "tests/phone/test_a.py::test_two",
            "tests/phone/test_b.py::test_four",
        ),
        5: ("tests/phone/test_a.py::test_two",),
    }


def test_every_promise_is_proved_by_single_tests() -> None:
    """Each has a test that is marked; no file of ours marks all of its tests."""
    tests = Path(__file__).parents[1]
    whole = [path.name for path in tests.rglob("*.py") if of_all(path.read_text("utf-8"))]

    assert list(marked_tests(tests)) == list(PROMISES)
    assert whole == []


def of_all(source: str) -> bool:
    """Whether a file's `pytestmark` names a promise."""
    return any(
        isinstance(node, ast.Assign)
        and ast.unparse(node.targets[0]) == "pytestmark"
        and "promise" in ast.unparse(node.value)
        for node in ast.parse(source).body
    )


def test_proofs_are_told_with_their_counts() -> None:
    """Table by table; one that broke says so, one that was not checked shows nothing."""
    other = Proofs("automatic.card", 7, 8, (Proof(7, "never left open", 12, broken=True),))
    lines = list(proofs([walked(Proof(2, "no | charge", 1234)), other]))

    assert "| promise | checked | model.card | automatic.card |" in lines
    assert "| 2 | no \\| charge | 1,234 | \N{EN DASH} |" in lines
    assert "| 7 | never left open | \N{EN DASH} | 12 **broken** |" in lines
    assert "|  | situations | 2,979 | 7 |" in lines
    assert "|  | events tried | 336,208 | 8 |" in lines


def test_every_promise_stands_in_the_matrix() -> None:
    """With what the walk checked of it, on which rows, and the tests that prove it."""
    checked = (
        Proof(1, "the model is held", 9, EVERY),
        Proof(2, "no charge too many", 3, frozenset({CHARGE})),
        Proof(3, "nothing yet", 0),
    )
    lines = list(matrix([DATA], [walked(*checked)], {2: ("tests/a.py::test_b", "tests/a.py::test_c")}))

    assert [line for line in lines if line.startswith("| **")] == [
        f"| **{number}** | **{words}** | \N{EN DASH} | "
        + ("`tests/a.py::test_b`, `tests/a.py::test_c`" if number == 2 else "none is marked")
        + " |"
        for number, words in PROMISES.items()
    ]
    assert f"|  | the model is held | every row ({len(EVERY)}) |  |" in lines
    assert "|  | no charge too many | `complete_payment_processing` (1) |  |" in lines
    assert sum("the model is held" in line for line in lines) == 1
    assert "|  | nothing yet | \N{EN DASH} |  |" in lines


def test_many_causes_are_counted_rather_than_named() -> None:
    """Twelve are named, with the number of their rows; of the others it says how many."""
    some = EVERY - {CHARGE}
    line = next(line for line in matrix([DATA], [walked(Proof(1, "much", 9, some))], {}) if "much" in line)

    triggers = {row.partition("@")[0] for row in some}
    assert f" and {len(triggers) - 12} more |" in line
    assert f"`bill_held` ({sum(row.startswith('bill_held@') for row in some)})" in line
