"""The model's tools: strict schemas, arguments read exactly or answered in words, and words that repeat nothing."""

from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from payagent.flow.tools import (
    TOOLS,
    BadArguments,
    CheckPendingBill,
    ConfirmBalance,
    HandOff,
    StartPayment,
    SwitchLanguage,
    VerifyUser,
    parse,
    schema,
)

TAKES: dict[str, dict[str, object]] = {
    "verify_user": {"full_name": "string", "date_of_birth": "string"},
    "check_pending_bill": {"bill": ["string", "null"]},
    "confirm_balance": {"agreed": "boolean"},
    "check_payment_options": {},
    "start_payment": {"amount": "string"},
    "capture_payment_card_number": {},
    "capture_expiration_date": {},
    "capture_security_code": {},
    "capture_postal_code": {},
    "complete_payment_processing": {},
    "cancel_payment_processing": {},
    "switch_language": {"language": "string"},
    "human_agent_handoff": {"reason": "string"},
    "end_call": {},
}
"""Every tool, and the JSON type of each of its properties: the contract of the design's section 7."""

FITTING: dict[str, str] = {
    "verify_user": '{"full_name": "John Doe", "date_of_birth": "1990-05-01"}',
    "check_pending_bill": '{"bill": null}',
    "confirm_balance": '{"agreed": true}',
    "start_payment": '{"amount": "120.50"}',
    "switch_language": '{"language": "es"}',
    "human_agent_handoff": '{"reason": "asked for a person"}',
}
"""Arguments that fit the schema sent; the other tools take none."""


def refusal(name: str, arguments: str) -> str:
    """The words with which these arguments are sent back to the model."""
    with pytest.raises(BadArguments) as refused:
        parse(name, arguments)
    return str(refused.value)


def amount(written: object) -> Decimal:
    """The amount that `start_payment` reads out of this JSON value."""
    arguments = parse("start_payment", json.dumps({"amount": written}))
    assert isinstance(arguments, StartPayment)
    return arguments.amount


# What the model is told


def test_the_tools_are_those_of_the_contract() -> None:
    """No tool is missing, renamed, or in a form that another program would not know."""
    properties = {name: schema(name)["function"]["parameters"]["properties"] for name in TOOLS}

    types = {name: {key: prop["type"] for key, prop in props.items()} for name, props in properties.items()}
    assert types == TAKES


@pytest.mark.parametrize("name", TOOLS)
def test_every_schema_is_strict(name: str) -> None:
    """Strict mode wants every property required, none added, and takes no keyword beyond type and description."""
    tool = schema(name)
    parameters = tool["function"]["parameters"]

    Draft202012Validator.check_schema(parameters)
    assert (tool["type"], tool["function"]["strict"]) == ("function", True)
    assert tool["function"].keys() == {"name", "description", "strict", "parameters"}
    assert parameters.keys() == {"type", "properties", "required", "additionalProperties"}
    assert (parameters["type"], parameters["additionalProperties"]) == ("object", False)
    assert parameters["required"] == list(parameters["properties"])
    assert all(prop.keys() == {"type", "description"} for prop in parameters["properties"].values())


@pytest.mark.parametrize("name", TOOLS)
def test_every_tool_describes_itself_by_its_docstring(name: str) -> None:
    """One text for the developer and the model; each property says what it is as well."""
    function = schema(name)["function"]

    assert function["name"] == name
    assert function["description"] == (TOOLS[name].__doc__ or "").strip() != ""
    assert all(prop["description"] for prop in function["parameters"]["properties"].values())


def test_no_tool_takes_an_id_of_call_payment_or_user() -> None:
    """Those belong to the call, not to the model."""
    properties = {key for name in TOOLS for key in schema(name)["function"]["parameters"]["properties"]}

    assert {"full_name", "date_of_birth", "bill", "agreed", "amount", "language", "reason"} == properties


@pytest.mark.parametrize("name", TOOLS)
def test_what_fits_the_schema_is_taken(name: str) -> None:
    """The schema promises the model nothing that the program then refuses."""
    arguments = FITTING.get(name, "{}")

    Draft202012Validator(schema(name)["function"]["parameters"]).validate(json.loads(arguments))
    assert type(parse(name, arguments)) is TOOLS[name]


# Amounts


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("600", "600.00"),
        ("600.00", "600.00"),
        ("600.5", "600.50"),
        ("600.500", "600.50"),
        ("  600  ", "600.00"),
        ("+600", "600.00"),
        ("0.01", "0.01"),
        ("0", "0.00"),
        ("-5", "-5.00"),
        ("6e2", "600.00"),
        ("999999.99", "999999.99"),
        (600, "600.00"),
        (12.1, "12.10"),
        (0.1, "0.10"),
        (1.15, "1.15"),
        (600.0, "600.00"),
    ],
    ids=repr,
)
def test_an_amount_is_read_to_the_cent(written: object, read: str) -> None:
    """Texts, whole numbers and floats give the very decimal written; what may be paid is for the table to say."""
    assert str(amount(written)) == read


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("600 dollars", "decimal string"),
        ("$600", "decimal string"),
        ("1,000.00", "decimal string"),
        ("12,50", "decimal string"),
        ("all of it", "decimal string"),
        ("", "decimal string"),
        (" ", "decimal string"),
        ("0x10", "decimal string"),
        ("1e99999999999999999999", "decimal string"),
        (True, "decimal string"),
        (False, "decimal string"),
        (None, "decimal string"),
        (["600"], "decimal string"),
        ({"value": "600"}, "decimal string"),
        ("NaN", "not an amount"),
        ("sNaN", "not an amount"),
        ("Infinity", "not an amount"),
        ("-Infinity", "not an amount"),
        (float("nan"), "not an amount"),
        (float("inf"), "not an amount"),
        ("1e400", "not an amount"),
        ("-1e400", "not an amount"),
        (1e30, "not an amount"),
        (10**30, "not an amount"),
        ("1000000", "not an amount"),
        ("600.005", "two decimals"),
        (600.005, "two decimals"),
        ("0.001", "two decimals"),
        ("1e-400", "two decimals"),
        ("1e-1000000", "two decimals"),
        ("600." + "0" * 30 + "1", "two decimals"),
        (0.1 + 0.2, "two decimals"),
    ],
    ids=repr,
)
def test_what_is_no_amount_is_answered_in_words(written: object, words: str) -> None:
    """Never rounded, never guessed: the model is told how to write it."""
    told = refusal("start_payment", json.dumps({"amount": written}))

    assert told.startswith("amount: ")
    assert words in told


@pytest.mark.parametrize("written", ["1e1000000", "-1e1000000", "9e999999999"])
def test_an_amount_beyond_the_range_of_arithmetic_is_answered_in_words(written: str) -> None:
    """Such a decimal can be written, but not reckoned with."""
    assert "not an amount" in refusal("start_payment", json.dumps({"amount": written}))


@given(st.integers(-99_999_999, 99_999_999))
def test_an_amount_survives_every_way_of_writing_it(cents: int) -> None:
    """The text, the number and the shortest float of an amount are the same amount, to the cent."""
    exact = Decimal(cents).scaleb(-2)

    read = [amount(f"{exact:.2f}"), amount(str(exact)), amount(cents / 100)]

    assert [exact] * 3 == read
    assert {-2} == {one.as_tuple().exponent for one in read}


@given(st.decimals(allow_nan=True, allow_infinity=True) | st.text(max_size=12) | st.integers() | st.floats())
def test_an_amount_is_exact_or_refused(written: Any) -> None:
    """Whatever stands there: either the decimal as it was written, or words."""
    written = str(written) if isinstance(written, Decimal) else written
    with suppress(BadArguments):
        assert amount(written) == Decimal(str(written).strip())


# Languages


@pytest.mark.parametrize(
    ("said", "language"),
    [
        ("es", "es"),
        ("ES", "es"),
        (" es ", "es"),
        ("es-US", "es"),
        ("en-GB", "en"),
        ("Spanish", "es"),
        ("español", "es"),
        ("ESPAÑOL", "es"),
        ("espanol", "es"),
        ("English", "en"),
        ("inglés", "en"),
        ("ingles", "en"),
        ("xx", "xx"),
    ],
    ids=repr,
)
def test_a_language_is_known_by_its_code_or_its_name(said: str, language: str) -> None:
    """The code is what is left; whether it is spoken here is for the table to say."""
    arguments = parse("switch_language", json.dumps({"language": said}))

    assert arguments == SwitchLanguage(language=language)
    assert arguments == parse("switch_language", arguments.model_dump_json())


@pytest.mark.parametrize("said", ["", "Klingon", "e", "spa", "1", 7, None, True, ["es"]], ids=repr)
def test_what_is_no_language_is_answered_in_words(said: object) -> None:
    """No voice would speak it."""
    assert refusal("switch_language", json.dumps({"language": said})).startswith("language: ")


# Identity


def test_a_whole_identity_is_taken() -> None:
    """As the caller said it; only the space around it is cut."""
    arguments = parse("verify_user", '{"full_name": "  José  Ñáñez ", "date_of_birth": " May 1st, 1990 "}')

    assert arguments == VerifyUser(full_name="José  Ñáñez", date_of_birth="May 1st, 1990")


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ({}, ["full_name", "date_of_birth"]),
        ({"full_name": "John Doe"}, ["date_of_birth"]),
        ({"full_name": "John Doe", "date_of_birth": None}, ["date_of_birth"]),
        ({"full_name": "John Doe", "date_of_birth": ""}, ["date_of_birth"]),
        ({"full_name": "John Doe", "date_of_birth": "     "}, ["date_of_birth"]),
        ({"full_name": "John Doe", "date_of_birth": 19900501}, ["date_of_birth"]),
        ({"date_of_birth": "1990-05-01"}, ["full_name"]),
        ({"full_name": "John", "date_of_birth": "1990-05-01"}, ["full_name"]),
        ({"full_name": " John ", "date_of_birth": "1990-05-01"}, ["full_name"]),
        ({"full_name": "", "date_of_birth": ""}, ["full_name", "date_of_birth"]),
        ({"full_name": "J " * 61, "date_of_birth": "1 " * 41}, ["full_name", "date_of_birth"]),
    ],
)
def test_half_an_identity_names_the_half_that_is_missing(arguments: dict[str, Any], wrong: list[str]) -> None:
    """It is asked for, and no look-up is made: it must not count as a try."""
    told = refusal("verify_user", json.dumps(arguments))

    assert wrong == [problem.split(":")[0] for problem in told.split("; ")]


# The other tools


def test_only_a_plain_yes_or_no_is_an_agreement() -> None:
    """Money hangs on it, so nothing is read into words and numbers."""
    assert parse("confirm_balance", '{"agreed": true}') == ConfirmBalance(agreed=True)
    assert parse("confirm_balance", '{"agreed": false}') == ConfirmBalance(agreed=False)
    for agreed in ('"true"', '"yes"', "1", "0", "null", "[]"):
        assert refusal("confirm_balance", f'{{"agreed": {agreed}}}').startswith("agreed: ")


def test_empty_arguments_mean_the_oldest_bill_and_the_usual_reason() -> None:
    """A model may leave out what has a plain default, or send nothing at all."""
    for empty in ("", "{}"):
        assert parse("check_pending_bill", empty) == CheckPendingBill(bill=None)
        assert parse("human_agent_handoff", empty) == HandOff(reason="asked for a person")
    assert parse("check_pending_bill", '{"bill": " lab work "}') == CheckPendingBill(bill="lab work")
    assert parse("human_agent_handoff", '{"reason": "wants a receipt"}') == HandOff(reason="wants a receipt")


@pytest.mark.parametrize("name", TOOLS)
def test_empty_arguments_do_for_every_tool_that_needs_none(name: str) -> None:
    """Models send `""` as well as `{}`; what is required is asked for by name."""
    required = {"verify_user", "confirm_balance", "start_payment", "switch_language"}

    if name in required:
        assert "Field required" in refusal(name, "")
    else:
        assert parse(name, "") == parse(name, "{}") == TOOLS[name]()


@pytest.mark.parametrize("reason", ["", "x" * 201, None, 7], ids=repr)
def test_a_reason_that_is_no_few_words_is_refused(reason: object) -> None:
    """The person reads it on a card."""
    assert refusal("human_agent_handoff", json.dumps({"reason": reason})).startswith("reason: ")


@pytest.mark.parametrize(
    ("name", "key", "shortest", "longest"),
    [
        ("verify_user", "full_name", "A B", "A " + "b" * 118),
        ("verify_user", "date_of_birth", "1/5/90", "1" * 80),
        ("check_pending_bill", "bill", "", "x" * 120),
        ("human_agent_handoff", "reason", "x", "x" * 200),
    ],
)
def test_texts_have_a_shortest_and_a_longest_form(name: str, key: str, shortest: str, longest: str) -> None:
    """Both are taken; one character more is not, nor one less."""
    others = json.loads(FITTING[name])

    for fits in (shortest, longest):
        assert getattr(parse(name, json.dumps({**others, key: fits})), key) == fits
    for wrong in (shortest[:-1], longest + "x") if shortest else (longest + "x",):
        assert refusal(name, json.dumps({**others, key: wrong})).startswith(f"{key}: ")


@pytest.mark.parametrize("name", TOOLS)
def test_nothing_may_be_added_to_a_tool(name: str) -> None:
    """A payment id from the model, say, must not be taken in silence."""
    arguments = {**json.loads(FITTING.get(name, "{}")), "payment_sid": "PK1"}

    assert "Extra inputs are not permitted" in refusal(name, json.dumps(arguments))


BROKEN = (" ", "{", '{"amount": "60', "not json", "{'a': 1}", "[]", "null", '"{}"', "[" * 9999)


@pytest.mark.parametrize("name", TOOLS)
@pytest.mark.parametrize("broken", BROKEN, ids="{:.20}".format)
def test_broken_json_is_answered_in_words(name: str, broken: str) -> None:
    """A cut-off or malformed tool call is the model's to mend; it never stops the program."""
    assert refusal(name, broken).startswith("arguments: ")


def test_arguments_cannot_be_changed_once_validated() -> None:
    """Guards and effects read the same values."""
    arguments = parse("start_payment", '{"amount": "5.00"}')

    with pytest.raises(ValueError, match="frozen"):
        arguments.amount = Decimal(6)  # type: ignore[attr-defined]


# Words that repeat nothing

PRIVATE = "Quixote 1957-09-29"


@pytest.mark.parametrize("name", TOOLS)
def test_words_never_repeat_a_value(name: str) -> None:
    """A name or a date of birth must not reach the record through a refusal."""
    for value in (PRIVATE, [PRIVATE], {PRIVATE: PRIVATE}, PRIVATE * 20):
        told = refusal(name, json.dumps(dict.fromkeys([*TAKES[name], "extra"], value)))

        assert "Quixote" not in told
        assert "1957" not in told


@pytest.mark.parametrize("name", TOOLS)
def test_words_never_repeat_an_invented_key(name: str) -> None:
    """A model that swaps key and value tells no one's name either."""
    told = refusal(name, json.dumps({PRIVATE: "x"}))

    assert "Quixote" not in told
    assert "1957" not in told


@pytest.mark.parametrize("broken", ['{"full_name": "Quixote', '{"full_name": Quixote}', "Quixote", '"Quixote"'])
def test_words_never_repeat_broken_json(broken: str) -> None:
    """The reader's own complaint gives a place, not the text."""
    assert "Quixote" not in refusal("verify_user", broken)


def test_the_complaint_does_not_carry_the_values_behind_it() -> None:
    """A logged traceback shows no cause that would print them."""
    with pytest.raises(BadArguments) as refused:
        parse("verify_user", json.dumps({"full_name": "Quixote"}))

    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_words_stay_short() -> None:
    """The model is told of five problems at most."""
    told = refusal("end_call", json.dumps({f"extra{n}": n for n in range(50)}))

    assert len(told.split("; ")) <= 5
