"""Listens to a model's words as they stream and lets through what claims nothing that the record does not say.

Words pass at once as long as nothing in the open clause can be part of a claim. From the first word that can (“gone”,
“approved”, “pa…”) they are held back until the clause ends; then they pass, or the turn is stopped there.
"""

from __future__ import annotations

import re

from payagent.flow.claim_words import STEMS
from payagent.flow.claims import Clause, OnRecord, hints, is_lie, opens_condition, opens_question, plain

_BOUNDARY = re.compile(
    r"(?=[.!?;…\n,:\s\u2013\u2014])(?:"  # most letters are none of these
    r"(?P<mark>[.!?;…]+)[\"'\u201d\u2019)\]]*(?=\s|(?<!\d.)$)|(?P<line>\n)|[,:](?=\s|(?<!\d.)$)|\s?[\u2013\u2014]\s?|\s-\s"
    r"|\s(?=(?i:and|but|so|because|y|pero|porque)\s))"
)
LONGEST_CLAUSE = 400
"""Characters; beyond that a clause is taken to end, so that no text makes the judgement slow."""

LONGEST_BOUNDARY = 12
"""Characters: a boundary that the next letters can still make begins no further back than that."""

_WORD = re.compile(r"[^\W_][\w']*")
_LAST_WORD = re.compile(r"[^\W_][\w']*$")
_BEGINNINGS = frozenset(stem[:n] for stem in STEMS for n in range(2, len(stem)))
_BEGINNINGS -= {"su", "go", "to", "do", "re", "de", "me", "ma", "en", "so", "no", "se", "take", "can", "post", "come"}
"""Of words still to come whole, but for those that are mostly words of their own: held back, they would cost time."""

_GOES_ON = re.compile(r"^(?:and|or|y|o|e|u|ni|nor)\b")


class ClaimWatch:
    """One turn's words. `stopped` is what was held back when a claim was found, "" so far."""

    __slots__ = ("_before", "_conditional", "_hinted", "_looked", "_open", "_record", "_sent", "_unread", "stopped")

    def __init__(self, record: OnRecord) -> None:
        self.stopped = ""
        self._record = record
        self._before = ""
        self._conditional = self._hinted = False
        self._open = ""
        self._sent = self._looked = self._unread = 0

    def feed(self, text: str) -> str:
        """Take the next piece in; what may be spoken now."""
        if self.stopped:
            return ""
        self._open += text
        passed = ""
        while found := _BOUNDARY.search(self._open, max(0, self._looked - LONGEST_BOUNDARY)):
            if self._lies(self._open[: found.start()], found["mark"] or ","):
                return passed + self._stop()
            passed += self._open[self._sent : found.end()]
            self._close_clause(self._open[: found.start()], whole=bool(found["mark"] or found["line"]))
            self._begin_clause(self._open[found.end() :], max(0, self._sent - found.end()))
        self._looked = len(self._open)
        if len(self._open) > LONGEST_CLAUSE:
            return passed + self._cut_clause()
        upto = max(self._sent, self._free())
        passed, self._sent = passed + self._open[self._sent : upto], upto
        return passed

    def end(self) -> str:
        """The turn is over: what was held back and may be spoken."""
        if self.stopped or self._sent == len(self._open):
            return ""
        if self._lies(self._open.rstrip(" .!?;:,…"), self._open.rstrip()[-1:]):
            return self._stop()
        rest = self._open[self._sent :]
        self._begin_clause("", 0)
        return rest

    def _begin_clause(self, text: str, sent: int) -> None:
        """`text` is the open clause so far, of which `sent` letters have passed."""
        self._open, self._sent, self._looked, self._unread = text, sent, 0, 0
        self._hinted = hints("", self._before)

    def _cut_clause(self) -> str:
        """Nobody speaks so long without a pause: what there is of the clause is judged as a whole."""
        text, sent = self._open, self._sent
        if self._lies(text, ","):
            return self._stop()
        self._close_clause(text, whole=False)
        self._begin_clause("", 0)
        return text[sent:]

    def _lies(self, text: str, mark: str) -> bool:
        text = plain(text)
        return is_lie(Clause(text, mark[-1], self._before, self._is_condition(text)), self._record)

    def _is_condition(self, text: str) -> bool:
        """A condition reaches over what is joined to it: “if it is paid and approved”."""
        return opens_condition(text) or (self._conditional and bool(_GOES_ON.match(text) or not text))

    def _stop(self) -> str:
        self.stopped = self._open[self._sent :] or self._open
        self._begin_clause("", 0)
        return ""

    def _close_clause(self, text: str, *, whole: bool) -> None:
        text = plain(text)
        self._conditional = not whole and self._is_condition(text)
        self._before = "" if whole else f"{self._before} {text}".strip()

    def _free(self) -> int:
        """How much of the open clause can be spoken already."""
        end = len(self._open)
        if not self._is_hinted():  # most clauses: only a word to come may change that
            last = _LAST_WORD.search(self._open, self._unread)
            begins = last and last.group().casefold() in _BEGINNINGS
            return last.start() if last and begins and not self._reaches_over(plain(self._open)) else end
        unread = (word for word in _WORD.finditer(self._open) if word.end() > self._sent or word.end() == end)
        hold = next((word.start() for word in unread if self._may_claim(word)), None)
        if hold is None:
            return end
        return end if self._reaches_over(plain(self._open)) else hold

    def _is_hinted(self) -> bool:
        """Whether anything in the open clause can be about money; every word but the last is looked at once."""
        if not self._hinted:
            self._hinted = hints(plain(self._open[self._unread :]), "")
            self._unread = self._open.rfind(" ") + 1
        return self._hinted

    def _reaches_over(self, text: str) -> bool:
        """Whether the clause began as what claims nothing, whatever follows."""
        return self._is_condition(text) or opens_question(text)

    def _may_claim(self, word: re.Match[str]) -> bool:
        """Whether a claim may begin with this word, or be whole with it."""
        letters = word.group().casefold()
        if letters.startswith(STEMS):
            return True
        if word.end() == len(self._open):  # it may go on
            if letters in _BEGINNINGS:
                return True
            letters += "1"
        return self._lies(self._open[: word.start()] + letters, ".")
