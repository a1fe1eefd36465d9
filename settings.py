"""``harken.toml`` and the secrets, as one frozen ``Settings`` that is passed down.

Secrets come from the environment (``HARKEN_ACCOUNTS__CITY_HALL_X__BEARER_TOKEN``), else from ``secrets.env`` beside the
file. Relative paths in the file, the SQLite URL's too, are relative to its folder. A key we don't know is an error.
"""

from __future__ import annotations

import os
import re
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from errors import ConfigError

PREFIX = "HARKEN_"
#: Keys of an account that every platform shares; the rest belongs to ``clients/<platform>.py``, which checks them.
SHARED_ACCOUNT_KEYS = frozenset({"platform", "poll_every", "backfill", "reply_within", "sending", "name"})


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be longer than nothing, like PT1M")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as err:
        raise ValueError("is no time zone; use a name like America/Chicago") from err
    return value


Span = Annotated[timedelta, AfterValidator(_positive)]


class Table(BaseModel):
    """A table of the file: frozen, and a typo is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class City(Table):
    """Who speaks, and where."""

    name: str = Field(min_length=1, max_length=80)
    reference_prefix: str = Field(pattern=r"^[A-Z]{1,4}$")
    time_zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    languages: tuple[Literal["en", "es"], ...] = Field(default=("en",), min_length=1)
    services: Path
    neighborhoods: Path | None = None
    streets: Path | None = None


class Calendar(Table):
    """Open hours, for SLA clocks and after-hours wording."""

    hours: dict[str, str] = Field(default_factory=lambda: {"mon-fri": "08:00-17:00"})
    holidays: str | Path | None = None


class StoreTable(Table):
    """Where everything is kept."""

    url: str = "sqlite:///harken.db"


class Web(Table):
    """Where the pages are served."""

    host: str = "127.0.0.1"
    port: int = Field(default=8311, ge=1, le=65535)
    public_url: str = "http://127.0.0.1:8311"


class Api(Table):
    """The JSON API."""

    service_approvals: bool = False


class Approval(Table):
    """How a reply is approved."""

    two_person: bool = False
    undo_for: timedelta = timedelta(seconds=5)
    expires_after: Span = timedelta(hours=24)


class Sending(Table):
    """How effects are made safe."""

    settle: Span = timedelta(seconds=90)


class Audit(Table):
    """How it can be shown later that nobody changed the log."""

    checkpoints: Path = Path("audit.checkpoints")
    checkpoint_every: Span = timedelta(hours=1)


class Alarms(Table):
    """Who hears of an emergency; apprise URLs."""

    to: tuple[SecretStr, ...] = ()
    escalate_after: Span = timedelta(minutes=5)
    escalate_to: tuple[SecretStr, ...] = ()
    remind_every: Span = timedelta(minutes=2)

    @field_validator("to", "escalate_to", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        """From the environment they come as one line: ``HARKEN_ALARMS__TO="mailto://… slack://…"``."""
        return tuple(value.split()) if isinstance(value, str) else value


class HeadModel(Table):
    """A model of the Hugging Face hub that answers one question in place of the shipped one."""

    model: str = Field(min_length=1)  #: a folder, or a name on the hub
    labels: dict[str, str] = Field(min_length=1)  #: the model's label -> ours
    please_check: float = Field(default=0.8, ge=0, le=1)  #: below this probability staff are to check the answer


class Classifier(Table):
    """Who reads the posts, and where, and how it learns from what staff correct."""

    kind: Literal["transformer", "keywords"] = "transformer"  #: keywords: those of services.csv, without any model
    processes: int = Field(default=1, ge=0, le=64)  #: of their own; 0: in the one that serves the pages
    heads: dict[Literal["intent", "service_code", "sentiment", "urgency"], HeadModel] = Field(default_factory=dict)
    download: bool = False  #: whether a model that is named may be fetched from the hub
    promote: Literal["ask", "auto", "shadow"] = "ask"  #: what becomes of a learned version that passed the gate
    learn_after: int = Field(default=20, ge=1)  #: new corrections before the nightly job learns again
    learn_from_x: bool = False  #: X's terms forbid to train on its content

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Classifier:
        if self.kind == "keywords" and self.heads:
            raise ValueError("kind = 'keywords' has no model whose questions others could answer: drop heads, or kind")
        return self


class Account(BaseModel):
    """One login of the city on one platform; keys of the platform's own go on to ``clients/<platform>.py``."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str
    platform: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    handle: str = ""
    base_url: str = ""
    poll_every: Span = timedelta(minutes=1)
    backfill: Span = timedelta(hours=24)
    reply_within: Span = timedelta(days=2)
    access: str = "standard"
    links: bool | None = None  #: None: as the platform's own rule has it; on X a link multiplies the price of a post
    sending: Literal["dry_run", "armed"] = "dry_run"

    @property
    def table(self) -> dict[str, Any]:
        """The whole table for the platform's modules, secrets in it. Never logged."""
        given = self.model_dump(mode="python")
        return {
            key: value for key, value in given.items() if key not in SHARED_ACCOUNT_KEYS and value not in ("", None)
        }

    @property
    def quotes_links(self) -> bool:
        """Whether replies carry the link of the tracking page."""
        return self.platform != "x" if self.links is None else self.links

    @property
    def is_loopback(self) -> bool:
        """Whether the account talks to this machine: the demo and the tests, which need no arming."""
        return urlsplit(self.base_url).hostname in {"127.0.0.1", "localhost", "::1"}


class Crm(BaseModel):
    """The CRM that gets the tickets; keys of its own go on to ``crm_bridge/<kind>.py``."""

    model_config = ConfigDict(extra="allow", frozen=True)

    kind: str = Field(default="builtin", pattern=r"^[a-z][a-z0-9_]*$")
    base_url: str = ""
    jurisdiction_id: str = ""
    sending: Literal["dry_run", "armed"] = "armed"
    wait: Span = timedelta(minutes=10)

    @property
    def table(self) -> dict[str, Any]:
        """The whole table for the CRM's module, secrets in it. Never logged."""
        given = self.model_dump(mode="python")
        return {key: value for key, value in given.items() if key not in {"kind", "sending", "wait"} and value != ""}


class Settings(Table):
    """Everything that a city configures."""

    city: City
    calendar: Calendar = Calendar()
    store: StoreTable = StoreTable()
    web: Web = Web()
    api: Api = Api()
    approval: Approval = Approval()
    sending: Sending = Sending()
    audit: Audit = Audit()
    alarms: Alarms = Alarms()
    classifier: Classifier = Classifier()
    accounts: dict[str, Account] = Field(default_factory=dict)
    crm: Crm = Crm()
    file: Path

    @field_validator("accounts")
    @classmethod
    def _names(cls, accounts: dict[str, Account]) -> dict[str, Account]:
        for name in accounts:
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name):
                raise ValueError(f"{name!r} is no account name: small letters, digits and _, starting with a letter")
        return accounts

    @property
    def folder(self) -> Path:
        """Where the file lies; relative paths start here."""
        return self.file.parent

    @property
    def zone(self) -> ZoneInfo:
        """The city's time zone."""
        return ZoneInfo(self.city.time_zone)


def load(path: Path) -> Settings:
    """The settings of a file, secrets merged in.

    Raises:
        ConfigError: one line a fault, each naming the file, the key, the value and the remedy.
    """
    path = path.absolute()
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as err:
        raise ConfigError(f"{path}: no such file; write one with `harken init`, or name it with --config") from err
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as err:
        raise ConfigError(f"{path}: can't be read as TOML: {err}") from err
    _merge_secrets(raw, path.parent)
    for name, account in _tables(raw.get("accounts")).items():
        account.setdefault("name", name)
    try:
        settings = Settings(**raw, file=path)
    except ValidationError as err:
        raise ConfigError("\n".join(_fault(path, fault) for fault in err.errors())) from err
    except TypeError as err:
        raise ConfigError(f"{path}: `file` is not a key of this file; remove it") from err
    return _rooted(settings)


def _tables(value: Any) -> dict[str, dict[str, Any]]:
    return {key: table for key, table in value.items() if isinstance(table, dict)} if isinstance(value, dict) else {}


def _fault(path: Path, fault: Any) -> str:
    key = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"{path}: unknown key {key!r}; check the spelling against harken.example.toml, or remove it"
    if fault["type"] == "missing":
        return f"{path}: {key!r} is missing; add it (harken.example.toml shows how)"
    shown = "…" if "to" in str(fault["loc"][-1:]) and "alarms" in key else repr(fault["input"])[:80]
    return f"{path}: {key} = {shown}: {fault['msg'].removeprefix('Value error, ')}"


def _merge_secrets(raw: dict[str, Any], folder: Path) -> None:
    """Put every ``HARKEN_A__B`` where it belongs; the environment wins over ``secrets.env``, both over the file."""
    given = {**_secrets_file(folder / "secrets.env"), **os.environ}
    for variable, value in given.items():
        if not variable.startswith(PREFIX) or "__" not in variable:
            continue
        parts = [part.lower() for part in variable.removeprefix(PREFIX).split("__")]
        if parts[0] not in {"accounts", "crm", "store", "web", "alarms"}:
            continue
        if parts[0] == "accounts" and (len(parts) != 3 or parts[1] not in _tables(raw.get("accounts"))):
            continue
        table = raw
        for part in parts[:-1]:
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                raise ConfigError(f"{variable}: {part!r} is no table in the config file")
        secret = parts[0] in {"accounts", "crm"}
        table[parts[-1]] = SecretStr(value) if secret else value


def _secrets_file(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    if path.stat().st_mode & 0o077:
        raise ConfigError(f"{path}: others on this machine can read it; run: chmod 600 {path}")
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, sign, value = line.partition("=")
        if not sign or not re.fullmatch(r"[A-Z][A-Z0-9_]*", name.strip()):
            raise ConfigError(f"{path}, line {number}: expected NAME=value")
        found[name.strip()] = value.strip().strip("'\"")
    return found


def _rooted(settings: Settings) -> Settings:
    folder = settings.folder
    city = settings.city
    files = ("services", "neighborhoods", "streets")
    places = {key: folder / value for key in files if (value := getattr(city, key)) is not None}
    changed: dict[str, Any] = {"city": city.model_copy(update=places)}
    prefix = "sqlite:///"
    if settings.store.url.startswith(prefix):
        file = folder / settings.store.url.removeprefix(prefix)
        changed["store"] = settings.store.model_copy(update={"url": f"{prefix}{file}"})
    holidays = settings.calendar.holidays
    if holidays is not None and (folder / holidays).is_file():
        changed["calendar"] = settings.calendar.model_copy(update={"holidays": folder / holidays})
    changed["audit"] = settings.audit.model_copy(update={"checkpoints": folder / settings.audit.checkpoints})
    heads = {head: _model_rooted(one, folder) for head, one in settings.classifier.heads.items()}
    changed["classifier"] = settings.classifier.model_copy(update={"heads": heads})
    return settings.model_copy(update=changed)


def _model_rooted(one: HeadModel, folder: Path) -> HeadModel:
    """A folder beside the file goes before a name on the hub; what looks like a path is one."""
    path = folder / one.model
    is_path = path.is_dir() or one.model.startswith((".", "/")) or one.model.count("/") > 1
    return one.model_copy(update={"model": str(path.resolve())}) if is_path else one
