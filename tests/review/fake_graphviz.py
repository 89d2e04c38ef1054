"""A stand-in for `dot`, so that drawings can be tested where there is no Graphviz: all in one column."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

PROGRAM = f"""#!{sys.executable}
import re, sys
print('<?xml version="1.0"?>')
print('<svg width="100pt" height="900pt" viewBox="0 0 100 900" xmlns="http://www.w3.org/2000/svg">')
print('<g id="graph0" class="graph"><polygon fill="white" points="-60,0 -60,900 160,900 160,0 -60,0"/>')
y = 0
for line in sys.stdin:
    found = re.match(r'  (\\w+)( -> (\\w+))? \\[(?:id="([^"]+)", )?label=', line)
    if not found:
        continue
    one, _, other, shown = found.groups()
    y += 10
    print(f'<g id="{{shown or one}}"><title>{{one}}{{"-&gt;" + other if other else ""}}</title>')
    if other:
        print(f'<path fill="none" stroke="#046c4e" d="M50,{{y}}C50,{{y + 3}} 50,{{y + 6}} 50,{{y + 9}}"/>')
    elif shown:
        print(f'<polygon fill="none" stroke="black" points="0,{{y}} 0,{{y + 8}} 100,{{y + 8}} 100,{{y}} 0,{{y}}"/>')
    print(f'<text text-anchor="middle" x="50" y="{{y}}" font-size="8.00">{{one}}</text></g>')
print('</g></svg>')
"""


def no_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without Graphviz; the only directory on its PATH."""
    programs = tmp_path / "bin"
    programs.mkdir(parents=True)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    return programs


def fake_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with this `dot`."""
    program = no_programs(tmp_path, monkeypatch) / "dot"
    program.write_text(PROGRAM)
    program.chmod(0o755)
