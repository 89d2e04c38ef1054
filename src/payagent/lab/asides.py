"""What the scripted model says: answers to questions aside, and what it asks for in each situation.

Nothing here names an amount or an outcome: those are the app's fixed sentences. English and Spanish, in this order.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

Said = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Aside:
    """What is asked (plain text), what is answered, and the tools of which one must be open for it; none is any."""

    asked: str
    answer: Said
    near: frozenset[str] = frozenset()


_CARD = frozenset(
    {"capture_payment_card_number", "capture_expiration_date", "capture_security_code", "capture_postal_code"}
)

ASIDES: tuple[Aside, ...] = (
    Aside(
        r"\bignore (?:all |your |the |my )*(?:previous |earlier )?(?:instructions|rules)\b"
        r"|\bsay (?:that )?i(?:'ve| have)? paid\b"
        r"|\bpretend\b|\bsystem prompt\b|\b(?:mark|verify) (?:me|it|this) as\b|\bwithout (?:verif|check)\w*"
        r"|\bignor[ae] (?:sus|tus|las) (?:instrucciones|reglas)\b|\bdiga que (?:ya )?pague\b",
        ("I can't do that, I'm sorry.", "Eso no lo puedo hacer, lo siento."),
    ),
    Aside(
        r"\bwho (?:are|is) (?:you|this|that)\b|\bam i (?:talking|speaking)\b|\byour name\b|\bwhat are you\b"
        r"|\b(?:are you|is this) (?:a |an )?(?:real|robot|bot|machine|human|person|computer|ai|recording|automated)\b"
        r"|\bquien (?:es|habla|eres)\b|\bcomo se llama\b"
        r"|\bes (?:usted )?(?:un|una) (?:robot|maquina|persona|humano)\b",
        (
            "I'm the automated assistant of the billing line.",
            "Soy el asistente automático de la línea de facturación.",
        ),
    ),
    Aside(
        r"\bsafe\b|\bsecur(?:e|ity of)\b|\btrust\b|\bscam\b|\bfraud\b|\blegit\w*\b|\bprivacy\b|\bhack\w*"
        r"|\bes segur[oa]\b|\bsegur[oa] esto\b|\bconfia\w*\b|\bestafa\b|\bfraude\b",
        (
            "Yes. Your card goes from your keypad straight to the payment service, and I never see it.",
            "Sí. Su tarjeta pasa de su teclado directamente al servicio de pago, y yo nunca la veo.",
        ),
    ),
    Aside(
        r"\b(?:why|what for)\b.*\b(?:birth\w*|born|dob|name|who i am|identity|identif\w+)\b"
        r"|\b(?:por que|para que)\b.*\b(?:nacimiento|naci|nombre|identidad|quien soy)\b",
        (
            "They tell me that I'm talking to the right person, and keep your account private.",
            "Así sé que hablo con la persona correcta, y su cuenta queda protegida.",
        ),
    ),
    Aside(
        r"\bwhere\b.*\b(?:code|cvv|cvc|digits)\b|\bwhat(?:'s| is)\b.*\b(?:security code|cvv|cvc)\b"
        r"|\bdonde\b.*\bcodigo\b|\bque es\b.*\bcodigo\b|\bcual\b.*\bcodigo\b",
        (
            "It is the three digits on the back of the card; American Express has four on the front.",
            "Son los tres dígitos al dorso de la tarjeta; American Express tiene cuatro al frente.",
        ),
    ),
    Aside(
        r"\b(?:what|where|which)\b.*\b(?:pound|hash|number sign|key)\b"
        r"|\b(?:que|cual|donde)\b.*\b(?:numeral|almohadilla|tecla)\b",
        (
            "The pound key is at the bottom right of your keypad.",
            "La tecla numeral está abajo a la derecha de su teclado.",
        ),
    ),
    Aside(
        r"\b(?:do you|can i|you) (?:take|accept|use|pay with)\b|\bvisa\b|\bmaster ?card\b|\bamex\b"
        r"|\bamerican express\b"
        r"|\baceptan?\b",
        ("Visa, Mastercard and American Express are fine.", "Visa, Mastercard y American Express sirven."),
    ),
    Aside(
        r"\b(?:why|what for|do you need)\b.*\b(?:card|keypad|code|number|that|this|it|zip|postal|expir\w*)\b|\bwhy\b"
        r"|\b(?:por que|para que)\b",
        (
            "The payment service needs it, and by keypad nobody hears it, not even me.",
            "El servicio de pago lo necesita, y por el teclado nadie lo oye, ni siquiera yo.",
        ),
        _CARD,
    ),
    Aside(
        r"\bwhy\b|\bpor que\b|\bpara que\b",
        (
            "They tell me that I'm talking to the right person, and keep your account private.",
            "Así sé que hablo con la persona correcta, y su cuenta queda protegida.",
        ),
        frozenset({"verify_user"}),
    ),
    Aside(
        r"\bwhy\b|\bexplain\b|\bwhat(?:'s| is)\b|\bpor que\b|\bexpli\w+\b",
        ("A colleague can go through the bill with you, if you like.", "Un colega puede revisar la factura con usted."),
        frozenset({"confirm_balance"}),
    ),
    Aside(
        r"\bhow long\b|\btake long\b|\bhurry\b|\bcuanto (?:tarda|tiempo|dura)\b|\bprisa\b",
        ("It takes a minute or two.", "Son uno o dos minutos."),
    ),
    Aside(
        r"\brecord(?:ed|ing|s)?\b|\blisten(?:s|ing)?\b|\bgraba\w*\b|\bescucha\w*\b",
        (
            "What we say is noted for this call; what you key in is not.",
            "Lo que decimos se anota para esta llamada; lo que usted marca, no.",
        ),
    ),
    Aside(
        r"\bare you (?:still )?there\b|\bcan you hear\b|\bhello\?|\bsigue ahi\b|\bme (?:oye|escucha)\b",
        ("Yes, I'm here, and I can hear you.", "Sí, aquí estoy, y le oigo."),
    ),
    Aside(
        r"\bhow are you\b|\bhow's it going\b|\bcomo esta\b(?! mi)|\bque tal\b",
        ("I'm well, thank you.", "Muy bien, gracias."),
    ),
    Aside(r"\bthank|\bgracias\b", ("You're welcome.", "Con gusto.")),
    Aside(
        r"^(?:hello|hi|hey|good (?:morning|afternoon|evening)|hola|buen[oa]s)\b",
        ("Hello!", "¡Hola!"),
    ),
    Aside(
        r"\bsorry\b|\bperdon\b|\bdisculp\w+\b",
        ("No problem.", "No hay problema."),
    ),
    Aside(
        r"\bhelp\b|\bwhat (?:can|do|should) i (?:do|say)\b|\bhow does (?:this|it) work\b|\bayud\w+\b|\bque hago\b"
        r"|\bcomo funciona\b",
        ("I'll guide you step by step.", "Le guío paso a paso."),
    ),
)
"""The first that matches answers; what is asked for now follows it."""

TIME: Said = ("Of course, take your time.", "Claro, tómese su tiempo.")
NOT_UNDERSTOOD: Said = ("I'm sorry, I didn't understand that.", "Lo siento, no le entendí.")
NAME_MISSING: Said = ("Thank you. And your full name, please?", "Gracias. ¿Y su nombre completo?")
DATE_MISSING: Said = ("Thank you. And your date of birth, please?", "Gracias. ¿Y su fecha de nacimiento?")
WHICH_FIELD: Said = (
    "Which one: the card number, the expiration date or the security code?",
    "¿Cuál: el número, la fecha de vencimiento o el código de seguridad?",
)
PUT_OFF: Said = ("Let me get that ready for you.", "Lo preparo enseguida.")

_KEYPAD: Said = ("Use the keypad when you are ready.", "Use el teclado cuando quiera.")

PROMPTS: tuple[tuple[str, Said], ...] = (
    (
        "verify_user",
        ("I need your full name and date of birth, please.", "Necesito su nombre y su fecha de nacimiento."),
    ),
    ("confirm_balance", ("Please tell me whether that is right.", "Dígame por favor si es correcto.")),
    ("complete_payment_processing", ("Just tell me when I may go ahead.", "Dígame cuando pueda continuar.")),
    ("start_payment", ("Would you like to pay all of it, or a part?", "¿Desea pagar todo o una parte?")),
    ("capture_payment_card_number", _KEYPAD),
    ("capture_expiration_date", _KEYPAD),
    ("capture_security_code", _KEYPAD),
    ("capture_postal_code", _KEYPAD),
    ("check_pending_bill", ("How else may I help you?", "¿En qué más puedo ayudarle?")),
    ("", ("One moment, please.", "Un momento, por favor.")),
)
"""The first of these tools that is offered says what is asked for now."""


def answer(words: str, offered: Collection[str]) -> Said | None:
    """What to say to a question aside; `words` are plain, `offered` the tools open now."""
    near = (aside for aside in ASIDES if not aside.near or aside.near & set(offered))
    return next((aside.answer for aside in near if re.search(aside.asked, words)), None)


def prompt(offered: Collection[str]) -> Said:
    """What is asked for now."""
    return next(said for tool, said in PROMPTS if tool in offered or not tool)


def waits_for_words(offered: Collection[str]) -> bool:
    """Whether the caller's words can move anything now."""
    return any(tool in offered for tool, _ in PROMPTS if tool)
