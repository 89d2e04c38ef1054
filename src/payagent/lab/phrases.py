"""What callers want, by how they say it: expressions on plain text (lower case, no accents), English and Spanish.

Order does not matter here; `brain` says what goes before what.
"""

from __future__ import annotations

import re


def _any(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(alternatives))


SPANISH = _any(r"\bspanish\b", r"\bespanol\b", r"\bcastellano\b")
ENGLISH = _any(r"\benglish\b", r"\bingles\b")
SPEAKS_SPANISH = _any(
    r"\b(?:si|hola|quiero|pagar|factura|gracias|nombre|llamo|soy|naci|todo|mitad|adios|tarjeta|es|correcto|buenos"
    r"|buenas|usted|sus?|diga|que|los|una"
    r"|puede|puedo|seguro|por que|para que|cuanto|quien|esta|cancele|momento|espere|debo|claro)\b"
)
WHO = _any(
    r"\bare you (?:a |an )?(?:real |actual |human )?(?:person|human|agent)\b",
    r"\bis this (?:a |an )?(?:real )?(?:person|human)\b",
    r"\bam i (?:talking|speaking) (?:to|with) (?:a )?(?:real )?(?:person|human)\b",
    r"\bes (?:usted )?(?:una? )?(?:persona|humano)\b",
)
"""A question whether the agent is a person; it does not ask for one."""

PERSON = _any(
    r"\b(?:person|human|agent|representative|operator|somebody|someone|supervisor|manager|colleague|another way)\b",
    r"\b(?:persona|agente|operador\w*|alguien|companer\w+|encargad\w+)\b",
)
BYE = _any(
    r"that's (?:all|it|everything)\b(?! right)|\bthat (?:is|will be) all\b|\bno,? thank|\bnothing (?:else|more)\b",
    r"\b(?:good)?bye\b|\bi'm (?:done|good)\b|\bhang up\b",
    r"\b(?:pay|call|do it|do that)(?: (?:it|you))? (?:back )?later\b",
    r"\bnot (?:today|now)\b|\banother (?:time|day)\b",
    r"\beso es todo\b|\bnada mas\b|\bno,? gracias\b|\badios\b|\bhasta luego\b|\botro dia\b|\bmas tarde\b|\bhoy no\b",
)
CANCEL = _any(
    r"\bcancel|\bstop\b|\bnever ?mind\b|\bforget (?:it|about it)\b|\bdon't (?:charge|want to pay|do it)",
    r"\b(?:i've )?changed? my mind\b",
    r"\bno quiero\b|\bolvidel[oa]\b|\bcancel[ea]\b|\bpare\b|\bdetenga\b|\bdejemoslo\b|\bdejelo\b|\bcambie de idea\b",
)
OTHER_AMOUNT = _any(
    r"\b(?:different|another|change the|wrong) amount\b|\b(?:only|rather|just) pay\b",
    r"\b(?:dollars|bucks|half of it)\b",
    r"\b(?:otra cantidad|otro importe|cambiar la cantidad|solo pagar|dolares|la mitad)\b",
)
AGAIN = _any(
    r"\bagain\b|\brepeat\b|\bre-?enter\b|\bmis-?typed\b|\btyped\b|\bwrong (?:number|card|code|date|one|key)\b",
    r"\bmistakes?\b|\bstart over\b|\bmessed up\b|\bfix\b|\bcorrect the\b|\bi'm ready\b|\bready now\b|\bgot it now\b",
    r"\botra vez\b|\bde nuevo\b|\bme equivoque\b|\brepet|\bmal (?:el|la|mi)\b|\bcorregir\b|\bestoy list[oa]\b",
    r"\bya (?:la )?tengo\b",
)
REPEAT = _any(
    r"\brepeat\b|\bsay (?:that|it) again\b|\bonce more\b|\bcome again\b|\bwhat did you say\b|\bpardon\b",
    r"\bdidn't (?:hear|get|catch)",
    r"\brepet|\brepit|\botra vez\b|\bcomo dijo\b|\bno (?:le )?(?:oi|entendi)\b|\bde nuevo\b",
)
OPTIONS = _any(
    r"\boptions?\b|\bways? to pay\b|\bhow (?:can|do) i pay\b|\bhsa\b|\binstal?lments?\b|\bpayment plan\b",
    r"\bin parts\b",
    r"\b(?:what|which) (?:cards?|can i pay)\b",
    r"\bopciones\b|\bcomo (?:puedo|se puede) pagar\b|\ben partes\b|\ba plazos\b|\bque tarjetas?\b",
    r"\btoo (?:much|high)\b|\bcan't (?:pay|afford)\b|\bdemasiado\b|\bno puedo pagar\b",
)
OTHER_BILL = _any(
    r"\b(?:other|another|next|second|different) (?:\w+ )?bills?\b|\bother one\b|\bwhat (?:do|did) i owe\b",
    r"\bhow much (?:do|did) i owe\b|\bhow much is (?:it|that|the bill)\b|\bmy balance\b",
    r"\bany (?:other|more) bills?\b",
    r"\botras? facturas?\b|\bsiguiente factura\b|\bcuanto (?:debo|es)\b|\bmi saldo\b",
)
WHAT_FOR = _any(
    r"\bwhat(?:'s| is| was)? (?:it|that|this)(?: bill)? for\b|\bwhat for\b|\bwhich bill\b|\bwhat bill\b",
    r"\b(?:por que|de que) (?:concepto|es)\b|\bque factura\b|\bcual factura\b",
)
NAMED_BILL = re.compile(
    r"\b(?:the|my) (\w+(?: \w+)?) bill\b|\b(?:la |mi )?factura (?:de |del )(?:la )?(\w+(?: \w+)?)\b"
)
WHICH_BILL = frozenset(
    {"other", "another", "next", "second", "different", "first", "oldest", "whole", "full", "entire", "open", "same"}
    | {"right", "wrong", "total", "medical"}
)
ALL = _any(
    r"\ball of (?:it|that|this)\b|\bpay (?:it |that )?all\b|\bfull\b|\bin full\b|\beverything\b|\bwhole\b",
    r"\bentire\b|^all\b",
    r"\bit all\b|\bthe lot\b|\bpay (?:it|that|the bill) off\b|\bfull (?:amount|balance)\b|\bthe total\b",
    r"\btod[oa]\b|\btotal\b|\bcomplet[oa]\b|\benter[oa]\b",
)
LEAST = _any(r"\bminimum\b|\bthe least\b|\bsmallest\b|\blowest\b", r"\bminimo\b|\blo menos\b")
SHARES: tuple[tuple[re.Pattern[str], int, int], ...] = (
    (_any(r"\bthree quarters\b", r"\btres cuartos\b|\btres cuartas\b"), 3, 4),
    (_any(r"\btwo thirds\b", r"\bdos tercios\b|\bdos terceras\b"), 2, 3),
    (_any(r"\bhalf\b", r"\bmitad\b|\bmedio\b"), 1, 2),
    (_any(r"\b(?:a|one) third\b", r"\bun tercio\b|\btercera parte\b"), 1, 3),
    (_any(r"\b(?:a|one) quarter\b", r"\bun cuarto\b|\bcuarta parte\b"), 1, 4),
)
PERCENT = re.compile(
    r"\b(\d{1,2}) ?(?:%|percent|per cent|por ciento)|\b(\w+(?:[ -]\w+)?) (?:percent|per cent|por ciento)\b"
)
OTHER_CARD = _any(
    r"\b(?:another|different|other|new|second) (?:card|one)\b|\btry (?:again|it again|once more)\b",
    r"\botra tarjeta\b|\bde nuevo\b|\botra vez\b|\bintentar\w*\b",
)
YES = _any(
    r"\b(?:yes|yeah|yep|yup|correct|right|sure|okay|ok|go ahead|please do|do it|charge it|ready|alright|all right"
    r"|exactly"
    r"|of course|absolutely|definitely|sounds (?:good|about right)|fine|uh huh|agreed|i agree|that's it|go for it",
    r"perfect)\b",
    r"\b(?:si|claro|correcto|exacto|adelante|de acuerdo|cobrel[oa]|vale|esta bien|por supuesto|hagalo|perfecto"
    r"|eso es)\b",
)
NOT_YES = _any(
    r"\b(?:not|isn't|ain't|aren't|don't|doesn't|never|no es|no esta) (?:\w+ ){0,2}?(?:right|correct|sure|agree"
    r"|ready|fine|ok(?:ay)?"
    r"|correcto|bien|list[oa])\b"
)
UNSURE = _any(
    r"\bnot (?:quite |really |so )?sure\b|\bdon't know\b|\bno se\b|\bno estoy segur[oa]\b|\bmaybe\b|\bquizas?\b"
)
NO = _any(
    r"\b(?:no|nope|nah|not|wrong|isn't|incorrect\w*|don't|dispute|too (?:much|high)|impossible|mistaken)\b",
    r"\b(?:mal|equivocad[oa]|demasiado|nunca)\b",
)
NO_OFFENCE = _any(
    r"\bno (?:problem|worries|rush|idea|way around it|doubt|wait|sorry)\b|\bwhy not\b",
    r"\bno,? (?:wait|sorry|i mean|actually|yes)\b",
    r"\b(?:not|nothing) wrong\b|\bi don't (?:know|see why not|mind)\b|\bno hay (?:problema|duda)\b|\bcomo no\b",
    r"\bno,? (?:perdon|espere|si)\b",
)
"""Words that hold a no and mean none."""

HOLD = _any(
    r"\bwait\b|\bmoment\b|\bhold on\b|\bhang on\b|\bsec(?:ond)?\b(?! bill| one| card)|\bminute\b",
    r"\bnot (?:yet|ready)\b|\bone sec\b",
    r"\b(?:car|wallet|purse|find(?:ing)?|look(?:ing)? for|get(?:ting)? (?:it|my card)|fetch)\b",
    r"\besper[ae]\b|\bmomento\b|\bbusc\w+\b|\btodavia no\b|\baun no\b|\bcoche\b|\bcartera\b|\bun segundo\b",
)
ASKS = _any(
    r"\?|\b(?:why|what|how|where|when|who|is it|are you|can you|could you|do you|does)\b",
    r"\b(?:por que|para que|que|como|donde|cuando|quien|cual|puede|es segur[oa])\b",
)
OWE = re.compile(r"\bowes?\b|\bbalance\b|\bdebe\b|\bsaldo\b|\ball of it\b|\bel total\b")

CAPTURES = {
    "capture_postal_code": r"postal|\bzip\b",
    "capture_expiration_date": r"expir|expiry|\bdate\b|\bmonth\b|\byear\b|vencimiento|fecha|caduc",
    "capture_security_code": r"security|\bcode\b|cvv|cvc|codigo",
    "capture_payment_card_number": r"card|number|tarjeta|numero",
}
"""Which field a caller means who wants to key it in again, the particular before the general."""

PAYS = _any(r"\bpay(?:ing)?\b|\bbills?\b|\bpayment\b|\baccount\b", r"\bpagar\b|\bpago\b|\bfacturas?\b|\bcuenta\b")
"""What nearly everybody says first: they are in the right place."""
