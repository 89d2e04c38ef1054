"""The words by which a clause claims that money moved, and those that take the claim back; English and Spanish.

Pure data: patterns over text in lower case with its accents, put together by `claims`. `_any` makes an alternation of
words; a `_` in one stands for any space.
"""

from __future__ import annotations


def _any(*words: str) -> str:
    return f"(?:{'|'.join(word.replace('_', '[ ]+') for word in ' '.join(words).split())})"


def _patterns(*patterns: str) -> str:
    return "|".join(patterns)


# What makes a claim

ADVERBS = rf"""(?:{
    _any(
        "now just all already also then only fully completely successfully finally officially automatically safely",
        "indeed again ya bien correctamente ahora todo toda completamente finalmente por completo",
    )
} +)*"""

MONEY_MOVED = _any(  # what is done in a payment and by nothing else: whatever the subject is, it is a claim
    "paid charged debited pagad[oa]s? cobrad[oa]s? debitad[oa]s? saldad[oa]s? liquidad[oa]s?",
    "cobró cobraron cobré cobramos pagó pagaron pagué debitó debité debitaron descontó descontaron descontamos",
)
COMPLETED = _any(  # what is done to other things, too: a claim only where it is done to a payment
    r"approved accepted(?!\s+(?:cards?|payments?|methods?)\b) processed received completed? confirmed posted cleared",
    "succeeded successful success successfully done finished finali[sz]ed authori[sz]ed settled ended registered",
    "recorded captured transferred taken took collected deducted applied credited through worked got reflects?",
    "reflected marked submitted",
    "descontad[oa]s? aprobad[oa]s? aprobó aprobamos aceptad[oa]s? aceptó procesad[oa]s? procesé procesó procesamos",
    "recibid[oa]s? recibí recibió recibimos completad[oa]s? completó completé complet[oa] exitos[oa]s? exitosamente",
    "éxito realizad[oa]s? realizó realicé realizamos hech[oa]s? hizo hice hicimos pasó pasaron entró confirmad[oa]s?",
    "confirmó registrad[oa]s? registré registró aplicad[oa]s? apliqué aplicó aplicaron aplicamos acreditó",
    "acreditad[oa]s? autorizad[oa]s? autorizó transferid[oa]s? transfirió finalizad[oa]s? finalizó quedó llegó",
    "tomad[oa]s? tomé tomamos cargad[oa]s? cargó cargué cargaron cargamos efectuad[oa]s? efectuó concretó",
    "concretad[oa]s? ejecutad[oa]s? ejecutó tramitad[oa]s?",
)
SETTLED = _any(  # of those, what is a claim behind a bare “it” or “everything”
    "approved processed cleared succeeded successful authori[sz]ed settled through worked",
    "aprobad[oa]s? aprobó procesad[oa]s? cobrad[oa]s? autorizad[oa]s? exitos[oa]s?",
)

PAYMENT = _any(
    "payments? charges? transactions? purchases? money funds dollars? cents? usd visa mastercard amex",
    r"card(?!\s+(?:number|type|details|holder)) (?<!número\sde\ssu\s)(?<!número\sde\sla\s)tarjeta",
    "pagos? cobros? cargos? transacción transacciones operación compra dinero dólares dólar centavos importe monto",
    "bank processor banco procesador emisor",
)
CARD = _any("card visa mastercard amex")
BILL = _any("bills? balances? accounts? debt invoice facturas? saldo cuenta deuda")
BILL_SETTLED = _patterns(
    rf"\b{BILL}\b.*\b(?:settled|cleared|closed|zero|paid|taken care of|cero|cerrada|reflects?)\b",
    rf"\b(?:settled|settles|cleared|reflected|credited|marked|posted|marqué|marcado|acreditó)\b.*\b{BILL}\b",
)
IT = _any("it that this everything all eso todo esto")
BE = _any(
    "has have is was were are got been be went gone came come back did made_it",
    "fue ha sido está se quedó salió resultó ya",
)

CODE_NAME = _patterns(
    r"(?:confirmation|reference)(?: (?:code|number))?",
    r"(?:receipt|transaction|authori[sz]ation|approval|payment) (?:code|number|id)",
    r"(?:your|the|su|tu) (?:code|reference|código|referencia)(?= (?:is|es)\b)",
    r"(?:código|número) de (?:confirmación|referencia|recibo|autorización|transacción|aprobación)",
    r"confirmación|referencia|code|código",
)
CODE_NAME = f"(?:{CODE_NAME})"
_DIGITS = _any(
    "zero oh one two three four five six seven eight nine",
    "cero uno una dos tres cuatro cinco seis siete ocho nueve",
)
CODE = rf"(?:[\w-]*\d[\w-]*|(?:(?:\b[a-z]\b|{_DIGITS})[\s,.-]*){{3,}})"
HERE_IS = _any("here_is here's this_is that_is that's note write_down aquí_tiene aquí_está este_es esta_es anote")

OUTRIGHT = (  # whole sentences in which nobody else is meant
    rf"\b{HERE_IS} (?:your|the|su|tu|el|la) {CODE_NAME}",
    r"\b(?:sent|emailed|mailed|texted|envié|mandé|enviado|mandado|enviamos)\b.*\b(?:receipt|recibo)\b",
    r"\b(?:receipt|recibo)\b (?:(?:has|was|ya|fue|ha|been|sido|de su pago|for .*) )+(?:sent|emailed|enviado|mandado)\b",
    r"\b(?:thanks|thank you) (?:so much |very much )?for (?:(?:your|the) payment|paying)",
    r"\bgracias por (?:(?:su|el|tu) pago|pagar|haber pagado)",
    r"\bi can (?:now )?confirm (?:your|the) payment of\b|\b(?:have|got|tenemos) (?:your|su|tu) (?:money|dinero)\b",
    r"\bmoney is with us\b|\b(?:money|funds) (?:has |have |just )?left\b|\bpayment is (?:now )?in\b|\bdone paying\b",
    r"\bsalió bien\b.*\bpago\b|\bpago\b.*\b(?:está|quedó) (?:ya )?list[oa]\b|\bpago ya quedó\b",
    r"\bacab(?:a|o|amos) de (?:pagar|cobrar|aprobar|procesar|realizar|hacer)\b|\bpayment is (?:now )?all set\b",
    r"\b(?:showing|seeing|see|veo|tengo) (?:a|an|un|el) (?:\w+ )?(?:successful|completed|approved|pago|cobro)"
    r" ?(?:payment|charge|exitoso|aprobado|completado|realizado)",
    r"\bbalance is (?:now )?zero\b|\bsaldo (?:es|está en|quedó en) cero\b|\bsays success\b|\bcame off\b",
    rf"\b{CARD}\b.*\bbilled\b|\byou(?:'ve| have) (?:now )?been billed\b",
    r"\b(?:payment|charge|purchase)\b.*\b(?:was|has (?:already |now |just )?been|'s been|got) (?:now |just )?made\b",
    r"\b(?:i|we)(?:'ve| have)? (?:just |now )?made (?:the|your|that) payment\b",
    r"\b(?:was|were) able to (?:charge|take|process|collect|run|pay)\b",
    r"\b(?:pude|pudimos|logré|logramos) (?:cobrar|procesar|tomar|pagar|realizar|hacer)\b",
    rf"\b(?:i|we)(?:(?:'ve| have) (?:just )?run| (?:just )?ran)\b.*\b{CARD}\b|\bpasé (?:su|la|tu) (?:tarjeta|visa)\b",
)
REFUNDED = _patterns(
    r"\brefunded\b|\brefund\b.*\b(?:issued|processed|sent|made|approved|complete)\b",
    r"\breembols(?:ado|é|ó|amos|aron)\b|\breembolso\b.*\b(?:hecho|procesado|enviado|realizado|aprobado)\b",
    r"\b(?:devuelto|devolvimos|devolví)\b.*\bdinero\b",
)
CANCELLED = _patterns(
    r"\b(?:i|we)(?:'ve)? (?:have )?(?:just )?cancell?ed\b.*\b(?:payment|charge|it|that)\b",
    r"\b(?:payment|charge|transaction)\b (?:has been|is|was|is now|got) (?:now )?cancell?ed\b",
    r"\b(?:cancelé|cancelamos|he cancelado|hemos cancelado)\b.*\b(?:pago|cobro)\b",
    r"\b(?:pago|cobro)\b (?:ya )?(?:fue|ha sido|está|quedó) cancelad[oa]\b|\bse canceló (?:el|su) (?:pago|cobro)\b",
)
NOT_CHARGED = _patterns(
    r"\bnothing (?:was|has been|got) (?:charged|paid|taken)\b|\b(?:card|you)\b.*(?:\bnot|n't) (?:been )?charged\b",
    r"\bno se (?:le )?(?:cobró|ha cobrado)\b|\bpayment\b.*(?:\bfailed|(?:\bnot|n't) (?:go|gone) through)\b",
    r"\bpago\b (?:falló|no (?:pasó|se realizó|se hizo))\b",
)

# What takes a claim back

NOT = _any(
    "not never no nothing nobody none cannot without unable neither nor doubt false untrue fail(?:s|ed)?",
    "nunca jamás nada ning[uú]n ninguna ninguno nadie sin tampoco dudo imposible falso",
)
HARMLESS_NOT = _patterns(  # a no that denies nothing
    r"\bno (?:problems?|worries|trouble|longer|doubt|hay problema|se preocupe|te preocupes|sólo)\b",
    r"\b(?:do not|don't) worry\b|\bnot (?:to worry|only)\b|\bnothing (?:more|else)\b",
    r"\bwithout (?:any )?(?:problems?|trouble|issues?)\b|\bsin (?:duda|problemas?)\b",
)
IF = _any(
    r"if when whenever once(?!\s+(?:dólar|mil\b)) after until till before unless whether as_soon_as in_case provided",
    "assuming si cuando cuándo una_vez después en_cuanto tan_pronto hasta antes a_menos a_no_ser luego_de en_caso",
)
ONLY_IF = rf"\b(?:only|sólo|solo) {IF}\b|\b(?:until|unless|hasta|a menos)\b"
STILL_TO_COME = rf"""(?:(?<!\w)|(?=')){
    _any(
        "will 'll would 'd can could may might must should shall to won't gets? needs? let let's being",
        "será serán sería serían seré va_a van_a voy_a vamos_a puede pueden podrá podría podemos debe habrá habría",
        "haya hayan esté estén estará sea sean quedará quede para siendo",
    )
} +(?:{
    _any("be have been get not soon always really actually securely ser estar haber sido ya also now only just then")
} +)*"""
UNREAL = r"\bwish\b|'d (?:love|like) to (?:say|tell)\b|\bquisiera\b|\bojalá\b|\bme gustaría\b"
SAID_BY_CALLER = _patterns(
    rf"\byou (?:have |had |just )?{_any('say said told mention mentioned think thought believed? claim wrote')}\b",
    r"\byour (?:understanding|belief|impression)\b",
    r"\b(?:usted|tú) (?:me )?(?:dijo|dice|mencionó|menciona|cree|comentó)\b|\bme (?:dijo|dice|comentó)\b",
)
_OTHER_PAYERS = _any(  # whose paying or charging is not this call's
    "insurance insurer doctor clinic hospital someone somebody employer plan",
    "seguro aseguradora médico médica doctora clínica alguien",
)
OTHERS = rf"\b{_OTHER_PAYERS}(?: (?:company|else|has|have|may|might|already|also|just|más|ya|ha|le|lo|la))*\s*$"
PAST = _patterns(  # of other payments than this one
    r"\b(?:last|previous|prior) (?:month|time|week|year|call|visit|payment|charge)\b|\bin the past\b",
    r"\b(?:days?|weeks?|months?|years?) ago\b|\b(?:mes|año|vez|semana|pago|cargo) (?:pasad[oa]|anterior)\b",
    r"\b(?:antes|anteriormente)\b|\bhace (?:\w+ )?(?:días|semanas|meses|años)\b|\búltim[oa] (?:vez|pago|llamada)\b",
)
WHAT = r"\b(?:what|which|how|lo que|cómo|cuánto|cuál)(?: [\w']+){0,3}\s*$"
GET_IT_DONE = r"\bget\b[\w\s']*$"
ANY_ONE = r"\b(?:a|an|any|un|una|cada)\b(?: (?:pago|cobro|cargo))?\s*$"
ADJECTIVE = _patterns(
    r"^(?:completed|approved|confirmed|successful|settled|completado|aprobado|exitoso)"
    r" (?:payment|pago|charge|transaction|card)",
    r"^(?:completado|aprobado|exitoso|hecho) (?:salda|cierra|paga|termina)",
)

# How questions and clauses begin

FILLER = rf"""^(?:{
    _any(
        "and but so then well okay ok yes no sure great good thanks perfect alright all_right oh or because",
        "y pero bueno sí claro entonces perfecto bien muy o porque que",
    )
}\b[\s,]*)*"""
ASKS = rf"""{
    _any(
        "has have had did was were is are do does would should shall may can could will am isn't aren't hasn't haven't",
        "didn't wasn't don't doesn't",
    )
} (?:not )?{_any("you your the i we it that this there any anyone anything everything all my our")}\b"""
TAG = (
    "(?:right|okay|ok|yes|no|correct|see|alright|isn't it|didn't it|hasn't it|verdad|correcto|sí|vale|no es así|cierto)"
)

# How the words begin that decide a claim: from them on speech is held back until the clause is whole.
STEMS = tuple(
    " ".join(
        (
            "paid charged debited deduct approv accepted processed receive complete confirm post cleared succe done",
            "finish finali authori settle regist record captured transf taken took collected applied credited billed",
            "through went gone came got reflect marked submitted worked made left ended able ran run refund cancel",
            "receipt zero pagad cobra cobró cobré pagó pagué pagaron descont saldad liquid pude pudimos logré logramos",
            "pasé aprob acept procesa procesó procesé recib complet exito éxito realiz realic hech hizo hice pasó",
            "pasaron entró aplic apliqué acredit autoriz quedó queda llegó tomad tomé tomamos cargad cargó cargué",
            "acaba acabo cargaron cargamos efectu concre ejecut tramit reembols devuelt devolv cero salió debit",
        )
    ).split()
)
# What else a claim may be known by; no word of speech is held back for it alone.
HINTS = (
    *("thank", "gracias", "code", "código", "refer", "number", "número", "money", "dinero", "saldo", "balance"),
    *("pay", "pago", "acaba", "card", "visa"),
)
