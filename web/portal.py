"""The residents' pages: what this is, and how one request stands. Nothing personal, nothing to do but read."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from pipeline.deployment import Deployment
from store.desk import requests
from store.refusals import Missing
from web.deps import Deployed
from web.pages import page
from web.portal_words import WORDS

router = APIRouter()


@router.get("/")
def about(request: Request, d: Deployed, lang: str = "") -> Response:
    """What this is."""
    return _page(request, d, "about.html", lang)


@router.get("/r/{token}")
def receipt(request: Request, d: Deployed, token: str, lang: str = "") -> Response:
    """How one request stands."""
    try:
        with d.store.reading() as session:
            found = requests.receipt(session, token)
    except Missing:
        return _page(request, d, "missing.html", lang, status=404)
    if not found.public:
        return _page(request, d, "receipt.html", lang, one=found, service="", place="")
    service = d.service(found.service_code)
    place = found.public_description.removeprefix(found.service_name).lstrip(" ,:")  # the name stands above, translated
    spanish = service.service_name_es if service and _language(request, d, lang) == "es" else ""
    return _page(
        request,
        d,
        "receipt.html",
        lang,
        one=found,
        service=spanish or found.service_name,
        place=place,
    )


def _page(request: Request, d: Deployment, template: str, lang: str, *, status: int = 200, **context: Any) -> Response:
    chosen = _language(request, d, lang)
    shared = {"lang": chosen, "say": WORDS[chosen], "languages": d.settings.city.languages}
    return page(request, f"portal/{template}", status=status, **shared, **context)


def _language(request: Request, d: Deployment, asked: str) -> str:
    """The language asked for, else the first of the browser's that the city speaks, else the city's first."""
    spoken = d.settings.city.languages
    wanted = [
        asked,
        *(part.partition(";")[0].strip() for part in request.headers.get("accept-language", "").split(",")),
    ]
    return next((base for one in wanted if (base := one.partition("-")[0].lower()) in spoken), spoken[0])
