"""The model's tools: what each takes, and how the model is told of it.

Arguments are pydantic models; their JSON schemas are sent *strict* (every property required, none added). Tools carry
no call, payment or user id: those belong to the call, not to the model. Where a tool is open is read off the table.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError


class Arguments(BaseModel):
    """What a tool takes; its docstring is what the model is told."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class NoArguments(Arguments):
    """Takes nothing."""


def _decimal(value: object) -> object:
    """Read a plain decimal (`600`, `"600.00"`) exactly; floats by their shortest text, never by their binary value."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("write the amount as a decimal string such as 120.50")
    try:
        amount = Decimal(str(value).strip())
    except InvalidOperation:
        raise ValueError("write the amount as a decimal string such as 120.50") from None
    if not amount.is_finite() or amount.copy_abs() >= 1_000_000:  # abs() would raise Overflow for 1e1000000
        raise ValueError("this is not an amount that can be paid by phone")
    if amount != amount.quantize(Decimal("0.01")):
        raise ValueError("write the amount with at most two decimals")
    return amount.quantize(Decimal("0.01"))


_LANGUAGE_NAMES = {"english": "en", "inglés": "en", "ingles": "en", "spanish": "es", "español": "es", "espanol": "es"}


def _language(value: object) -> object:
    """`"Spanish"`, `"es-US"` and `"es"` are one language."""
    if not isinstance(value, str):
        return value
    word = value.strip().casefold()
    return _LANGUAGE_NAMES.get(word, word.split("-")[0])


class VerifyUser(Arguments):
    """Look the caller up. Call it once the caller has said both a full name and a date of birth."""

    full_name: str = Field(min_length=3, max_length=120, pattern=r"\S\s+\S", description="First and last name")
    date_of_birth: str = Field(min_length=6, max_length=80, description="Date of birth, best as YYYY-MM-DD")


class CheckPendingBill(Arguments):
    """Tell the caller what is owed on a bill: the oldest, or the one named."""

    bill: str | None = Field(
        default=None, max_length=120, description="A bill's description or id; null for the oldest"
    )


class ConfirmBalance(Arguments):
    """Record whether the caller agreed that the balance just told is right."""

    agreed: bool = Field(strict=True, description="true only if the caller said so")


class StartPayment(Arguments):
    """Start a payment of the amount the caller chose."""

    amount: Annotated[Decimal, BeforeValidator(_decimal, json_schema_input_type=str)] = Field(
        description="Decimal string, such as 120.50"
    )


class SwitchLanguage(Arguments):
    """Go on in another language."""

    language: Annotated[str, BeforeValidator(_language, json_schema_input_type=str)] = Field(
        pattern=r"^[a-z]{2}$", description="Two letters: en, es"
    )


class HandOff(Arguments):
    """Pass the caller to a person."""

    reason: str = Field(default="asked for a person", min_length=1, max_length=200, description="A few words on why")


class CheckPaymentOptions(NoArguments):
    """Tell the caller the ways to pay: all of it, a part, and by which cards."""


class CaptureCardNumber(NoArguments):
    """Have the caller key in the card number; a fixed sentence asks for it."""


class CaptureExpirationDate(NoArguments):
    """Have the caller key in the card's expiration date; a fixed sentence asks for it."""


class CaptureSecurityCode(NoArguments):
    """Have the caller key in the card's security code; a fixed sentence asks for it."""


class CapturePostalCode(NoArguments):
    """Have the caller key in the card's postal code; a fixed sentence asks for it."""


class CompletePayment(NoArguments):
    """Charge the card now. Only after the caller's go-ahead."""


class CancelPayment(NoArguments):
    """Stop this payment; nothing is charged."""


class EndCall(NoArguments):
    """Say goodbye and end the call; only when the caller wants nothing more."""


TOOLS: dict[str, type[Arguments]] = {
    "verify_user": VerifyUser,
    "check_pending_bill": CheckPendingBill,
    "confirm_balance": ConfirmBalance,
    "check_payment_options": CheckPaymentOptions,
    "start_payment": StartPayment,
    "capture_payment_card_number": CaptureCardNumber,
    "capture_expiration_date": CaptureExpirationDate,
    "capture_security_code": CaptureSecurityCode,
    "capture_postal_code": CapturePostalCode,
    "complete_payment_processing": CompletePayment,
    "cancel_payment_processing": CancelPayment,
    "switch_language": SwitchLanguage,
    "human_agent_handoff": HandOff,
    "end_call": EndCall,
}


class BadArguments(ValueError):
    """A tool's arguments do not validate; the text tells the model what to change and repeats none of them."""


ARGUMENTS_LENGTH = 2000
"""Arguments as long as this are refused; the record keeps no more of them."""


def parse(name: str, arguments: str) -> Arguments:
    """A tool call's arguments, validated.

    Raises:
        BadArguments: in words for the model.
    """
    if len(arguments) >= ARGUMENTS_LENGTH:
        raise BadArguments("arguments: too long")
    try:
        return TOOLS[name].model_validate_json(arguments or "{}")
    except ValidationError as error:
        raise BadArguments(_words(name, error)) from None


def _words(name: str, error: ValidationError) -> str:
    """What is wrong, field by field, without the values; a key that was made up may be one, so it is not named."""

    def place(loc: tuple[int | str, ...]) -> str:
        return str(loc[0]) if loc and loc[0] in TOOLS[name].model_fields else "arguments"

    errors = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{place(e['loc'])}: {e['msg']}" for e in errors[:5])


@cache
def schema(name: str) -> dict[str, Any]:
    """The tool as Chat Completions takes it, strict. Always the same object: to make it takes half a millisecond."""
    model = TOOLS[name]
    parameters = model.model_json_schema()
    properties = {key: _plain(value) for key, value in parameters.get("properties", {}).items()}
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": (model.__doc__ or "").strip(),
            "strict": True,
            "parameters": {
                "type": "object",
                "properties": properties,
                "required": list(properties),
                "additionalProperties": False,
            },
        },
    }


def _plain(prop: dict[str, Any]) -> dict[str, Any]:
    """A property without the keywords that strict schemas do not all take; ours are checked by `parse` anyway."""
    if "anyOf" in prop:
        types = [one["type"] for one in prop["anyOf"]]
        return {"type": types, "description": prop["description"]}
    return {"type": prop["type"], "description": prop["description"]}
