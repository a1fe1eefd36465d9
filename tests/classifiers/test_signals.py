"""Short words that change what happens in a conversation, and the many that only look like them."""

from __future__ import annotations

import time

import pytest

from classifiers.signals import Signal, find_signal

STOP = [
    "STOP",
    "stop",
    "Stop.",
    "Stop!!",
    "please stop",
    "@alderfalls stop",
    "stop please",
    "Unsubscribe",
    "please unsubscribe me",
    "opt out",
    "Leave me alone",
    "no more replies",
    "no more messages please",
    "stop the bot",
    "stop replying to me",
    "Stop replying to my posts",
    "please stop responding to me",
    "STOP MESSAGING ME",
    "I didn't ask you. Stop replying.",
    "ok stop replying",
    "Don't reply to me again",
    "Do not contact me",
    "Never text me again",
    "I want you to stop replying to me",
    "quit tagging me",
    "Ugh, stop tagging us",
    "please take me off your list",
    "alto",
    "Baja",
    "deja de responder",
    "Deja de responderme",
    "dejen de escribirme por favor",
    "Ya no me escriban",
    "No me respondan más",
    "no me contactes",
    "por favor no me contesten",
    "Déjenme en paz",
    "quiero que dejen de escribirme",
    "no más mensajes",
    "@alderfalls ¡Ya no me etiqueten!",
    "Pare de escribirme",
]

NEVER_MIND = [
    "never mind",
    "@ann @alderfalls never mind, the pothole is filled already",
    "Never mind. My neighbor called and they are on the way",
    "olvídalo, ya vino la cuadrilla y taparon el bache",
    "Nevermind!",
    "nvm",
    "oh never mind, it's fixed",
    "Never mind, thanks",
    "never mind that",
    "it's fixed now",
    "It's been fixed, thank you!",
    "they fixed it this morning",
    "Someone already fixed it",
    "already fixed",
    "All fixed now, thanks!",
    "false alarm, sorry",
    "please disregard my last tweet",
    "Please cancel my request",
    "my mistake, sorry",
    "it's back on now",
    "power is back",
    "it's working again",
    "problem solved",
    "the city fixed it, thank you so much",
    "ok it was taken care of",
    "olvídalo",
    "Olvídelo, gracias",
    "ya lo arreglaron",
    "Ya lo arreglaron, muchas gracias",
    "ya quedó",
    "ya está arreglado",
    "falsa alarma, perdón",
    "Por fin lo arreglaron",
    "ya volvió la luz, gracias",
    "cancelen mi reporte",
    "no importa, ya se arregló",
]

STILL_NOT_FIXED = [
    "still not fixed",
    "It's still not fixed!",
    "it's not fixed",
    "It isn’t fixed",
    "this was never fixed, it wasn't fixed",
    "You closed it but it's still there",
    "thanks but it's still leaking",
    "Still broken",
    "no, still there",
    "Not fixed yet",
    "nobody came",
    "No one has come to look at it",
    "it hasn't been fixed",
    "it's still a problem",
    "Never mind, it's still not fixed",
    "it was not fixed",
    "It came back",
    "the light on Oak is still not repaired",
    "that is not actually fixed",
    "sigue igual",
    "Sigue ahí",
    "todavía no lo arreglan",
    "Aún no lo han arreglado",
    "no está arreglado",
    "no lo han arreglado",
    "nadie ha venido",
    "sigue sin arreglar",
    "Gracias pero sigue igual",
    "El bache sigue sin reparar",
    "no han venido",
]

THANKS = [
    "thanks",
    "Thank you!",
    "thx",
    "ty",
    "Thank you so much",
    "thanks for the quick response!",
    "Great, thanks 🙏",
    "ok thanks",
    "@alderfalls thank you very much for your help",
    "much appreciated",
    "I really appreciate it",
    "Thanks for letting me know",
    "Perfect, thank you",
    "gracias",
    "¡Muchas gracias!",
    "mil gracias por su ayuda",
    "Gracias por la respuesta",
    "ok gracias",
    "Excelente, muchas gracias",
]

NOTHING = [
    # stop
    "stop sign is down at Oak and 5th",
    "The stop sign",
    "the bus didn't stop",
    "please stop the noise",
    "Stop the construction at night!",
    "when will it stop",
    "stop ignoring us and fix the road",
    "bus stop is full of trash",
    "why did you stop replying to me?",
    "Why did the city stop responding to me",
    "you never reply to me",
    "they don't contact me back",
    "make them stop texting while driving",
    "how do I unsubscribe from water bill emails?",
    "can I opt out of yard waste pickup?",
    "stop it",
    "You hang up on me and never text me back",
    "they take my number and never contact me",
    "don't contact me about my neighbor's dog, contact him",
    "¿Por qué no me responden?",
    "no me contestan",
    "la señal de alto está caída",
    "falta el alto en Oak y 5th",
    "la parada del autobús",
    "Why don't you contact me",
    "please stop cars from speeding on Elm",
    "the water won't stop",
    "stop and frisk",
    "dejen de tirar basura",
    "baja presión de agua en mi casa",
    # never mind
    "never mind the rain, the drain on Elm is blocked",
    "Never mind the noise, when is the pool open?",
    "is it fixed now?",
    "it's fixed now?",
    "it's fixed now but the one on Elm is out",
    "never mind?",
    "glad they fixed it, now do Elm Street",
    "they fixed it badly",
    "please don't ignore this",
    "ignore",
    "cancel the fireworks",
    "no importa lo que digan, falta luz",
    "ya está inundada la calle",
    "they fixed the one on 5th",
    "when will it be fixed",
    "fix it",
    # still not fixed
    "if it's not fixed by Friday I will call",
    "is it still there?",
    "unless it's not fixed",
    "I am on a fixed income, it's not fixed income",
    "we are still here",
    "the pool is still open",
    "glad it's not still broken",
    "si no lo arreglan llamaré al alcalde",
    "still waiting",
    "the concert is still on",
    "sigue lloviendo",
    "todavía no llueve",
    "not fixed rate",
    # thanks
    "thanks for nothing",
    "Thanks Obama",
    "thank you for fixing the light but the other one is dark",
    "thanks, and the pothole?",
    "gracias por nada",
    "no thanks to the city my tire blew",
    "can someone thank the crew",
    "Thanks for the pothole on Oak",
    "ok",
    "great",
    "🙏",
    "",
    "   ",
    "@alderfalls",
    "yes",
    "https://alderfalls.example.gov",
]


@pytest.mark.parametrize("text", STOP)
def test_who_wants_no_replies_is_heard(text: str) -> None:
    assert find_signal(text) is Signal.STOP


@pytest.mark.parametrize("text", NEVER_MIND)
def test_who_takes_it_back_is_heard(text: str) -> None:
    assert find_signal(text) is Signal.NEVER_MIND


@pytest.mark.parametrize("text", STILL_NOT_FIXED)
def test_who_says_closed_is_not_fixed_is_heard(text: str) -> None:
    assert find_signal(text) is Signal.STILL_NOT_FIXED


@pytest.mark.parametrize("text", THANKS)
def test_a_bare_thanks_is_just_that(text: str) -> None:
    assert find_signal(text) is Signal.THANKS


@pytest.mark.parametrize("text", NOTHING)
def test_what_only_looks_like_a_signal_is_none(text: str) -> None:
    assert find_signal(text) is None


@pytest.mark.parametrize("text", [*STOP, *NEVER_MIND, *STILL_NOT_FIXED, *THANKS])
def test_case_and_handles_change_nothing(text: str) -> None:
    assert find_signal(f"@AlderFalls {text.upper()} 😡") is find_signal(text)


@pytest.mark.parametrize("piece", ["thanks ", "stop ", "still ", "it is ", "no lo ", "a", " ", "ok, "])
def test_a_long_post_takes_bounded_time(piece: str) -> None:
    before = time.thread_time()
    find_signal(piece * 20_000)

    assert time.thread_time() - before < 10
