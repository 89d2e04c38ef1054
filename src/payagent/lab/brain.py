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

from payagent.lab.hearing import amounts, birth_date, full_name, plain

Message = Mapping[str, Any]
Arguments = dict[str, Any]

TALK_INSTEAD_OF_CAPTURE = "talk_instead_of_capture"

CAPTURES = {
    "capture_payment_card_number": r"card number|number of (?:the|my) card|numero de (?:la |mi )?tarjeta",
    "capture_expiration_date": r"expir|expiry|\bdate\b|vencimiento|fecha",
    "capture_security_code": r"security|\bcode\b|cvv|cvc|codigo de seguridad",
    "capture_postal_code": r"postal|zip",
}

_SPANISH = re.compile(r"\bspanish\b|\bespanol\b|\bcastellano\b")
_ENGLISH = re.compile(r"\benglish\b|\bingles\b")
_SPEAKS_SPANISH = re.compile(
    r"\b(?:si|hola|quiero|pagar|factura|gracias|nombre|llamo|soy|naci|todo|mitad|adios|tarjeta|es|correcto)\b"
)
_PERSON = re.compile(
    r"\b(?:person|human|agent|representative|operator|somebody|someone|another way"
    r"|persona|agente|operador\w*|alguien)\b"
)
_BYE = re.compile(
    r"that's (?:all|it|everything)|\bthat is all\b|\bno,? thank|\bnothing else\b|\b(?:good)?bye\b|\bi'm done\b"
    r"|\beso es todo\b|\bnada mas\b|\bno,? gracias\b|\badios\b"
)
_CANCEL = re.compile(
    r"\bcancel|\bstop\b|\bnever ?mind\b|\bforget it\b|\bdon't (?:charge|want to pay)|\bno quiero\b|\bolvidelo\b"
)
_AGAIN = re.compile(
    r"\bagain\b|\brepeat\b|\bre-?enter\b|\bmistyped\b|\btyped\b|\bwrong (?:number|card|code|date|one)\b|\bmistake\b"
    r"|\botra vez\b|\bde nuevo\b|\bme equivoque\b|\bi'm ready\b|\bready now\b"
)
_OPTIONS = re.compile(r"\boptions?\b|\bways? to pay\b|\bhow can i pay\b|\bhsa\b|\bopciones\b|\bcomo puedo pagar\b")
_OTHER_BILL = re.compile(
    r"\b(?:other|another|next|second|different) (?:\w+ )?bills?\b|\bother one\b|\bwhat do i owe\b|\botra factura\b"
)
_NAMED_BILL = re.compile(r"\b(?:the|my) (\w+) bill\b")
_WHICH_BILL = frozenset(
    {"other", "another", "next", "second", "different", "first", "oldest", "whole", "full", "entire", "open", "same"}
)
_ALL = re.compile(
    r"\ball of (?:it|that|this)|\bpay (?:it |that )?all\b|\bfull\b|\bin full\b|\beverything\b|\bwhole\b|\bentire\b"
    r"|^all\b|\bit all\b|\btodo\b|\btoda\b|\btotal\b|\bcomplet[oa]\b"
)
_HALF = re.compile(r"\bhalf\b|\bmitad\b")
_OTHER_CARD = re.compile(
    r"\b(?:another|different|other|new) (?:card|one)\b|\btry again\b|\botra tarjeta\b|\bde nuevo\b"
)
_YES = re.compile(
    r"\b(?:yes|yeah|yep|correct|right|sure|okay|ok|go ahead|please do|do it|charge it|si|claro|correcto|adelante"
    r"|de acuerdo|cobrelo|ready|alright)\b"
)
_NO = re.compile(r"\b(?:no|nope|not|wrong|isn't|incorrect\w*|don't|dispute)\b")
_ASKS = re.compile(
    r"\?|\b(?:why|what|how|where|when|who|wait|moment|hold on|car|wallet|purse|find|por que|espere|momento|busco)\b"
)
_OWE = re.compile(r"\bowes?\b|\bbalance\b|\bdebe\b|\bsaldo\b|\ball of it\b|\bel total\b")


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
    if s.has(_SPANISH):
        return {"language": "es"}
    return {"language": "en"} if s.has(_ENGLISH) else None


def _person(s: Situation) -> Arguments | None:
    return {"reason": f"the caller said: {s.said[:80]}"} if s.has(_PERSON) else None


def _goodbye(s: Situation) -> Arguments | None:
    refuses = s.has(_NO) and not {"confirm_balance", "cancel_payment_processing"} & s.offered and not _wish(s)
    return {} if s.has(_BYE) or refuses else None


def _cancel(s: Situation) -> Arguments | None:
    asked = bool({"complete_payment_processing", "start_payment"} & s.offered)
    refuses = asked and s.has(_NO) and not _wish(s)
    return {} if s.has(_CANCEL) or refuses else None


def _wish(s: Situation) -> bool:
    """Whether a "no" goes on to say what is wanted instead: "no, two hundred"."""
    return bool(amounts(s.words)) or any(map(s.has, (_ALL, _HALF, _OTHER_CARD, _AGAIN, _OPTIONS, _OTHER_BILL)))


def _again(tool: str) -> Callable[[Situation], Arguments | None]:
    def rule(s: Situation) -> Arguments | None:
        only = len(CAPTURES.keys() & s.offered) == 1
        named = re.search(CAPTURES[tool], s.words)
        return {} if s.has(_AGAIN) and (only or named) else None

    return rule


def _options(s: Situation) -> Arguments | None:
    return {} if s.has(_OPTIONS) else None


def _bill(s: Situation) -> Arguments | None:
    named = [name for name in _NAMED_BILL.findall(s.words) if name not in _WHICH_BILL]
    if not named and not s.has(_OTHER_BILL):
        return None
    return {"bill": named[0] if named else None}


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
    if s.has(_NO):
        return {"agreed": False}
    return {"agreed": True} if s.has(_YES) or s.has(_ALL) else None


def _start(s: Situation) -> Arguments | None:
    amount = _wanted(s)
    return None if amount is None else {"amount": f"{amount:.2f}"}


def _wanted(s: Situation) -> Decimal | None:
    named = amounts(s.words)
    if named:
        return named[0]
    if s.has(_BYE):
        return None
    if s.has(_ALL):
        return _owed(s)
    if s.has(_HALF):
        owed = _owed(s)
        return owed and (owed / 2).quantize(Decimal("0.01"))
    return _last_amount(s) if s.has(_OTHER_CARD) or (s.has(_YES) and not s.has(_NO)) else None


def _owed(s: Situation) -> Decimal | None:
    """The balance as it was last told to the caller."""
    for message in reversed(s.messages):
        told = _OWE.search(plain(_text(message))) if message["role"] in ("assistant", "tool") else None
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
    return {} if s.has(_YES) and not s.has(_NO) and not s.has(_ASKS) else None


RULES: tuple[tuple[str, Callable[[Situation], Arguments | None]], ...] = (
    ("switch_language", _language),
    ("human_agent_handoff", _person),
    ("end_call", _goodbye),
    ("cancel_payment_processing", _cancel),
    *((tool, _again(tool)) for tool in CAPTURES),
    ("check_payment_options", _options),
    ("verify_user", _identity),
    ("check_pending_bill", _bill),
    ("confirm_balance", _agreed),
    ("start_payment", _start),
    ("complete_payment_processing", _go_ahead),
)

# the first of these tools that is offered says what to talk about; English and Spanish
_TALK: tuple[tuple[str, str, str], ...] = (
    ("verify_user", "I need your full name and date of birth, please.", "Necesito su nombre y su fecha de nacimiento."),
    ("confirm_balance", "Please tell me whether that is right.", "Dígame por favor si es correcto."),
    ("complete_payment_processing", "Just tell me when I may go ahead.", "Dígame cuando pueda continuar."),
    ("start_payment", "Would you like to pay all of it, or a part?", "¿Desea pagar todo o una parte?"),
    *((tool, "Of course, take your time. Use the keypad when you are ready.", "Claro, tómese su tiempo.")
      for tool in CAPTURES),
    ("check_pending_bill", "How else may I help you?", "¿En qué más puedo ayudarle?"),
    ("", "One moment, please.", "Un momento, por favor."),
)  # fmt: skip
_PUT_OFF = ("Let me get that ready for you.", "Lo preparo enseguida.")


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
        due = [tool for tool in CAPTURES if tool in s.offered]
        waits = s.answered or (s.has(_YES) and not s.has(_ASKS))
        if len(due) != 1 or "complete_payment_processing" in s.offered or not waits or _just_called(s, due[0]):
            return None
        if self.mode == TALK_INSTEAD_OF_CAPTURE:
            return Reply(words=_PUT_OFF[_speaks_spanish(s)])
        return Reply(tool=due[0])


def _just_called(s: Situation, tool: str) -> bool:
    if s.messages[-1]["role"] != "tool":
        return False
    return [name for name, _ in _calls(s.messages)][-1:] == [tool]


def _talk(s: Situation) -> str:
    english, spanish = next((en, es) for tool, en, es in _TALK if tool in s.offered or not tool)
    return spanish if _speaks_spanish(s) else english


def _speaks_spanish(s: Situation) -> bool:
    switched = [arguments.get("language") for name, arguments in _calls(s.messages) if name == "switch_language"]
    return switched[-1] == "es" if switched else bool(s.said and s.has(_SPEAKS_SPANISH))
