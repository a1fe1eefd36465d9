"""What a resident in a conversation tells us in a few words: stop, never mind, still not fixed, thanks.

It acts on people, so it would rather miss one than be wrong: "stop", "never mind" and thanks must be all that a post
says, or a request to stop must open a clause. "The stop sign is down" is none of these. A person reads the rest.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum


class Signal(StrEnum):
    """What the words mean for the conversation."""

    STOP = "stop"  # wants no replies
    NEVER_MIND = "never_mind"  # the trouble is gone, or was none
    STILL_NOT_FIXED = "still_not_fixed"  # we said closed; the resident says otherwise
    THANKS = "thanks"  # thanks and nothing else


def find_signal(text: str) -> Signal | None:
    """The signal that a post gives, or None: staff and the classifier read it as any other."""
    words = _plain(text)
    if _is_stop(words):
        return Signal.STOP
    if _STILL.search(words) and not _SUPPOSED.search(words):
        return Signal.STILL_NOT_FIXED
    if "?" in words or not words:
        return None
    if _LEADING.match(words) and not _BUT.search(words):
        return Signal.NEVER_MIND
    return _small_talk(words)


def _plain(text: str) -> str:
    """Lower case without accents, handles, links and emoji; punctuation that parts clauses stays as it is."""
    text = re.sub(r"https?://\S+|[@＠][\w.@-]+", " ", text[:2000])
    text = unicodedata.normalize("NFKD", text.replace("’", "'")).casefold()
    text = "".join(c for c in text if c != "'" and not unicodedata.combining(c))
    text = re.sub(r"[^\w .,;:!?]", " ", text)
    return " ".join(text.split()).strip(" .,;:!")


# Stop

#: A whole post: the words of the phone companies' opt-out, and what people write for it.
_STOP_WHOLE = re.compile(
    r"(?:please |pls |plz |por favor |ok |just )?(?:"
    r"stop|unsubscribe(?: me)?|opt(?: me)? out|leave me alone|quit|end|no more (?:replies|messages|tweets"
    r"|comments|dms)"
    r"|(?:stop|quit|end) (?:all )?(?:replies|messages|tweets|dms|notifications)|stop (?:this |the )?bot"
    r"|alto|parar|para(?: ya)?|baja|darme de baja|cancelar suscripcion|no mas (?:mensajes|respuestas)"
    r"|dejenme en paz|dejame en paz"
    r"|(?:deja|deje|dejen) de (?:responder|contestar|escribir|molestar)|ya no (?:respondan|contesten|escriban)"
    r")(?: please| pls| now| ya| por favor| thanks| thank you| gracias)?"
)
#: A clause of its own, or what a wish opens: "why did you stop replying to me" asks for the opposite.
_OPENS = (
    r"(?:^|[.!;:,] ?|\b(?:please|pls|plz|ok|okay|and|so|just|now|i want you to|i need you to|i asked you to"
    r"|por favor|favor de|ya|y|pido que|quiero que|pedi que) )"
)
_TO_ME = r"(?: (?:to |at |on |under )?(?:me|us|my (?:posts?|tweets?|comments?|account|dms)))"
_STOP_CLAUSE = re.compile(
    _OPENS + r"(?:"
    rf"(?:stop|quit) (?:replying|responding|answering|writing|commenting|tweeting){_TO_ME}\b"
    r"|(?:stop|quit) (?:messaging|texting|contacting|tagging|dming|bothering|harassing|spamming) (?:me|us)\b"
    rf"|(?:do not|dont) (?:ever )?(?:reply|respond|write|comment){_TO_ME}\b"
    r"|(?:do not|dont) (?:ever )?(?:message|text|contact|tag|dm|answer) (?:me|us)\b(?! for| about)"
    # "You hang up and never answer me" is a grievance; with "again" it is a wish.
    rf"|never (?:ever )?(?:reply|respond|write|message|text|contact|tag|dm){_TO_ME} again\b"
    r"|(?:stop|quit) (?:replying|responding)$"
    r"|unsubscribe me\b|take me off (?:your|this|the) list\b"
    r"|(?:deja|deje|dejen|paren|pare) de (?:responderme|contestarme|escribirme|contactarme|etiquetarme|mandarme"
    r"|enviarme"
    r"|mencionarme)\b"
    r"|no (?:me|nos) (?:respondan?|respondas|contesten?|contestes|escriban?|escribas|contacten?|contactes|etiqueten?"
    r"|etiquetes|manden mas|envien mas)\b"
    r")"
)
_ASKED = re.compile(
    r"\b(?:why|did|does|por que|porque|cuando)\b[^.!;]{0,30}\b(?:stop|quit|no (?:me|nos)|deja|dejen|dont|do not"
    r"|never)\b"
)


def _is_stop(words: str) -> bool:
    if _STOP_WHOLE.fullmatch(words):
        return True
    return bool(_STOP_CLAUSE.search(words)) and not _ASKED.search(words)


# Still not fixed

_BROKEN = (
    r"(?:broken|there|out|dark|leaking|flooded|flooding|clogged|blocked|missing|overflowing|happening|an issue"
    r"|a problem"
    r"|a mess|not (?:working|done|repaired|picked up|resolved|gone|there|on|cleaned up)|down|the same|dangerous)"
)
_STILL = re.compile(
    r"\bstill (?:not|isnt|hasnt been|havent been|has not been|aint|wasnt) (?:been )?(?:fixed|repaired|resolved"
    r"|done|picked up|cleaned)"
    r"|\b(?:its|it is|thats|that is|this is|this|it|theyre|they are) still " + _BROKEN + r"\b"
    r"|^(?:no|nope|but|sorry|well)?,? ?still " + _BROKEN + r"$"
    r"|\b(?:its|it is|this is|thats|that is|it was|it) (?:not|wasnt|isnt|hasnt been|has not been|never got"
    r"|was never|never was)"
    r" (?:been |actually |really )?(?:fixed|repaired|resolved)\b(?! income| rate)"
    r"|\b(?:this|it|that) (?:isnt|wasnt|hasnt been|aint) (?:actually |really )?(?:fixed|repaired|resolved)\b"
    r"|^(?:no,? )?not (?:actually |really )?(?:fixed|repaired|resolved)(?: yet| at all)?$"
    r"|\b(?:nobody|no one|noone) (?:ever )?(?:came|has come|showed up|fixed it|has fixed)\b"
    r"|\b(?:came|its|it is|is) back again\b|\bit came back\b"
    r"|\bsigue (?:igual|ahi|roto|rota|sin (?:arregl|repar|luz|funcion|servir)\w*|tapad[oa]|apagad[oa]|fugando"
    r"|dañad[oa]|danad[oa]|mal)\b"
    r"|\b(?:todavia|aun|sigue|siguen) (?:no|sin) (?:lo |la |los |las |se |ha |han |esta |estan |ha sido |han sido )*"
    r"(?:arregl|repar|resuel|solucion|compuest|compon)\w*"
    r"|\bno (?:esta|estaba|quedo|ha sido) (?:arreglad|reparad|resuelt|solucionad)[oa]\b"
    r"|\bno (?:lo|la|los|las) (?:han |ha )?(?:arregl|repar|compu)\w*"
    r"|\bnadie (?:ha venido|vino|lo ha arreglado|lo arreglo|lo ha reparado)\b|\bno (?:ha|han) venido\b"
)
#: "If it's not fixed by Friday", "is it still there?": no word on how it is now.
_SUPPOSED = re.compile(
    r"\b(?:if|unless|until|when|whether|in case|glad|good thing) (?:[a-z]+ ){0,3}(?:not|isnt|still|nobody|no one"
    r"|hasnt|wasnt)\b"
    r"|\b(?:is|are|was) (?:it|that|this|they) still\b|\bstill [a-z ]{1,20} or (?:not|is it|has it)\b"
    r"|\bsi (?:[a-z]+ ){0,2}(?:no|sigue|nadie|todavia|aun)\b|\bhasta que\b"
)

# Never mind, and thanks: posts made of nothing but these phrases

_NEVER_MIND = (
    r"never ?mind(?: that| this| me| my last (?:post|tweet|message|comment))?|nvm|false alarm|scratch that"
    r"|(?:please )?(?:disregard$|(?:disregard|ignore) (?:this|that|it|my (?:last |previous |earlier )?(?:post"
    r"|tweet|message|report|comment)))"
    r"|(?:please )?cancel (?:it|this|that|my (?:request|report))"
    r"|(?:its|it is|it was|it has been|its been|looks like its|it got|this is|this was|thats|already|all|got it"
    r"|problem|issue)"
    r"(?: (?:all|already|just|now|been|finally|is|was))* (?:fixed|repaired|resolved|solved|taken care of"
    r"|sorted(?: out)?|gone)"
    r"(?: (?:now|already|today|this morning|last night|yesterday))?"
    r"|(?:they|someone|somebody|the city|a crew|the crew|you guys|you|crew|crews) (?:(?:already|just|finally"
    r"|came and|came out and|have|has) )*"
    r"(?:fixed|repaired) (?:it|this|that)(?: (?:now|already|today|this morning|last night|yesterday))?"
    r"|(?:its|it is|power is|lights are|the light is|light is|the lights are|water is|power) (?:back(?: on)?|on"
    r"|working)(?: now| again){0,2}"
    r"|i (?:found it|figured it out|got it|was wrong|was mistaken)|my (?:mistake|bad)|all good(?: now)?"
    r"|no longer (?:a problem|an issue|needed)"
    r"|olvidalo|olvidelo|olvidenlo|no importa|ya no importa|falsa alarma|ignoren? (?:esto|mi mensaje|mi reporte)"
    r"|(?:ya|por fin|al fin)(?: por fin)? (?:lo|la|los|las|se) (?:arreglaron|arreglo|repararon|reparo|resolvieron"
    r"|resolvio|soluciono|compusieron)"
    r"|ya (?:esta|quedo|fue) (?:arreglad|reparad|resuelt|solucionad|list)[oa]|ya quedo|ya esta|ya (?:regreso"
    r"|volvio) (?:la luz|el agua)"
    r"|ya no hace falta|ya no es necesario|cancelen (?:mi )?(?:solicitud|reporte)|me equivoque"
)
_THANKS = (
    r"(?:many |big |ok |okay |great |awesome |perfect )?thanks?(?: you| u)?(?: so much| very much| a lot| a bunch"
    r"| again| everyone| guys| all| yall)?"
    r"|thx|ty|tysm|thank you(?: all)?(?: so much| very much)?|much appreciated|(?:i "
    r"|we )?(?:really )?appreciate (?:it|that|you|the help|your help)"
    r"|(?:for|on) (?:the|your|this|such a|all your|all the) (?:very )?(?:quick |fast |prompt |speedy )?"
    r"(?:reply|response|help|update|info|information|answer|work|service|assistance|attention|hard work|follow up"
    r"|followup)"
    r"|for (?:letting me know|getting back to me|responding|replying|your time|fixing (?:it|this|that)|the heads up)"
    r"|(?:muchas |muchisimas |mil |ok )?gracias(?: a todos| de nuevo| otra vez)?|(?:se )?(?:le )?agradezco"
    r"|agradecid[oa]|se agradece|muy amables?"
    r"|por (?:la|su|tu|el|responder|contestar|avisar|todo)(?: (?:respuesta|ayuda|atencion|apoyo|informacion|aviso"
    r"|tiempo|rapida respuesta))?"
)
_FILLER = (
    r"oh|ok|okay|ah|hey|hi|sorry|wow|great|awesome|perfect|cool|nice|good|thats|anyway|actually|and|just saw|yay"
    r"|so|yes|no|but"
    r"|perfecto|genial|excelente|bueno|bien|si|y|disculpen?|perdon|pero|ay|hola"
)
_WORD = re.compile(rf"(?:(?P<never_mind>{_NEVER_MIND})|(?P<thanks>{_THANKS})|(?:{_FILLER}))(?= |[.,;:!]|$)[ .,;:!]*")


#: "Never mind" as a clause of its own at the head of a post: what follows says why. It only holds a draft for a person,
#: so here a miss costs more than a false hit; "never mind the rain, the drain is blocked" has no pause and is none.
_LEADING = re.compile(
    r"(?:(?:ok|okay|oh|hey|hi|hello|sorry|actually|update|edit|wait|ah|ay|bueno|perdon|disculpen?)[ ,.;:!]+)*"
    r"(?:never ?mind(?: that| this| it| me)?|nvm|false alarm|scratch that|olvidalo|olvidelo|olvidenlo|ya no importa"
    r"|no importa|falsa alarma)(?: (?:everyone|folks|all|gracias|thanks))?(?=[,.;:!]|$)"
)
_BUT = re.compile(r"\b(?:but|still|except|although|pero|todavia|aunque|sigue)\b")


def _small_talk(words: str) -> Signal | None:
    """Reads a post phrase by phrase; one phrase that is neither, and it means more than this."""
    seen: set[str | None] = set()
    position = 0
    while position < len(words):
        phrase = _WORD.match(words, position)
        if phrase is None:
            return None
        seen.add(phrase.lastgroup)
        position = phrase.end()
    if "never_mind" in seen:
        return Signal.NEVER_MIND
    return Signal.THANKS if "thanks" in seen else None
