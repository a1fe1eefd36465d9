"""Who and what is there before anybody posts: the city's accounts, tokens, services."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: What a CRM without a list of its own offers: the general codes of the field, in plain words.
GENERAL_SERVICES: tuple[tuple[str, str, str, str], ...] = (
    ("pothole_road", "Pothole or road damage", "streets", "pothole, road, asphalt"),
    ("sidewalk", "Sidewalk", "streets", "sidewalk, curb, ramp"),
    ("streetlight", "Street light out", "streets", "light, lamp, dark"),
    ("traffic_signal_sign", "Traffic signal or sign", "streets", "signal, stop sign, crosswalk"),
    ("trash_dumping", "Trash and illegal dumping", "sanitation", "trash, garbage, dumping"),
    ("graffiti", "Graffiti", "sanitation", "graffiti, tag, paint"),
    ("tree_vegetation", "Trees and vegetation", "parks", "tree, branch, weeds"),
    ("water_sewer_drain", "Water, sewer and drains", "water", "leak, sewer, drain, flood"),
    ("noise", "Noise", "police", "noise, loud, music"),
    ("parking_vehicle", "Parking and abandoned vehicles", "police", "parking, abandoned car"),
    ("snow_ice", "Snow and ice", "streets", "snow, ice, plow"),
    ("blight_code", "Code enforcement", "building", "blight, vacant, tall grass"),
    ("homeless_encampment", "Encampment outreach", "health", "encampment, tents"),
    ("health_animal_hazard", "Animals and health hazards", "health", "animal, rats, mosquito"),
    ("parks", "Parks", "parks", "park, playground"),
    ("transit", "Transit", "transit", "bus, stop, train"),
    ("power_utility", "Power and utilities", "utilities", "power, outage, wire"),
    ("air_quality", "Air quality", "health", "smoke, smell, dust"),
    ("public_safety", "Public safety, not urgent", "police", "speeding, safety"),
    ("billing_permits", "Billing and permits", "finance", "bill, permit, licence"),
    ("other_service", "Something else", "other", ""),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class XAccount:
    """One of the city's accounts on X, with its OAuth 1.0a access token."""

    id: str
    handle: str
    name: str
    access_token: str
    access_token_secret: str
    user_token: str  #: OAuth 2 user context, sent as a bearer token


@dataclass(frozen=True, kw_only=True, slots=True)
class FacebookPage:
    id: str
    username: str
    name: str
    access_token: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    service_code: str
    service_name: str
    description: str = ""
    group: str = ""
    keywords: str = ""
    agency: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seed:
    accounts: tuple[XAccount, ...]
    pages: tuple[FacebookPage, ...]
    bearer_tokens: frozenset[str]
    consumer_key: str
    consumer_secret: str
    app_secret: str | None  #: when set, Graph demands appsecret_proof
    api_keys: frozenset[str]
    jurisdiction_id: str  #: empty: a single-city endpoint, which ignores it
    services: tuple[Service, ...]
    people: tuple[dict[str, Any], ...] = ()
    posts: tuple[dict[str, Any], ...] = field(default=(), repr=False)


def build_seed(given: Mapping[str, Any] | None, city_handle: str, city_name: str) -> Seed:
    """The defaults, overridden section by section (``x facebook open311 services people posts``).

    ``x``: ``accounts`` (list of ``id handle name access_token access_token_secret user_token``), ``bearer_tokens``,
    ``consumer_key``, ``consumer_secret``. ``facebook``: ``pages`` (list of ``id username name access_token``),
    ``app_secret``. ``open311``: ``api_keys``, ``jurisdiction_id``. ``services``: rows as in services.csv. ``people``:
    ``platform handle name hidden``. ``posts``: what ``POST /_ctl/posts`` takes; only a new network gets them.

    Raises: ValueError: a section that does not exist.
    """
    given = dict(given or {})
    if unknown := set(given) - {"x", "facebook", "open311", "services", "people", "posts"}:
        raise ValueError(f"unknown section in the seed: {', '.join(sorted(unknown))}")
    x: Mapping[str, Any] = given.get("x", {})
    facebook: Mapping[str, Any] = given.get("facebook", {})
    open311: Mapping[str, Any] = given.get("open311", {})
    return Seed(
        accounts=tuple(
            _account(row, number)
            for number, row in enumerate(x.get("accounts", [{"handle": city_handle, "name": city_name}]))
        ),
        pages=tuple(
            _page(row, number)
            for number, row in enumerate(facebook.get("pages", [{"username": city_handle, "name": city_name}]))
        ),
        bearer_tokens=frozenset(x.get("bearer_tokens", ["sandbox-bearer-token"])),
        consumer_key=x.get("consumer_key", "sandbox-consumer-key"),
        consumer_secret=x.get("consumer_secret", "sandbox-consumer-secret"),
        app_secret=facebook.get("app_secret"),
        api_keys=frozenset(open311.get("api_keys", ["sandbox-api-key"])),
        jurisdiction_id=open311.get("jurisdiction_id", ""),
        services=_services(given.get("services")),
        people=tuple(given.get("people", ())),
        posts=tuple(given.get("posts", ())),
    )


def _account(row: Mapping[str, Any], number: int) -> XAccount:
    tail = f"-{number + 1}" if number else ""
    return XAccount(
        id=str(row.get("id", 2207129125 + number)),
        handle=row["handle"],
        name=row.get("name", row["handle"]),
        access_token=row.get("access_token", f"sandbox-access-token{tail}"),
        access_token_secret=row.get("access_token_secret", f"sandbox-access-token-secret{tail}"),
        user_token=row.get("user_token", f"sandbox-user-token{tail}"),
    )


def _page(row: Mapping[str, Any], number: int) -> FacebookPage:
    tail = f"-{number + 1}" if number else ""
    return FacebookPage(
        id=str(row.get("id", 102030405060708 + number)),
        username=row.get("username", f"page{tail}"),
        name=row.get("name", "A page"),
        access_token=row.get("access_token", f"sandbox-page-token{tail}"),
    )


def _services(rows: list[Mapping[str, Any]] | None) -> tuple[Service, ...]:
    if rows is None:
        return tuple(
            Service(service_code=code, service_name=name, description=name, group=group, keywords=words)
            for code, name, group, words in GENERAL_SERVICES
        )
    return tuple(
        Service(
            service_code=str(row["service_code"]),
            service_name=row["service_name"],
            description=row.get("description", ""),
            group=row.get("group", ""),
            keywords=row.get("keywords", ""),
            agency=row.get("agency_responsible", row.get("department", "")),
        )
        for row in rows
    )
