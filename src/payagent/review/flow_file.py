"""A table as plain data: what a release is compared by, and what the dictionary is written from.

* Everything a reviewer signs is in it, in the words the code carries; nothing that is not.
* A guard or an effect is its words. Code that changes behind unchanged words shows in git and in the walk, not here.
* Same table, same text: states in the flow's order, rows by state and trigger in the order they are tried, one row,
  state or sentence on a line, so that `git diff` of a saved file reads well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta

import msgspec

from payagent.errors import PayagentError
from payagent.flow.facts import Facts, Pay
from payagent.flow.limits import Limits
from payagent.flow.orders import complete
from payagent.flow.rows import Flow, Row
from payagent.flow.sentences import SENTENCES
from payagent.flow.states import FINAL, MEANING, Line, State
from payagent.flow.waits import arm

FORMAT = 1
NAME = "payment_call"

Texts = Mapping[str, Mapping[str, str]]
"""Language → sentence's name → text, as `speech.Sentences.texts` has them."""


class UnreadableFlowFile(PayagentError):
    """A saved table is not there, or cannot be read."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A timer of a state: how long it runs at most (seconds), and the limits it rests on.

    `after_speech`: it is counted from the end of what is being said.
    """

    timer: str
    seconds: float
    limits: tuple[str, ...]
    after_speech: bool


@dataclass(frozen=True, slots=True)
class SavedState:
    """A state, its waits (the shortest first) and the tools open in it."""

    name: str
    meaning: str
    final: bool
    waits: tuple[Wait, ...]
    tools: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SavedRow:
    """A row in words. `dest` None: it stays. `says` are sentences' names; `charges`: it orders the charge."""

    id: str
    trigger: str
    source: str
    dest: str | None
    party: str
    guards: tuple[str, ...]
    orders: tuple[str, ...]
    says: tuple[str, ...]
    charges: bool
    why: str


@dataclass(frozen=True, slots=True)
class SavedSentence:
    """A fixed sentence with its texts, language → text."""

    name: str
    meaning: str
    interruptible: bool
    texts: dict[str, str]


@dataclass(frozen=True, slots=True)
class FlowData:
    """One table as data; `version` is its hash, `limits` are counts and seconds."""

    format: int
    version: str
    pace: str
    profile: str
    routes: tuple[str, ...]
    languages: tuple[str, ...]
    limits: dict[str, float]
    states: tuple[SavedState, ...]
    rows: tuple[SavedRow, ...]
    sentences: tuple[SavedSentence, ...]

    @property
    def table(self) -> str:
        """Which table it is: `model.card`."""
        return f"{self.pace}.{self.profile}"

    @property
    def file_name(self) -> str:
        """The name it is saved under."""
        return f"{NAME}.{self.table}.json"


def as_data(flow: Flow, texts: Texts) -> FlowData:
    """The table with the texts its fixed sentences have in each of its languages."""
    return FlowData(
        format=FORMAT,
        version=flow.version,
        pace=flow.pace,
        profile=flow.profile,
        routes=flow.routes,
        languages=flow.languages,
        limits=asdict(flow.limits),
        states=tuple(_state(flow, state) for state in flow.states),
        rows=tuple(_row(row) for row in sorted(flow.rows, key=lambda r: (flow.states.index(r.source), r.trigger))),
        sentences=tuple(_sentence(name, {lang: texts[lang] for lang in flow.languages}) for name in sorted(SENTENCES)),
    )


def _state(flow: Flow, state: State) -> SavedState:
    waits = sorted(_waits(state, flow.limits), key=lambda wait: (wait.seconds, wait.timer))
    return SavedState(str(state), MEANING[state], state in FINAL, tuple(waits), flow.tools[state])


def _row(row: Row) -> SavedRow:
    return SavedRow(
        id=row.id,
        trigger=row.trigger,
        source=str(row.source),
        dest=str(row.dest) if row.dest else None,
        party=str(row.party),
        guards=tuple(guard.words for guard in row.guards),
        orders=tuple(effect.words for effect in row.effects),
        says=tuple(dict.fromkeys(name for effect in row.effects for name in effect.says)),
        charges=complete in row.effects,
        why=row.why,
    )


def _sentence(name: str, texts: Texts) -> SavedSentence:
    sentence = SENTENCES[name]
    return SavedSentence(name, sentence.meaning, sentence.interruptible, {lang: texts[lang][name] for lang in texts})


# Waits: read off `arm` by asking it, so that no list of ours can differ from it

_AT = datetime(2000, 1, 1, tzinfo=UTC)
_SITUATIONS = (
    Facts(),
    Facts(line=Line.LOST),
    Facts(turn="turn", awaiting=(("LookUpIdentity", ""),)),
    Facts(key_lost_at=_AT),
    Facts(pay=Pay.OPENING),
    Facts(leaving=True),
    Facts(leaving=True, routes_tried=("queue",)),
)
"""One for each fact that starts or prolongs a wait."""

_LATER = timedelta(days=1)


def _waits(state: State, limits: Limits) -> Iterator[Wait]:
    now = _armed(state, limits)
    longer = {name: _armed(state, _longer(limits, name)) for name in _seconds(limits)}
    later = _armed(state, limits, _AT + _LATER)
    for timer in dict.fromkeys(name for timers in now for name in timers):
        moved = tuple(name for name, armed in longer.items() if _of(timer, armed) != _of(timer, now))
        longest = max(timers.get(timer, 0) for timers in now)
        yield Wait(timer, longest, moved, _of(timer, later) != _of(timer, now))


def _armed(state: State, limits: Limits, speaking_until: datetime | None = None) -> list[dict[str, float]]:
    """In each situation: the timers armed on entering the state, with their seconds."""
    return [
        {t.name: (t.due - _AT).total_seconds() for t in arm(state, facts, (), "", 1, _AT, limits)}
        for facts in (replace(situation, speaking_until=speaking_until) for situation in _SITUATIONS)
    ]


def _of(timer: str, armed: list[dict[str, float]]) -> list[float | None]:
    return [timers.get(timer) for timers in armed]


def _seconds(limits: Limits) -> list[str]:
    return [f.name for f in fields(limits) if "seconds" in f.name]


def _longer(limits: Limits, name: str) -> Limits:
    return replace(limits, **{name: getattr(limits, name) + 1})


# As text


def as_text(data: FlowData) -> str:
    """The data as JSON, one row, state or sentence on a line."""
    plain = msgspec.to_builtins(data)
    return "{\n" + ",\n".join(f'"{key}": {_json(value)}' for key, value in plain.items()) + "\n}\n"


def _json(value: object) -> str:
    match value:
        case dict():
            return "{\n" + ",\n".join(f'  "{key}": {_line(item)}' for key, item in value.items()) + "\n}"
        case [dict(), *_]:
            return "[\n" + ",\n".join(f"  {_line(item)}" for item in value) + "\n]"
    return _line(value)


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def from_text(text: str, origin: str) -> FlowData:
    """The data of a saved file; `origin` says in errors where it came from.

    Raises:
        UnreadableFlowFile: it is no saved table, or one of another format.
    """
    try:
        plain = msgspec.json.decode(text, type=dict[str, object])
        if plain.get("format") != FORMAT:
            raise UnreadableFlowFile(f"{origin} has format {plain.get('format')}; this payagent reads format {FORMAT}")
        return msgspec.convert(plain, FlowData)
    except msgspec.DecodeError as error:
        raise UnreadableFlowFile(f"{origin} is not a saved table: {error}") from error
