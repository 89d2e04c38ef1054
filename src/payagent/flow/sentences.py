"""The fixed sentences: their names, what each is for, the values it may use, and whether it may be talked over.

The words stand in `sentences/en.toml`, `sentences/es.toml` …, where a reviewer reads them and a deployer replaces
them. Everything said about money, the card and the outcome is one of these; the model never words it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sentence:
    """One fixed sentence: `values` are the names its text may use; money sentences are not interruptible."""

    meaning: str
    values: tuple[str, ...] = ()
    interruptible: bool = True


SENTENCES: dict[str, Sentence] = {
    # identity
    "identity_prompt": Sentence("asks for full name and date of birth"),
    "identity_not_matched": Sentence("no account matches; asks again without a hint which part was wrong"),
    "identity_unreadable": Sentence("the look-up could not be made; asks for name and date of birth again"),
    "identity_failed": Sentence("identity could not be verified; a person takes over"),
    # the balance
    "several_bills": Sentence("how many bills are open", ("count",)),
    "other_bill": Sentence("names one bill besides the one asked about", ("amount", "description")),
    "balance": Sentence(
        "tells what is owed on the bill and asks whether that is right", ("amount", "description"), False
    ),
    "nothing_owed": Sentence("nothing is owed; anything else?"),
    "bills_unavailable": Sentence("the bills cannot be read; a person takes over"),
    "no_such_bill": Sentence("the bill asked for is not among the open ones"),
    "balance_disputed": Sentence("the caller does not agree with the balance; a person takes over"),
    # the amount
    "options": Sentence("ways to pay: all of it, or a part from the least up", ("amount", "least")),
    "options_hsa": Sentence("the same, and an HSA card may be used", ("amount", "least")),
    "about_to_pay": Sentence("the amount about to be paid, before the keypad opens", ("amount", "description"), False),
    "bill_busy": Sentence("this bill cannot be paid by phone right now; a person takes over"),
    "start_failed": Sentence("the payment could not be started; offers to try again"),
    "start_failed_person": Sentence("the payment could not be started; a person takes over"),
    # the card
    "ask_card_number": Sentence("key in the card number, then pound; not star", (), False),
    "ask_expiration_date": Sentence("key in the expiration date as four digits, then pound; not star", (), False),
    "ask_security_code": Sentence("key in the security code, then pound; not star", (), False),
    "ask_postal_code": Sentence("key in the postal code, then pound; not star", (), False),
    "entry_waiting": Sentence("still waiting for the keypad; take your time, or say so if help is wanted"),
    "entry_timed_out": Sentence("the keypad fell silent midway; start from the first digit", (), False),
    "rejected_card_number": Sentence("the card number is not valid; once more", (), False),
    "rejected_card_type": Sentence("this type of card is not accepted; use another one", (), False),
    "rejected_expiration_date": Sentence("the expiration date is not valid; once more", (), False),
    "rejected_security_code": Sentence("the security code is not valid; once more", (), False),
    "rejected_postal_code": Sentence("the postal code is not valid; once more", (), False),
    "rejected_other": Sentence("what was keyed in could not be used; once more", (), False),
    "out_of_sequence": Sentence("the security code does not fit the card; expiration date and code again", (), False),
    "capture_failed": Sentence("the keypad could not be opened; one moment, trying again"),
    "field_person": Sentence("keying in the card does not work out; a person takes over"),
    "use_keypad": Sentence("never say the card number aloud; key it in when asked"),
    "star_pressed": Sentence("the star key stopped the payment, nothing was charged; what now?"),
    # the charge
    "ready": Sentence("everything is in; shall the card be charged now?", ("amount", "last_four"), False),
    "ready_without_digits": Sentence("the same, where the callbacks told no last four digits", ("amount",), False),
    "field_missing": Sentence("a detail is still missing before the card can be charged"),
    "processing": Sentence("the payment is being processed; one moment", (), False),
    "still_working": Sentence("still being processed; please stay on the line", (), False),
    # the outcome
    "paid": Sentence("paid, with the confirmation code", ("amount", "code"), False),
    "paid_without_code": Sentence("paid; the processor gave no code", ("amount",), False),
    "anything_else": Sentence("is there anything else?"),
    "declined": Sentence("the card was declined, nothing was charged; another card?", (), False),
    "declined_person": Sentence("declined too often; nothing was charged; a person takes over", (), False),
    "cancelled": Sentence("the payment was cancelled, nothing was charged; what now?", (), False),
    "session_lost": Sentence("the payment was interrupted, nothing was charged; what now?", (), False),
    "unknown_outcome": Sentence(
        "it is not known whether the card was charged; it will not be charged again; a person will find out", (), False
    ),
    # a person
    "hand_off": Sentence("passing the caller to a person now"),
    "hand_off_other_route": Sentence("nobody answered there; trying the other way"),
    "hand_off_failed": Sentence("nobody can take the call now; please call again; goodbye"),
    # the talk itself
    "are_you_there": Sentence("are you still there?"),
    "say_again": Sentence("sorry, please say that again"),
    "model_person": Sentence("the assistant has trouble; a person takes over"),
    "one_moment": Sentence("one moment please"),
    "line_back": Sentence("the line was interrupted and is back"),
    "language_changed": Sentence("from here on in this language"),
    "record_away": Sentence("nothing can be written down right now; say it again shortly", (), False),
    "record_lost": Sentence("still nothing can be written down, so the call cannot go on here", (), False),
    "goodbye": Sentence("goodbye"),
    "goodbye_silence": Sentence("nobody answers; goodbye"),
}
