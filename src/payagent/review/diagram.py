"""Draws a table as one page, in DOT and in Mermaid, for the person who has to sign it.

What is shown is decided in `arrows`; here it gets its words, colours and places. The happy path runs straight down, the
cards of shared moves stand beside it. Colour and stroke say who may cause a move, in the legend's words.

Same table, same bytes. A state's box has the id `state-<state>`; arrows and cards have the ids of `arrows`, so that a
page can light up where a call is. The DOT's first line carries its own hash, which every picture made of it repeats.
"""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import pairwise

from payagent.flow.states import FINAL, Party, State
from payagent.flow.table import Flow
from payagent.review.arrows import Arrow, Card, Plan, plan

MOST_TRIGGERS = 4
"""An arrow with more names all but the last ones, and says how many those are."""

COLUMNS = 2
MERMAID_COLUMNS = 5
"""Columns of cards beside the happy path."""

STATE_WIDTH, CARD_WIDTH, LEGEND_WIDTH = 44, 36, 20  # in characters

NO_BREAK = "\u00a0"

COLOURS: dict[Party, str] = {
    Party.MODEL: "#6d28d9",
    Party.PAY: "#046c4e",
    Party.LINE: "#1d4ed8",
    Party.CLOCK: "#9a4a00",
    Party.PROGRAM: "#475569",
    Party.OPERATOR: "#be123c",
}
"""Each at least 4.5:1 on white (WCAG AA)."""

STROKES: dict[Party, str] = {
    Party.MODEL: "style=solid",
    Party.PAY: "style=solid, penwidth=1.8",
    Party.LINE: "style=dotted, penwidth=1.5",
    Party.CLOCK: "style=dashed",
    Party.PROGRAM: "style=solid, penwidth=0.5",
    Party.OPERATOR: "style=dashed, penwidth=1.8",
}
"""So that a print in black and white can still be told apart."""

SHAFTS: dict[Party, str] = {
    Party.MODEL: "-->",
    Party.PAY: "==>",
    Party.LINE: "-.->",
    Party.CLOCK: "-.->",
    Party.PROGRAM: "-->",
    Party.OPERATOR: "==>",
}
"""Mermaid's arrows."""

CAUSES: dict[Party, str] = {
    Party.MODEL: "by a tool it calls",
    Party.PAY: "a Twilio callback or REST answer",
    Party.LINE: "hang-up, relay, dial or queue",
    Party.CLOCK: "a wait is over",
    Party.PROGRAM: "its own look-ups and counts",
    Party.OPERATOR: "a person's word, later",
}


# What the boxes say


def _state_lines(flow: Flow, state: State) -> list[str]:
    """The state's name and its tools; those open wherever any is are said once for the page."""
    common = _common_tools(flow)
    tools = flow.tools[state]
    if set(common) <= set(tools):
        tools = (*(t for t in tools if t not in common), f"common{NO_BREAK}tools")
    return [state, *textwrap.wrap(" · ".join(tools), STATE_WIDTH)]


def _common_tools(flow: Flow) -> tuple[str, ...]:
    """The tools open wherever any tool is."""
    spoken = [tools for tools in flow.tools.values() if tools]
    return tuple(t for t in spoken[0] if all(t in tools for tools in spoken))


def _card_lines(flow: Flow, card: Card) -> list[str]:
    moves = [f"{', '.join(triggers)} → {' or '.join(_names(flow, dests))}" for triggers, dests in card.moves]
    return [
        line
        for text in (*moves, f"from {_from(flow, card.sources)}")
        for line in textwrap.wrap(text, CARD_WIDTH, subsequent_indent=NO_BREAK * 2)
    ]


def _from(flow: Flow, states: Collection[State]) -> str:
    """Which states, or all but which if that is much shorter; a final state is never left and never named."""
    some = _names(flow, states)
    others = _names(flow, [s for s in flow.states if s not in states and s not in FINAL])
    return ", ".join(some) if len(some) <= len(others) + 1 else f"any state but {', '.join(others)}"


def _names(flow: Flow, states: Collection[State]) -> list[str]:
    """Their names; states that belong together have one name where all of them are meant."""
    names, left = [], list(states)
    for name, family in _families(flow).items():
        if family <= set(left):
            left = [state for state in left if state not in family]
            names.append(name.replace(" ", NO_BREAK))
    return [*map(str, left), *names]


def _families(flow: Flow) -> dict[str, set[State]]:
    captures = {field.tool for field in flow.profile.fields}
    families = {
        "any state with tools": {s for s, tools in flow.tools.items() if tools},
        "any capture state": {s for s, tools in flow.tools.items() if captures & {*tools}},
        "any …_due": {s for s in flow.states if s.endswith("_due")},
        "any …_entry": {s for s in flow.states if s.endswith("_entry")},
    }
    return {name: family for name, family in families.items() if family}


def _trigger_lines(arrow: Arrow) -> list[str]:
    if len(arrow.triggers) <= MOST_TRIGGERS:
        return list(arrow.triggers)
    return [*arrow.triggers[: MOST_TRIGGERS - 1], f"and {len(arrow.triggers) - MOST_TRIGGERS + 1} more"]


def _page_lines(flow: Flow) -> list[str]:
    stay = sum(row.dest is None for row in flow.rows)
    common = ", ".join(_common_tools(flow))
    return [
        f"Payment call: {flow.pace} pace, fields of profile {flow.profile}, table {flow.version}",
        f"A box is a state with the tools the model is offered there; common tools are {common}.",
        "An arrow is a move, with what triggers it. Colour and stroke say who may cause it. “→ name” leads there.",
        "A coloured card is a move drawn once for all states it names (a capture state is one with a capture tool);",
        f"it leads elsewhere, never to where it began. Not drawn: {stay} rows that stay in place.",
    ]


def _legend(party: Party, drawn: Plan) -> str:
    moves = party in {arrow.party for arrow in (*drawn.lines, *drawn.marked)} | {c.party for c in drawn.cards}
    return f"{party}: {CAUSES[party]}" + ("" if moves else " (moves no call)")


# DOT


def dot(flow: Flow) -> str:
    """The page for Graphviz. Its first line names the drawing's hash (of all that follows) and the table's version."""
    body = "\n".join(["digraph payment_call {", *_dot_lines(flow, plan(flow)), "}", ""])
    return f"// payagent diagram {hashlib.sha256(body.encode()).hexdigest()[:12]} of table {flow.version}\n{body}"


def _dot_lines(flow: Flow, drawn: Plan) -> Iterator[str]:
    yield '  graph [rankdir=TB, newrank=true, ranksep=0.05, nodesep=0.07, margin=0, size="7.7,10.5", labelloc=t,'
    yield f'    labeljust=l, fontname="Arial", fontsize=8, label="{_text(_page_lines(flow), "l")}"]'
    yield '  node [shape=box, fontname="Arial", fontsize=8, margin="0.05,0.02", width=0.2, height=0.2]'
    yield '  edge [fontname="Arial", fontsize=7, arrowsize=0.5]'
    for state in flow.states:
        group = ", group=path, ordering=out" if state in drawn.path else ""
        yield f'  {state} [id="state-{state}", label="{_text(_state_lines(flow, state), "n")}"{group}]'
    steps = _steps(drawn)
    for arrow in drawn.lines:
        step = steps.get((arrow.source, arrow.dests[0]), "")
        yield f"  {arrow.source} -> {arrow.dests[0]} [{_dot_arrow(arrow)}{step}]"
    for arrow in drawn.marked:
        marker = f"{arrow.source}_to_{'_'.join(arrow.dests)}"
        names = _text([f"→ {dest}" for dest in arrow.dests], "l")
        yield f'  {marker} [label="{names}", shape=plaintext, fontsize=7]'
        yield f"  {arrow.source} -> {marker} [{_dot_arrow(arrow)}]"
    yield from _dot_panel(flow, drawn)


def _steps(drawn: Plan) -> dict[tuple[State, State], str]:
    """How the happy path is kept straight, and stretched where the panel beside it is the longer."""
    steps = list(pairwise(drawn.path))
    rows = -(-len(drawn.cards) // COLUMNS) + 4
    spare = max(0, rows - len(steps) + 1)
    inner = len(steps) - 2
    longer = [1 + spare * (n + 1) // inner - spare * n // inner for n in range(inner)]
    return {step: f", weight=100, minlen={n}" for step, n in zip(steps, [*longer, 1, 1], strict=True)}


def _dot_arrow(arrow: Arrow) -> str:
    label = _text([f"{NO_BREAK}{line}{NO_BREAK}" for line in _trigger_lines(arrow)], "l")
    return f'id="{arrow.id}", label="{label}", {_paint(arrow.party)}'


def _paint(party: Party) -> str:
    return f'color="{COLOURS[party]}", fontcolor="{COLOURS[party]}", {STROKES[party]}'


def _text(lines: Iterable[str], justify: str) -> str:
    return "".join(f"{line}\\{justify}" for line in lines)


def _dot_panel(flow: Flow, drawn: Plan) -> Iterator[str]:
    """The legend on top, the cards in columns beside the happy path; unseen edges keep them there."""
    for party in Party:
        label = _text(textwrap.wrap(_legend(party, drawn), LEGEND_WIDTH), "l")
        yield f'  legend_{party} [label="{label}", fontsize=7, {_paint(party)}]'
    cards = sorted(drawn.cards, key=lambda card: -len(_card_lines(flow, card)))  # rows of like height
    for n, card in enumerate(cards):
        label = _text(_card_lines(flow, card), "l")
        yield f'  card_{n} [id="{card.id}", label="{label}", fontsize=7, {_paint(card.party)}]'
    legend = [f"legend_{party}" for party in Party]
    yield f"  {{ rank=same; {' -> '.join(legend)} [style=invis] }}"
    yield f"  {legend[0]} -> {drawn.path[0]} [style=invis, weight=100]"
    for column, top in enumerate(legend[-COLUMNS:]):
        column_cards = [f"card_{n}" for n in range(column, len(cards), COLUMNS)]
        below = [State.CANCELLING_PAYMENT] if column == 0 else []
        yield f"  {' -> '.join([top, *column_cards, *below])} [style=invis, weight=50]"
    yield f"  {State.PAYMENT_CANCELLED} -> {State.HANDING_OFF} [style=invis]"
    for state, n in zip(drawn.path, range(0, len(cards), COLUMNS), strict=False):
        yield f"  {state} -> card_{n} [style=invis, constraint=false]"


# Mermaid


def mermaid(flow: Flow) -> str:
    """The page as a Mermaid flowchart, as GitHub renders it; it names the table's version."""
    drawn = plan(flow)
    arrows = (*drawn.lines, *drawn.marked)
    lines = [
        f"%% payagent diagram of table {flow.version}",
        '%%{init: {"theme": "base", "themeVariables": {"edgeLabelBackground": "#ffffff", "lineColor": "#111111"}}}%%',
        "flowchart TD",
        *(f"  state_{state}{_quoted(_state_lines(flow, state))}:::state" for state in flow.states),
        *(line for n, arrow in enumerate(arrows) for line in _mermaid_arrow(n, arrow, arrow in drawn.lines)),
        '  subgraph shared["Drawn once for all the states named"]',
        "  direction TB",
        *(f"  card_{n}{_quoted(_card_lines(flow, card))}:::{card.party}" for n, card in enumerate(drawn.cards)),
        *(f"  card_{n} ~~~ card_{n + MERMAID_COLUMNS}" for n in range(len(drawn.cards) - MERMAID_COLUMNS)),
        "  end",
        '  subgraph legend["Who may cause a move"]',
        "  direction TB",
        *(f"  legend_{party}{_quoted([_legend(party, drawn)])}:::{party}" for party in Party),
        "  end",
        "  classDef state fill:#ffffff,stroke:#111111,color:#111111",
        "  classDef marker fill:#ffffff,stroke:#ffffff,color:#111111",
        *(f"  classDef {party} fill:#ffffff,stroke:{c},color:{c},text-align:left" for party, c in COLOURS.items()),
        *_mermaid_colours(arrows),
    ]
    return "\n".join([*lines, ""])


def _quoted(lines: Iterable[str]) -> str:
    return f'["{"<br/>".join(line.replace(NO_BREAK, "&nbsp;") for line in lines)}"]'


def _mermaid_arrow(n: int, arrow: Arrow, line: bool) -> Iterator[str]:
    end = f"state_{arrow.dests[0]}"
    if not line:
        end = f"to_{n}"
        yield f"  {end}{_quoted(f'→ {dest}' for dest in arrow.dests)}:::marker"
    yield f'  state_{arrow.source} {SHAFTS[arrow.party]}|"{"<br/>".join(_trigger_lines(arrow))}"| {end}'


def _mermaid_colours(arrows: Sequence[Arrow]) -> Iterator[str]:
    for party, colour in COLOURS.items():
        numbers = ",".join(str(n) for n, arrow in enumerate(arrows) if arrow.party is party)
        if numbers:
            yield f"  linkStyle {numbers} stroke:{colour},color:{colour}"
