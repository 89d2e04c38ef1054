"""Puts the fixed sentences into words: reads their texts, checks them, and fills in their values.

* The texts are the package's `sentences/<language>.toml`. A file of the same name in the deployer's directory takes
  the place of the whole packaged one; a new language is a new file.
* All texts are checked when they are loaded, against `flow/sentences.SENTENCES`: a live call finds no surprise.
* Amounts are said in words and codes one character at a time, because the voice's own text normalisation is off
  (fact sheet, section 9: "normalise text yourself").
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Formatter
from typing import assert_never

from num2words import num2words

from payagent.errors import SpeechError
from payagent.flow.effects import Value
from payagent.flow.money import Money
from payagent.flow.sentences import SENTENCES

FALLBACK = "en"
"""The language of a caller whose language has no texts."""

_NEVER_LEFT_OUT = frozenset({"amount", "code"})
_SPELT_OUT = frozenset({"code", "last_four"})
_AND_CENTS = {"en": " and ", "es": " con "}
_AMPERSAND = {"en": "and", "es": "y"}


@dataclass(frozen=True, slots=True)
class Sentences:
    """The sentences' texts: language → sentence's name → text with `{value}` placeholders."""

    texts: Mapping[str, Mapping[str, str]]

    @classmethod
    def load(cls, directory: Path | None, languages: tuple[str, ...] = ("en", "es")) -> Sentences:
        """The checked texts of these languages and of English; `directory` may hold files of its own.

        Raises:
            SpeechError: something is wrong with the texts; the message names every problem, one a line.
        """
        texts: dict[str, dict[str, str]] = {}
        problems: list[str] = []
        for language in dict.fromkeys((FALLBACK, *languages)):
            try:
                texts[language] = _read(directory, language)
            except (OSError, ValueError) as e:
                problems.append(f"{language}.toml: cannot be read: {e}")
                continue
            problems += [f"{language}.toml: {problem}" for problem in _problems(texts[language], language)]
        if problems:
            raise SpeechError("\n".join(problems))
        return cls(texts)

    def render(self, sentence: str, values: Mapping[str, Value], language: str) -> str:
        """The words of `sentence` in `language` (`es` or `es-MX`; English when there are no texts for it).

        Raises:
            SpeechError: there is no such sentence, or its text names a value that is not among `values`.
        """
        language = self._known(language)
        if sentence not in self.texts[language]:
            raise SpeechError(f"there is no sentence {sentence!r}")
        spoken = {name: _spoken(name, value, language) for name, value in values.items()}
        try:
            return self.texts[language][sentence].format_map(spoken)
        except KeyError as e:
            raise SpeechError(f"the {language} text of {sentence!r} needs the value {e}") from None

    def _known(self, language: str) -> str:
        primary = language.split("-")[0].lower()
        return next((known for known in (language, primary) if known in self.texts), FALLBACK)


def speaking_seconds(text: str, per_character: float) -> float:
    """About how long a voice needs to say `text`, at `per_character` seconds a character."""
    return len(text) * per_character


def _read(directory: Path | None, language: str) -> dict[str, str]:
    """One language's texts, from the deployer's file if there is one; OSError or ValueError when unreadable."""
    own = directory / f"{language}.toml" if directory else None
    packaged = files("payagent") / "sentences" / f"{language}.toml"
    return tomllib.loads((own if own and own.exists() else packaged).read_text("utf-8"))


def _problems(texts: Mapping[str, object], language: str) -> Iterator[str]:
    """Whatever makes one language's texts unfit to be spoken."""
    try:
        num2words(0, lang=language)
    except NotImplementedError:
        yield f"num2words cannot say amounts in {language!r}"
    for name in sorted(SENTENCES.keys() - texts.keys()):
        yield f"{name} is missing"
    for name, text in texts.items():
        if name not in SENTENCES:
            yield f"{name} is not a sentence"
        elif not isinstance(text, str) or not text.strip():
            yield f"{name} is not a text"
        else:
            yield from _placeholder_problems(name, text)


def _placeholder_problems(name: str, text: str) -> Iterator[str]:
    try:
        parts = [part[1:] for part in Formatter().parse(text) if part[1] is not None]
    except ValueError as e:
        yield f"{name}: {e}"
        return
    may_use = set(SENTENCES[name].values)
    used = {value for value, _, _ in parts if value}
    for value, spec, conversion in parts:
        if value not in may_use:
            yield f"{name} uses {{{value}}}, which is not among its values"
        elif spec or conversion:
            yield f"{name}: write {{{value}}} plainly, without a format"
    for value in sorted((may_use & _NEVER_LEFT_OUT) - used):
        yield f"{name} must say {{{value}}}"


def _spoken(name: str, value: Value, language: str) -> str:
    """The words for one value: a `code` stays exact and comes back by dropping the separators `", "`."""
    match value:
        case Money():
            return _money(value, language)
        case int():
            return str(num2words(value, lang=language))
        case str():
            return ", ".join(value) if name in _SPELT_OUT else _plain(value, language)
        case _:
            assert_never(value)


def _plain(text: str, language: str) -> str:
    """`text` without what a voice would take for SSML markup (fact sheet 3.2: SSML is allowed in tokens)."""
    ampersand = f" {_AMPERSAND.get(language, '+')} "
    return " ".join(re.sub(r"[<>]", " ", text.replace("&", ampersand)).split())


def _money(money: Money, language: str) -> str:
    """`12.50 USD` → "twelve dollars and fifty cents"; a part that is zero is not said."""
    try:
        # num2words takes an int for cents: hand it the Decimal.
        words = num2words(money.amount, lang=language, to="currency", currency=money.currency, separator=" |")
    except NotImplementedError:
        number = int(money.amount) if money.amount % 1 == 0 else money.amount
        return f"{num2words(number, lang=language)} {' '.join(money.currency)}"
    whole, fraction = str(words).split(" | ")
    if money.amount % 1 == 0:
        return whole
    return _AND_CENTS.get(language, ", ").join([whole, fraction]) if money.amount >= 1 else fraction
