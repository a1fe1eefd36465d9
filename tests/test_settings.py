"""The settings: the example is whole, faults are named, and secrets come from where they should."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import settings
from clients import facebook, open311, x
from clients.keys import keys
from errors import ConfigError
from places.services import load_services
from settings import load
from vocabulary import GENERAL_CODES

ROOT = Path(__file__).parent.parent
EXAMPLE = (ROOT / "harken.example.toml").read_text(encoding="utf-8")
#: The example with every key that it leaves out taken in.
WHOLE = re.sub(r"^#(?=[a-z\[])", "", EXAMPLE, flags=re.MULTILINE)
STARTING = ROOT / "templates" / "starting" / "services.csv"
REFERENCE = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")

TABLES: dict[str, type[BaseModel]] = {
    name: field.annotation
    for name, field in settings.Settings.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
}
#: What the file's reader puts in, nobody writes.
NOT_WRITTEN = {"name"}
#: Where the platform's keys stand, and the prefix of their secrets.
OWN_KEYS: dict[str, tuple[type[BaseModel], type[BaseModel], str]] = {
    "accounts.city_hall_x": (settings.Account, x.Account, "HARKEN_ACCOUNTS__CITY_HALL_X__"),
    "accounts.city_hall_facebook": (settings.Account, facebook.Account, "HARKEN_ACCOUNTS__CITY_HALL_FACEBOOK__"),
    "crm": (settings.Crm, open311.Account, "HARKEN_CRM__"),
}

SMALL = """
[city]
name = "Alder Falls"
reference_prefix = "AF"
services = "services.csv"

[accounts.city_hall_x]
platform = "x"
handle = "alderfalls"
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """A config file, and with ``secrets`` the file beside it."""

    def write(text: str, *, secrets: str | None = None, mode: int = 0o600) -> Path:
        (tmp_path / "services.csv").write_bytes(STARTING.read_bytes())
        path = tmp_path / "harken.toml"
        path.write_text(text, encoding="utf-8")
        if secrets is not None:
            kept = tmp_path / "secrets.env"
            kept.write_text(secrets, encoding="utf-8")
            kept.chmod(mode)
        return path

    return write


def table_at(path: str) -> dict[str, Any]:
    """A table of the whole example: ``accounts.city_hall_x``."""
    found: Any = tomllib.loads(WHOLE)
    for part in path.split("."):
        found = found[part]
    assert isinstance(found, dict)
    return found


def is_secret(model: type[BaseModel], key: str) -> bool:
    return "SecretStr" in str(model.model_fields[key].annotation)


def test_the_example_loads_as_it_stands(write: Callable[..., Path]) -> None:
    loaded = load(write(EXAMPLE))

    assert loaded.city.name == "Alder Falls"
    assert loaded.accounts == {}, "without an account nothing is heard and nothing is sent"


def test_the_example_loads_with_every_key_taken_in(write: Callable[..., Path]) -> None:
    loaded = load(write(WHOLE))

    assert loaded.accounts.keys() == {"city_hall_x", "city_hall_facebook"}
    assert all(account.sending == "dry_run" for account in loaded.accounts.values())


@pytest.mark.parametrize("name", sorted(TABLES.keys() - {"crm"}))
def test_the_example_names_every_key_of_a_table_and_no_other(name: str) -> None:
    assert table_at(name).keys() == TABLES[name].model_fields.keys()


@pytest.mark.parametrize("name", sorted(OWN_KEYS))
def test_the_example_names_every_key_of_an_account_or_crm_and_no_other(name: str) -> None:
    shared, own, _ = OWN_KEYS[name]
    readable = {key for key in own.model_fields if not is_secret(own, key)}

    expected = (readable | shared.model_fields.keys()) - NOT_WRITTEN
    if shared is settings.Account:
        expected -= settings.Account.model_fields.keys() - readable - settings.SHARED_ACCOUNT_KEYS

    assert table_at(name).keys() == expected


@pytest.mark.parametrize("name", sorted(OWN_KEYS))
def test_the_example_names_every_secret_where_it_belongs(name: str) -> None:
    _, own, prefix = OWN_KEYS[name]
    secrets = {key.upper() for key in own.model_fields if is_secret(own, key)}

    part = EXAMPLE[EXAMPLE.index(f"[{name}]") :]
    part = part[: end.start()] if (end := re.search(r"^#?\[", part[1:], re.MULTILINE)) else part

    assert f"{prefix}" in part
    assert {key for key in secrets if key not in part} == set()


@pytest.mark.parametrize("name", sorted(OWN_KEYS))
def test_the_platform_takes_what_the_example_writes(write: Callable[..., Path], name: str) -> None:
    _, own, prefix = OWN_KEYS[name]
    secrets = "".join(f"{prefix}{key.upper()}=s\n" for key in own.model_fields if is_secret(own, key))

    loaded = load(write(WHOLE, secrets=secrets))

    table = loaded.crm.table if name == "crm" else loaded.accounts[name.partition(".")[2]].table
    assert keys(own, table).model_fields_set >= {key for key in own.model_fields if is_secret(own, key)}


def test_what_the_example_shows_as_a_default_is_one(write: Callable[..., Path]) -> None:
    shown = load(write(EXAMPLE))
    plain = load(write(SMALL))

    for name in TABLES.keys() - {"city"}:
        expected = getattr(plain, name)
        if name == "calendar":  # holidays are those of the reader's country, none by default
            expected = expected.model_copy(update={"holidays": "US"})
        assert getattr(shown, name) == expected, name


def test_the_example_holds_no_secret_and_no_machine() -> None:
    assert not re.search(r"^#?\w*(?:token|secret|password|key)\w* *=", EXAMPLE, re.MULTILINE)
    assert not re.search(r"(?<![\w/.])/(?:home|root|work|tmp|srv)/", EXAMPLE)


@pytest.mark.parametrize(
    ("heading", "model", "beside"),
    [
        *((f"`[{name}]`", model, None) for name, model in TABLES.items()),
        ("`[classifier.heads.HEAD]`", settings.HeadModel, None),
        ("`[accounts.NAME]`", settings.Account, None),
        ("An account on X", x.Account, settings.Account),
        ("A Facebook Page", facebook.Account, settings.Account),
        ("Open311", open311.Account, settings.Crm),
    ],
)
def test_the_reference_page_explains_every_key_with_its_default(
    heading: str, model: type[BaseModel], beside: type[BaseModel] | None
) -> None:
    section = re.split(r"^##+ ", REFERENCE.partition(f"# {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", section, re.MULTILINE))
    told_before = set(beside.model_fields) if beside else NOT_WRITTEN if model is settings.Account else set()
    fields = {key: field for key, field in model.model_fields.items() if key not in told_before}
    secrets = {key for key in fields if is_secret(model, key) and heading != "`[alarms]`"}

    assert {key for key in secrets if f"`{key.upper()}`" not in section} == set()
    assert rows == {key: default_of(field) for key, field in fields.items() if key not in secrets} | (
        {"base_url": "the platform's own"} if model is settings.Account else {}
    )


def default_of(field: FieldInfo) -> str:
    """As the page shows it."""
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, timedelta):
        iso = {5: "PT5S", 90: "PT90S", 60: "PT1M", 120: "PT2M", 300: "PT5M", 600: "PT10M", 3600: "PT1H", 86400: "PT24H"}
        return f"`{iso.get(round(value.total_seconds()), f'P{value.days}D')}`"
    if value is None or value in ("", {}):
        return "nothing"
    if isinstance(value, dict):
        return "`{ " + ", ".join(f'{key} = "{one}"' for key, one in value.items()) + " }`"
    shown = json.dumps(value, default=str)
    return f"`{shown.removesuffix('.0')}`"


def test_the_starting_services_cover_every_general_code_once() -> None:
    services = load_services(STARTING)

    assert sorted(one.maps_to or "" for one in services) == sorted(GENERAL_CODES)
    assert all(one.service_name_es and one.department for one in services)
    assert all(one.sla or one.handled_by for one in services)


def test_the_environment_wins_over_the_secrets_file(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(SMALL, secrets="HARKEN_ACCOUNTS__CITY_HALL_X__BEARER_TOKEN=of-the-file\n")
    from_file = load(path).accounts["city_hall_x"].table["bearer_token"]

    monkeypatch.setenv("HARKEN_ACCOUNTS__CITY_HALL_X__BEARER_TOKEN", "of-the-environment")
    from_environment = load(path).accounts["city_hall_x"].table["bearer_token"]

    assert from_file.get_secret_value() == "of-the-file"
    assert from_environment.get_secret_value() == "of-the-environment"


def test_secrets_win_over_the_config_file(write: Callable[..., Path]) -> None:
    path = write(SMALL + '[crm]\nkind = "open311"\napi_key = "old"\n', secrets="HARKEN_CRM__API_KEY='new'\n")

    assert load(path).crm.table["api_key"].get_secret_value() == "new"


def test_a_secret_is_not_shown_when_the_settings_are_printed(write: Callable[..., Path]) -> None:
    path = write(SMALL, secrets="HARKEN_ACCOUNTS__CITY_HALL_X__BEARER_TOKEN=hush-hush\n")

    assert "hush-hush" not in repr(load(path))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_secrets_file_that_others_can_read_is_refused(write: Callable[..., Path], mode: int) -> None:
    path = write(SMALL, secrets="HARKEN_CRM__API_KEY=k\n", mode=mode)

    with pytest.raises(ConfigError, match=r"secrets\.env: others .* run: chmod 600"):
        load(path)


def test_a_line_of_the_secrets_file_that_is_none_is_named(write: Callable[..., Path]) -> None:
    path = write(SMALL, secrets="# the CRM's\n\nHARKEN_CRM__API_KEY k\n")

    with pytest.raises(ConfigError, match=r"secrets\.env, line 3"):
        load(path)


def test_secrets_of_an_account_that_the_file_lacks_are_left_alone(write: Callable[..., Path]) -> None:
    path = write(SMALL, secrets="HARKEN_ACCOUNTS__FORMER__BEARER_TOKEN=t\n")

    assert load(path).accounts.keys() == {"city_hall_x"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(SMALL + "[approval]\ntwo_persons = true\n", r"unknown key 'approval\.two_persons'", id="a typo"),
        pytest.param(SMALL + "[approvals]\n", r"unknown key 'approvals'", id="a typo in a table's name"),
        pytest.param(
            SMALL.replace('reference_prefix = "AF"\n', ""), r"'city\.reference_prefix' is missing", id="missing"
        ),
        pytest.param(SMALL + "[web]\nport = 99999\n", r"web\.port = 99999: .*65535", id="too large"),
        pytest.param(SMALL + '[sending]\nsettle = "soon"\n', r"sending\.settle = 'soon'", id="no duration"),
        pytest.param(SMALL + '[sending]\nsettle = "PT0S"\n', r"sending\.settle .*longer than nothing", id="nothing"),
        pytest.param(SMALL.replace("services =", 'time_zone = "Mars"\nservices ='), r"no time zone", id="a zone"),
        pytest.param(SMALL.replace("city_hall_x]", '"City Hall"]'), r"no account name", id="an account's name"),
        pytest.param(SMALL + 'sending = "on"\n', r"city_hall_x\.sending = 'on'", id="neither armed nor dry run"),
        pytest.param('file = "x"\n' + SMALL, r"`file` is not a key", id="a field of ours"),
        pytest.param("city = [", r"can't be read as TOML", id="no TOML"),
    ],
)
def test_a_fault_names_the_file_the_key_and_the_value(write: Callable[..., Path], text: str, told: str) -> None:
    path = write(text)

    with pytest.raises(ConfigError, match=told) as raised:
        load(path)

    assert str(raised.value).startswith(str(path))


def test_every_fault_of_a_file_is_told_at_once(write: Callable[..., Path]) -> None:
    path = write(SMALL + "[web]\nport = 0\n[api]\nservice_approval = true\n")

    with pytest.raises(ConfigError) as raised:
        load(path)

    assert len(str(raised.value).splitlines()) == 2


def test_a_fault_in_the_alarms_tells_no_password(write: Callable[..., Path]) -> None:
    path = write(SMALL + '[alarms]\nto = [7, "mailtos://user:hush-hush@example.gov"]\n')

    with pytest.raises(ConfigError) as raised:
        load(path)

    assert "hush-hush" not in str(raised.value)


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="harken init"):
        load(tmp_path / "harken.toml")


def test_relative_paths_are_relative_to_the_files_folder(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = write(SMALL.replace("services =", 'streets = "gis/streets.csv"\nservices ='))
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))

    loaded = load(path)

    assert loaded.city.services == path.parent / "services.csv"
    assert loaded.city.streets == path.parent / "gis" / "streets.csv"
    assert loaded.store.url == f"sqlite:///{path.parent}/harken.db"


def test_absolute_paths_and_other_databases_stay_as_they_are(write: Callable[..., Path], tmp_path: Path) -> None:
    services = tmp_path / "services.csv"
    path = write(SMALL.replace('"services.csv"', f'"{services}"') + '[store]\nurl = "postgresql+psycopg://host/db"\n')

    assert load(path).city.services == services
    assert load(path).store.url == "postgresql+psycopg://host/db"


def test_the_databases_url_may_come_from_the_environment(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARKEN_STORE__URL", "postgresql+psycopg://user:password@host/db")

    assert load(write(SMALL)).store.url == "postgresql+psycopg://user:password@host/db"


def test_an_accounts_table_holds_what_its_platform_checks_and_nothing_empty(write: Callable[..., Path]) -> None:
    path = write(
        SMALL + 'poll_every = "PT5M"\nuser_id = "12"\n', secrets="HARKEN_ACCOUNTS__CITY_HALL_X__BEARER_TOKEN=t\n"
    )

    account = load(path).accounts["city_hall_x"]

    assert account.poll_every == timedelta(minutes=5)
    assert account.table.keys() == {"handle", "access", "user_id", "bearer_token"}


def test_the_crms_table_holds_what_its_module_checks_and_nothing_empty(write: Callable[..., Path]) -> None:
    path = write(SMALL + '[crm]\nkind = "open311"\nbase_url = "http://127.0.0.1:1/v2"\nemail = "a@example.gov"\n')

    assert load(path).crm.table == {"base_url": "http://127.0.0.1:1/v2", "email": "a@example.gov"}


@pytest.mark.parametrize(
    ("base_url", "here"),
    [
        ("http://127.0.0.1:8312", True),
        ("http://localhost:1", True),
        ("http://[::1]:1", True),
        ("https://127.0.0.1.example.com", False),
        ("https://api.twitter.com", False),
        ("", False),
    ],
)
def test_only_this_machine_counts_as_loopback(write: Callable[..., Path], base_url: str, here: bool) -> None:
    account = load(write(SMALL + f'base_url = "{base_url}"\n')).accounts["city_hall_x"]

    assert account.is_loopback is here
