"""The fixed sentences: complete in both languages, checked when loaded, exact when spoken."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from importlib.resources import files
from pathlib import Path

import pytest

from payagent.errors import SpeechError
from payagent.flow.effects import Value
from payagent.flow.money import Money
from payagent.flow.sentences import SENTENCES
from payagent.speech import Sentences, speaking_seconds

PACKAGED = Sentences.load(None)
EVERY_VALUE: dict[str, Value] = {
    "amount": Money(Decimal("600.00"), "USD"),
    "least": Money(Decimal("1.00"), "USD"),
    "description": "the March visit",
    "count": 2,
    "code": "ch_3Pa",
    "last_four": "4242",
}


def money(amount: str, currency: str = "USD") -> Money:
    return Money(Decimal(amount), currency)


def own(directory: Path, language: str, **changes: str | None) -> Path:
    """A deployer's file: the packaged one with some texts changed, or left out (None)."""
    packaged = tomllib.loads((files("payagent") / "sentences" / "en.toml").read_text("utf-8"))
    texts = {name: text for name, text in {**packaged, **changes}.items() if text is not None}
    (directory / f"{language}.toml").write_text("".join(f"{name} = '''{text}'''\n" for name, text in texts.items()))
    return directory


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("name", SENTENCES)
def test_every_sentence_is_spoken_in_both_languages(name: str, language: str) -> None:
    """Each has words, uses only the values it is given, and leaves neither a placeholder nor a digit by accident."""
    values = {value: EVERY_VALUE[value] for value in SENTENCES[name].values}

    words = PACKAGED.render(name, values, language)

    assert words.strip() == words != ""
    assert not set("{}<>&*#") & set(words)
    assert words[-1] in ".?"


@pytest.mark.parametrize(
    ("name", "english", "spanish"),
    [
        ("balance", "Is that right?", "¿Es correcto?"),
        ("about_to_pay", "six hundred dollars", "seiscientos dólares"),
        ("ready", "Shall I charge six hundred dollars", "¿Cobro seiscientos dólares ahora"),
        ("paid", "confirmation code is c, h, _, 3, P, a", "código de confirmación es c, h, _, 3, P, a"),
        ("declined", "declined, and nothing was charged", "rechazada, y no se cobró nada"),
        ("cancelled", "cancelled, nothing was charged", "canceló, no se cobró nada"),
        ("unknown_outcome", "don't know whether your card was charged", "no sé si se cobró"),
        ("hand_off", "passing you to", "Le comunico"),
        ("are_you_there", "Are you still there?", "¿Sigue usted ahí?"),
        ("ask_card_number", "key in your card number", "marque el número de su tarjeta"),
    ],
)
def test_the_sentences_that_count_say_what_they_must(name: str, english: str, spanish: str) -> None:
    """The words that a caller acts on are there, in both languages."""
    assert english in PACKAGED.render(name, EVERY_VALUE, "en")
    assert spanish in PACKAGED.render(name, EVERY_VALUE, "es")


@pytest.mark.parametrize("name", [name for name in SENTENCES if name.startswith("ask_")])
def test_every_capture_prompt_names_both_keys(name: str) -> None:
    """Pound ends the field, star would end the payment."""
    english, spanish = PACKAGED.texts["en"][name], PACKAGED.texts["es"][name]

    assert english.endswith("then press pound. Please don't press star.")
    assert spanish.endswith("luego oprima la tecla numeral. Por favor, no oprima asterisco.")


def test_only_a_success_is_told_as_one() -> None:
    """No sentence but the two for a paid bill says that a payment went through."""
    assert {name for name, text in PACKAGED.texts["en"].items() if "went through" in text} == {
        "paid",
        "paid_without_code",
    }
    assert {name for name, text in PACKAGED.texts["es"].items() if "se realizó" in text} == {
        "paid",
        "paid_without_code",
    }


def test_nothing_was_charged_is_said_where_it_is_known_and_only_there() -> None:
    """An unknown outcome is never told as no charge."""
    known = {"star_pressed", "declined", "declined_person", "cancelled", "session_lost"}

    assert {name for name, text in PACKAGED.texts["en"].items() if "nothing was charged" in text} == known
    assert {name for name, text in PACKAGED.texts["es"].items() if "no se cobró nada" in text} == known


@pytest.mark.parametrize(
    ("amount", "english", "spanish"),
    [
        (money("600.00"), "six hundred dollars", "seiscientos dólares"),
        (money("12.50"), "twelve dollars and fifty cents", "doce dólares con cincuenta centavos"),
        (money("1.00"), "one dollar", "un dólar"),
        (money("1.01"), "one dollar and one cent", "un dólar con un centavo"),
        (money("0.05"), "five cents", "cinco centavos"),
        (money("0.00"), "zero dollars", "cero dólares"),
        (money("1250.75"), "one thousand, two hundred and fifty dollars and seventy-five cents",
         "mil doscientos cincuenta dólares con setenta y cinco centavos"),
        (money("21.00", "EUR"), "twenty-one euro", "veintiún euros"),
        (money("21.20", "GBP"), "twenty-one pounds sterling and twenty pence", "veintiuna libras con veinte peniques"),
        (money("2.00", "CAD"), "two dollars", "dos dólares"),
        (money("2.50", "MXN"), "two pesos and fifty cents", "dos pesos con cincuenta centavos"),
        (money("600.00", "XYZ"), "six hundred X Y Z", "seiscientos X Y Z"),
        (money("12.50", "XYZ"), "twelve point five X Y Z", "doce punto cinco X Y Z"),
    ],
)  # fmt: skip
def test_amounts_are_said_in_words_to_the_cent(amount: Money, english: str, spanish: str) -> None:
    """The words are the amount, in the caller's language; a part that is zero is not said."""
    values: dict[str, Value] = {"amount": amount}

    assert f"payment of {english} went" in PACKAGED.render("paid_without_code", values, "en")
    assert f"pago de {spanish} se" in PACKAGED.render("paid_without_code", values, "es")


@pytest.mark.parametrize("code", ["ch_3PaXyZ0", "A1", "TEST-000-9"])
def test_a_confirmation_code_can_be_written_down_as_it_is(code: str) -> None:
    """Spoken one character at a time, it comes back whole by dropping the pauses."""
    words = PACKAGED.render("paid", {"amount": money("1.00"), "code": code}, "en")

    spoken = words.removesuffix(". Thank you.").split("code is ")[1]
    assert spoken.replace(", ", "") == code
    assert len(spoken.split(", ")) == len(code)


def test_last_four_and_counts_are_said_as_people_do() -> None:
    """Digits of a card one at a time, a count as a word."""
    assert "ending in 4, 2, 4, 2 now" in PACKAGED.render("ready", EVERY_VALUE, "en")
    assert PACKAGED.render("several_bills", {"count": 2}, "en") == "You have two open bills."
    assert PACKAGED.render("several_bills", {"count": 2}, "es") == "Usted tiene dos facturas pendientes."


def test_a_description_cannot_smuggle_markup_into_the_voice() -> None:
    """What a voice takes for SSML is taken out; an ampersand is said."""
    values: dict[str, Value] = {"amount": money("5.00"), "description": "X-ray & <break time='9s'/>lab"}

    assert "for X-ray and break time='9s'/ lab." in PACKAGED.render("other_bill", values, "en")
    assert "por X-ray y break" in PACKAGED.render("other_bill", values, "es")


def test_braces_in_a_value_stay_as_they_are() -> None:
    """A value is never taken for a template."""
    values: dict[str, Value] = {"amount": money("5.00"), "description": "{code} {0}"}

    assert "for {code} {0}." in PACKAGED.render("other_bill", values, "en")


@pytest.mark.parametrize(
    ("language", "expected"), [("es", "Adiós"), ("es-MX", "Adiós"), ("fr", "Goodbye"), ("", "Goodbye")]
)
def test_an_unknown_language_hears_english(language: str, expected: str) -> None:
    """A regional tag finds its language; one without texts falls back to English, amounts too."""
    assert expected in PACKAGED.render("goodbye", {}, language)


def test_the_fallback_says_amounts_in_english_too() -> None:
    """Words and amounts are never in two languages."""
    assert "six hundred dollars" in PACKAGED.render("balance", EVERY_VALUE, "fr")


def test_a_sentence_or_value_that_is_not_there_is_a_speech_error() -> None:
    """Neither becomes a KeyError or a sentence with a hole in it."""
    with pytest.raises(SpeechError, match="no sentence 'nonsense'"):
        PACKAGED.render("nonsense", {}, "en")
    with pytest.raises(SpeechError, match=r"balance.*amount"):
        PACKAGED.render("balance", {"description": "a visit"}, "en")


def test_a_deployers_file_takes_the_place_of_the_packaged_one(tmp_path: Path) -> None:
    """Only the file that is there is replaced."""
    sentences = Sentences.load(own(tmp_path, "en", goodbye="Cheerio."))

    assert sentences.render("goodbye", {}, "en") == "Cheerio."
    assert "Adiós" in sentences.render("goodbye", {}, "es")


def test_a_new_language_is_a_new_file(tmp_path: Path) -> None:
    """Its amounts are said in that language; the pause stands in for the word between whole and cents."""
    sentences = Sentences.load(own(tmp_path, "fr", paid_without_code="Payé: {amount}."), ("en", "fr"))

    assert sentences.render("paid_without_code", {"amount": money("2.50", "EUR")}, "fr-CA") == (
        "Payé: deux euros, cinquante centimes."
    )


def test_english_is_loaded_even_when_it_is_not_asked_for() -> None:
    """There is always something to fall back to."""
    assert "Goodbye" in Sentences.load(None, ("es",)).render("goodbye", {}, "en")


def test_all_problems_are_named_at_once(tmp_path: Path) -> None:
    """Missing, unknown, empty, malformed, a value too many, a value too few: one error tells them all."""
    own(
        tmp_path,
        "en",
        goodbye=None,
        godbye="Bye.",
        one_moment="  ",
        say_again="What {",
        hand_off="Now, {amount}.",
        nothing_owed="{} {balance.amount}",
        balance="You owe something for {description}.",
        paid="Paid {amount:>10}, {code!r}.",
        paid_without_code="Paid.",
    )

    with pytest.raises(SpeechError) as caught:
        Sentences.load(tmp_path)

    assert sorted(str(caught.value).splitlines()) == [
        "en.toml: balance must say {amount}",
        "en.toml: godbye is not a sentence",
        "en.toml: goodbye is missing",
        "en.toml: hand_off uses {amount}, which is not among its values",
        "en.toml: nothing_owed uses {balance.amount}, which is not among its values",
        "en.toml: nothing_owed uses {}, which is not among its values",
        "en.toml: one_moment is not a text",
        "en.toml: paid: write {amount} plainly, without a format",
        "en.toml: paid: write {code} plainly, without a format",
        "en.toml: paid_without_code must say {amount}",
        "en.toml: say_again: Single '{' encountered in format string",
    ]


def test_files_that_cannot_be_read_are_named_too(tmp_path: Path) -> None:
    """A broken file, a missing one and a language no amount can be said in are all in the one error."""
    (tmp_path / "es.toml").write_text("not toml")
    own(tmp_path, "xx")

    with pytest.raises(SpeechError) as caught:
        Sentences.load(tmp_path, ("en", "es", "de", "xx"))

    problems = str(caught.value).splitlines()
    assert [problem.split(":")[0] for problem in problems] == ["es.toml", "de.toml", "xx.toml"]
    assert "num2words cannot say amounts in 'xx'" in problems[2]


def test_a_text_takes_as_long_as_it_has_characters() -> None:
    """The estimate is characters times the pace in seconds."""
    assert speaking_seconds("four", 0.25) == 1.0
    assert speaking_seconds("", 0.25) == 0
