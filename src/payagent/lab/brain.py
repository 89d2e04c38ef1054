"""The scripted model's mind: from the conversation and the tools offered to words or one tool call. Deterministic.

* It calls only what is offered, and never the same tool twice for the same words of the caller.
* Words of the caller count as answered once the assistant spoke, or a tool was called, after them.
* With nothing left to answer, a card field that is due is asked for by its tool; the charge needs a go-ahead.
* It never names an amount or an outcome: those are the app's fixed sentences.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from payagent.lab import asides
from payagent.lab import phrases as says
from payagent.lab.hearing import amounts, birth_date, full_name, number, plain, whole_number

Message = Mapping[str, Any]
Arguments = dict[str, Any]

TALK_INSTEAD_OF_CAPTURE = "talk_instead_of_capture"
LEAST_AMOUNT = Decimal("1.00")


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model answers: words, or one tool call."""

    words: str = ""
    tool: str = ""
    arguments: Arguments = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Situation:
    """The conversation as the brain sees it.

    Attributes:
        said: the caller's words not spoken to yet; `words` are the same, plain.
        called: the tools called since those words.
        offered: the tools offered now.
        messages: the whole conversation.
    """

    said: str
    words: str
    called: frozenset[str]
    offered: frozenset[str]
    messages: Sequence[Message]

    @property
    def answered(self) -> bool:
        """Whether nothing the caller said waits for an answer."""
        return not self.said or bool(self.called)

    @property
    def leaning(self) -> bool | None:
        """Whether the caller says yes (True) or no (False); of both the last counts, and doubt is neither."""
        if self.has(says.UNSURE):
            return None
        words = says.NOT_YES.sub(" wrong ", says.NO_OFFENCE.sub(" ", self.words))
        yes, no = (max((m.start() for m in each.finditer(words)), default=-1) for each in (says.YES, says.NO))
        return yes > no if yes != no else None

    def has(self, pattern: re.Pattern[str]) -> bool:
        """Whether the caller's words match."""
        return bool(pattern.search(self.words))


def look(messages: Sequence[Message], offered: Iterable[str]) -> Situation:
    """Read the conversation."""
    spoken = [n for n, m in enumerate(messages) if m["role"] == "assistant" and _text(m).strip()]
    after = messages[spoken[-1] + 1 if spoken else 0 :]
    said = " ".join(_text(m) for m in after if m["role"] == "user")
    return Situation(said, plain(said), frozenset(name for name, _ in _calls(after)), frozenset(offered), messages)


def _text(message: Message) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else " ".join(part["text"] for part in content)


def _calls(messages: Sequence[Message]) -> list[tuple[str, Arguments]]:
    calls = [call["function"] for m in messages for call in m.get("tool_calls") or ()]
    return [(call["name"], _arguments(call["arguments"])) for call in calls]


def _arguments(text: str) -> Arguments:
    """A tool call's arguments as they stand in the history, where some are hidden or cut."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


# -- what each tool is called for; None: not for this


def _language(s: Situation) -> Arguments | None:
    if s.has(says.SPANISH):
        return {"language": "es"}
    return {"language": "en"} if s.has(says.ENGLISH) else None


def _person(s: Situation) -> Arguments | None:
    return {"reason": f"the caller said: {s.said[:80]}"} if s.has(says.PERSON) and not s.has(says.WHO) else None


def _goodbye(s: Situation) -> Arguments | None:
    if "confirm_balance" in s.offered and s.leaning is True:  # "that's it" agrees here
        return None
    refuses = not {"confirm_balance", "cancel_payment_processing"} & s.offered and _refuses(s)
    return {} if s.has(says.BYE) or refuses else None


def _cancel(s: Situation) -> Arguments | None:
    if s.has(says.CANCEL):
        return {}
    if "start_payment" in s.offered:
        return {} if _refuses(s) or s.has(says.BYE) else None
    other_amount = s.has(says.OTHER_AMOUNT) and not s.has(says.ASKS)
    refuses = "complete_payment_processing" in s.offered and _refuses(s)
    return {} if other_amount or refuses else None


def _refuses(s: Situation) -> bool:
    """Whether it is a "no" that does not go on to say what is wanted instead: "no, two hundred"."""
    return s.leaning is False and not s.has(says.HOLD) and not _wish(s)


def _wish(s: Situation) -> bool:
    wishes = (says.ALL, says.LEAST, says.OTHER_CARD, says.AGAIN, says.OPTIONS, says.OTHER_BILL)
    return _amount_said(s) is not None or any(map(s.has, wishes))


def _again(tool: str) -> Callable[[Situation], Arguments | None]:
    def rule(s: Situation) -> Arguments | None:
        only = len(says.CAPTURES.keys() & s.offered) == 1
        return {} if s.has(says.AGAIN) and (only or _field_meant(s) == tool) else None

    return rule


def _field_meant(s: Situation) -> str:
    """The card field the caller speaks of, "" for none."""
    return next((tool for tool, named in says.CAPTURES.items() if re.search(named, s.words)), "")


def _options(s: Situation) -> Arguments | None:
    return {} if s.has(says.OPTIONS) or (s.has(says.REPEAT) and "confirm_balance" not in s.offered) else None


def _bill(s: Situation) -> Arguments | None:
    named = _bill_named(s)
    asked = s.has(says.OTHER_BILL)
    if "confirm_balance" in s.offered:
        asked = asked or s.has(says.REPEAT) or s.has(says.WHAT_FOR)
    return {"bill": named or None} if named or asked else None


def _bill_named(s: Situation) -> str:
    """The bill the caller names: as "the … bill", or by a word of one that was told beside the one in hand."""
    for groups in says.NAMED_BILL.findall(s.words):
        words = [word for word in "".join(groups).split() if word not in says.WHICH_BILL]
        if words:
            return " ".join(words)
    told = (match[1] for message in s.messages for match in _ALSO.finditer(plain(_text(message))))
    said = re.findall(r"\w+", s.words)
    return next((bill for bill in told if any(len(word) > 4 and word in said for word in bill.split())), "")


_ALSO = re.compile(r"\b(?:there is also|tambien hay) .*? (?:for|por) ([^.?]+)[.?]")


def _identity(s: Situation) -> Arguments | None:
    name, date = _who(s)
    return {"full_name": name, "date_of_birth": date} if name and date else None


def _who(s: Situation) -> tuple[str, str]:
    """Name and date of birth, the latest said since identity was last tried."""
    tries = [n for n, m in enumerate(s.messages) if any(name == "verify_user" for name, _ in _calls([m]))]
    fresh = s.messages[tries[-1] + 1 if tries else 0 :]
    said = [_text(m) for m in fresh if m["role"] == "user"]
    names, dates = (list(filter(None, map(read, said))) for read in (full_name, birth_date))
    return (names or [""])[-1], (dates or [""])[-1]


def _agreed(s: Situation) -> Arguments | None:
    if s.leaning is not None:
        asks = s.has(says.ASKS) and not says.YES.match(s.words) and not says.NO.match(s.words)
        return None if asks else {"agreed": s.leaning}
    chosen = s.has(says.ALL) or (s.has(says.PAYS) and _amount_said(s) is not None)
    return {"agreed": True} if chosen and not s.has(says.ASKS) and not s.has(says.UNSURE) else None


def _start(s: Situation) -> Arguments | None:
    amount = _wanted(s)
    return None if amount is None else {"amount": f"{amount:.2f}"}


def _wanted(s: Situation) -> Decimal | None:
    named = _amount_said(s)
    if named is not None or s.has(says.BYE):
        return named
    if s.has(says.LEAST):
        return LEAST_AMOUNT
    if s.has(says.ALL):
        return _owed(s)
    again = s.has(says.OTHER_CARD) or (s.leaning is True and not s.has(says.HOLD) and not s.has(says.ASKS))
    return _last_amount(s) if again else None


def _amount_said(s: Situation) -> Decimal | None:
    """The amount named, a part of what is owed included; the last one named, since people correct themselves."""
    share = _share(s.words)
    if share is not None:
        owed = _owed(s)
        return owed and (owed * share).quantize(Decimal("0.01"))
    named = amounts(s.words) or whole_number(s.words)
    return named[-1] if named else None


def _share(words: str) -> Decimal | None:
    percent = says.PERCENT.search(words)
    if percent:
        hundredths = Decimal(percent[1]) if percent[1] else Decimal(number(percent[2]))
        return hundredths / 100 if hundredths else None
    return next((Decimal(over) / under for pattern, over, under in says.SHARES if pattern.search(words)), None)


def _owed(s: Situation) -> Decimal | None:
    """The balance as it was last told to the caller."""
    for message in reversed(s.messages):
        told = says.OWE.search(plain(_text(message))) if message["role"] in ("assistant", "tool") else None
        named = amounts(plain(_text(message))[told.end() :]) if told else []
        if named:
            return named[0]
    return None


def _last_amount(s: Situation) -> Decimal | None:
    """The amount of the payment before, unless another balance was agreed to since."""
    for name, arguments in reversed(_calls(s.messages)):
        if name == "confirm_balance":
            return None
        if name == "start_payment" and "amount" in arguments:
            return Decimal(str(arguments["amount"]))
    return None


def _go_ahead(s: Situation) -> Arguments | None:
    return {} if s.leaning is True and not s.has(says.ASKS) and not s.has(says.HOLD) else None


RULES: tuple[tuple[str, Callable[[Situation], Arguments | None]], ...] = (
    ("switch_language", _language),
    ("human_agent_handoff", _person),
    ("end_call", _goodbye),
    *((tool, _again(tool)) for tool in says.CAPTURES),
    ("cancel_payment_processing", _cancel),
    ("check_payment_options", _options),
    ("verify_user", _identity),
    ("check_pending_bill", _bill),
    ("confirm_balance", _agreed),
    ("start_payment", _start),
    ("complete_payment_processing", _go_ahead),
)


class Brain:
    """Decides the model's answers; `script` holds replies that go first, whatever the situation."""

    def __init__(self, mode: str = "plain", script: Iterable[Reply] = ()) -> None:
        self.mode = mode
        self.script = deque(script)

    def decide(self, messages: Sequence[Message], offered: Collection[str]) -> Reply:
        """The answer to this conversation with these tools."""
        if self.script:
            return self.script.popleft()
        s = look(messages, offered)
        return self._act(s) or self._ask_for_field(s) or Reply(words=_talk(s))

    def _act(self, s: Situation) -> Reply | None:
        for tool, rule in RULES if s.said else ():
            if tool not in s.offered or tool in s.called:
                continue
            arguments = rule(s)
            if arguments is not None:
                return Reply(tool=tool, arguments=arguments)
        return None

    def _ask_for_field(self, s: Situation) -> Reply | None:
        """The card field that is due, when the caller waits for it and the tool was not just refused."""
        due = [tool for tool in says.CAPTURES if tool in s.offered]
        waits = s.answered or (s.leaning is True and not s.has(says.ASKS) and not s.has(says.HOLD))
        if len(due) != 1 or "complete_payment_processing" in s.offered or not waits or _just_called(s, due[0]):
            return None
        if self.mode == TALK_INSTEAD_OF_CAPTURE:
            return Reply(words=asides.PUT_OFF[_speaks_spanish(s)])
        return Reply(tool=due[0])


def _just_called(s: Situation, tool: str) -> bool:
    answers = [m for m in s.messages if m["role"] != "system"]
    if not answers or answers[-1]["role"] != "tool":
        return False
    return [name for name, _ in _calls(s.messages)][-1:] == [tool]


# -- words


def _talk(s: Situation) -> str:
    """An answer to what was asked aside, or that it was not understood; then what is asked for now."""
    return " ".join(sentence[_speaks_spanish(s)] for sentence in _sentences(s))


def _sentences(s: Situation) -> list[asides.Said]:
    prompt = asides.prompt(s.offered)
    if s.answered or not asides.waits_for_words(s.offered):
        return [prompt]
    aside = asides.answer(s.words, s.offered)
    if aside:
        return [aside, prompt]
    if s.has(says.HOLD):
        return [asides.TIME, prompt]
    return _missing(s) or [asides.NOT_UNDERSTOOD, prompt]


def _missing(s: Situation) -> list[asides.Said]:
    """What is asked for where a part was understood."""
    if "verify_user" in s.offered:
        name, date = _who(s)
        if name or date:
            return [asides.DATE_MISSING if name else asides.NAME_MISSING]
    if "complete_payment_processing" in s.offered and s.has(says.AGAIN):
        return [asides.WHICH_FIELD]
    understood = s.leaning is not None or s.has(says.PAYS) or s.has(says.UNSURE)
    return [asides.prompt(s.offered)] if understood else []


def _speaks_spanish(s: Situation) -> bool:
    """As the app asks for; before it has asked for anything but English, as the caller does."""
    told = [m for m in s.messages if m["role"] == "system" and "Speak Spanish" in _text(m)]
    switched = [arguments.get("language") for name, arguments in _calls(s.messages) if name == "switch_language"]
    if switched:
        return switched[-1] == "es"
    return bool(told) or bool(s.said and s.has(says.SPEAKS_SPANISH))
