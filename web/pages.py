"""Rendering: one strict environment, the words that pages share, and what a POST answers with."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_timedelta
from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

import templates
from pipeline.alarms import hours_and_minutes
from store.audit import sha
from store.types import now
from web import words

STATIC = Path(__file__).parent / "static"
#: How much of a long post stands open, characters and lines.
SHOWN_AT_ONCE, LINES_AT_ONCE = 900, 18
_PLAIN = str.maketrans("", "", "\n\t\r\u00a0")


def page(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A whole page, or a piece of one. Never stored by a browser: the next person at the desk may be another."""
    body = rendered(request, template, **context)
    return HTMLResponse(body, status_code=status, headers={"Cache-Control": "no-store", "Vary": "HX-Request"})


def rendered(request: Request, template: str, **context: Any) -> str:
    """The text of a page or a piece."""
    settings = request.app.state.deployment.settings
    shared = {"city": settings.city, "zone": settings.zone, "htmx": is_htmx(request), "now": now(), "lang": "en"}
    return _environment().get_template(template).render(shared | {"path": request.url.path} | context)


def changed(request: Request, piece: str, back_to: str, *, status: int = 200, **context: Any) -> Response:
    """After a POST: the piece that changed, or the whole page again for a browser without JavaScript."""
    if is_htmx(request):
        return page(request, piece, status=status, **context)
    return RedirectResponse(back_to, status_code=303)


def is_htmx(request: Request) -> bool:
    """Whether a piece is asked for; a boosted link, or the way back, asks for a whole page."""
    whole = {"HX-Boosted", "HX-History-Restore-Request"}
    return "HX-Request" in request.headers and not any(name in request.headers for name in whole)


@cache
def _environment() -> Environment:
    made = templates.html()
    made.filters |= {
        "when": when,
        "day": day,
        "age": age,
        "lasting": lasting,
        "visible": visible,
        "fold": fold,
        "percent": lambda value: f"{value:.0%}",
        "plain_day": lambda date: format_date(date, "long", locale="en"),
        "word": words.word,
        "ticket_word": words.ticket_word,
        "scope_word": words.scope_word,
        "changes": changes,
        "web_only": web_only,
    }
    made.globals |= {"static": static}
    return made


@cache
def static(path: str) -> str:
    """The address of a served file, with a mark of its content, so that no browser keeps an old one."""
    return f"/static/{path}?v={sha((STATIC / path).read_text('utf-8', 'replace'))[:10]}"


def _local(context: Context, moment: datetime) -> datetime:
    zone: ZoneInfo = context["zone"]
    return moment.astimezone(zone)


def _time(context: Context, moment: datetime, text: str) -> Markup:
    local = _local(context, moment)
    exact = format_datetime(local, "EEEE, MMMM d, y, h:mm:ss a zzz", locale="en")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(local.isoformat(timespec="seconds"), exact, text)


@pass_context
def when(context: Context, moment: datetime) -> Markup:
    """A moment in the city's zone, short; the exact one in its title."""
    local = _local(context, moment)
    today = local.date() == _local(context, context["now"]).date()
    return _time(context, moment, format_datetime(local, "h:mm a" if today else "MMM d, h:mm a", locale="en"))


@pass_context
def age(context: Context, moment: datetime) -> Markup:
    """How long ago, or in how long; in words."""
    gone = context["now"] - moment
    if abs(gone.total_seconds()) < 60:
        text = "just now" if gone.total_seconds() >= 0 else "in less than a minute"
    else:
        span = format_timedelta(abs(gone), threshold=1.2, locale="en")
        text = f"{span} ago" if gone.total_seconds() > 0 else f"in {span}"
    return _time(context, moment, text)


@pass_context
def lasting(context: Context, moment: datetime) -> Markup:
    """How long ago in hours and minutes, where minutes count."""
    gone = context["now"] - moment
    return _time(context, moment, f"{hours_and_minutes(gone)} ago" if gone.total_seconds() >= 60 else "just now")


@pass_context
def day(context: Context, moment: datetime) -> str:
    """A day in the city's zone, in the page's language."""
    return format_date(_local(context, moment).date(), "long", locale=context["lang"])


def visible(text: str) -> Markup:
    """A resident's words with what hides in them made visible: directions, zero-width and control characters."""
    if text.translate(_PLAIN).isprintable():  # nothing hides in most posts, and some are long
        return escape(text)
    return Markup("").join(_marked(text))


def fold(text: str) -> tuple[str, str]:
    """The beginning of a long text, and the rest of it; nothing for a rest that is not worth a click."""
    lines = text.splitlines(keepends=True)
    end = min(SHOWN_AT_ONCE, len("".join(lines[:LINES_AT_ONCE])))
    if len(text) - end < SHOWN_AT_ONCE // 4 and len(lines) <= LINES_AT_ONCE + 5:
        return text, ""
    space = text.rfind(" ", end - 80, end)
    cut = space + 1 if space > 0 and end == SHOWN_AT_ONCE else end
    return text[:cut], text[cut:]


def _marked(text: str) -> Iterator[Markup]:
    for place, char in enumerate(text):
        if not _hides(text, place):
            yield escape(char)
            continue
        name = unicodedata.name(char, "control character")
        mark = '<span class="hk-hidden-char" title="hidden character: {}">U+{:04X}</span>'
        yield Markup(mark).format(name.lower(), ord(char))


def _hides(text: str, place: int) -> bool:
    char = text[place]
    if unicodedata.category(char) not in {"Cf", "Cc", "Co", "Zl", "Zp"} or char in "\n\t\r":
        return False
    before = text[place - 1] if place else ""
    joins_emoji = char == "\u200d" and before != "" and unicodedata.category(before) in {"So", "Sk", "Mn"}
    in_flag = 0xE0020 <= ord(char) <= 0xE007F and "\U0001f3f4" in text[max(0, place - 8) : place]
    return not (joins_emoji or in_flag)


def web_only(url: str) -> str:
    """A link that a platform gave us, if it leads to the web; else nowhere."""
    return url if url.startswith(("https://", "http://")) else "#"


def changes(was: str, now_is: str) -> Markup:
    """What differs between two texts, word by word, as ``del`` and ``ins``."""
    old, new = was.split(), now_is.split()
    pieces: list[Markup] = []
    for how, a, b, c, d in difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if how == "equal":
            pieces.append(escape(" ".join(old[a:b])))
            continue
        if a < b:
            pieces.append(Markup("<del>{}</del>").format(" ".join(old[a:b])))
        if c < d:
            pieces.append(Markup("<ins>{}</ins>").format(" ".join(new[c:d])))
    return Markup(" ").join(pieces)


def error_page(request: Request, *, status: int, message: str) -> Response:
    """An error for people. HTMX gets an alert on top of the page, so that what was typed stays."""
    text = message[:1].upper() + message[1:]
    if is_htmx(request):
        answer = page(request, "console/_error.html", status=status, message=text)
        answer.headers["HX-Retarget"], answer.headers["HX-Reswap"] = "#main", "afterbegin"
        return answer
    return page(request, "console/error.html", status=status, title=HTTPStatus(status).phrase, message=text)
