"""A config that can't be: the message names file, key, value and remedy, never a secret."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from errors import ConfigError
from pipeline.deployment import Deployment
from settings import load
from tests.deployments import FACEBOOK, SECRETS, X, written

ROOT = Path(__file__).parents[2]
NOWHERE = "http://127.0.0.1:9"


def begun(config: Path) -> None:
    """What every command does before anything else."""
    held = Deployment(load(config))
    try:
        held.check_adapters()
    finally:
        held.store.close()


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"accounts": {X: {"handel": "alderfalls"}}}, ["accounts.city_hall_x", "handel"]),
        ({"accounts": {X: {"access": "golden"}}}, ["accounts.city_hall_x", "access"]),
        ({"accounts": {FACEBOOK: {"page_id": "alderfalls"}}}, ["accounts.city_hall_facebook", "page_id"]),
        ({"accounts": {X: {"platform": "myspace"}}}, ["accounts.city_hall_x", "myspace"]),
        ({"accounts": {X: {"base_url": "nowhere"}}}, ["accounts.city_hall_x", "base_url"]),
        ({"accounts": {X: {"backfill": "P-1D"}}}, ["accounts.city_hall_x.backfill", "P-1D"]),
        ({"crm": {"kind": "sugar"}}, ["crm", "sugar"]),
        ({"crm": {"base_url": "nowhere"}}, ["crm", "base_url"]),
        ({"store": {"url": "oracle://x"}}, ["store", "oracle"]),
        ({"city": {"services": "nothing.csv"}}, ["nothing.csv", "harken.toml"]),
        ({"city": {"streets": "neighborhoods.geojson"}}, ["neighborhoods.geojson", "line 1"]),
        ({"city": {"neighborhoods": "streets.csv"}}, ["streets.csv", "JSON"]),
        ({"calendar": {"hours": {"mon-fri": "9 to 5"}}}, ["hours", "9 to 5"]),
        ({"calendar": {"holidays": "Ruritania"}}, ["holidays", "Ruritania"]),
        ({"city": {"time_zone": "Mars/Olympus"}}, ["city.time_zone", "Mars/Olympus"]),
        ({"alarms": {"to": ["json://user:hunter2@"], "escalate": []}}, ["alarms.escalate"]),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, dict) else "",
)
def test_it_is_named_with_its_file_its_key_and_its_value(
    tmp_path: Path, changes: dict[str, Any], parts: list[str]
) -> None:
    config = written(tmp_path, NOWHERE, **changes)

    with pytest.raises(ConfigError) as caught:
        begun(config)

    told = str(caught.value)
    assert str(tmp_path) in told
    assert all(part in told for part in parts), told
    assert "\n" not in told
    assert not any(secret in told for secret in ("hunter2", *SECRETS.values()))


@pytest.mark.parametrize("missing", [name for name in SECRETS if "BEARER" in name or "PAGE" in name])
def test_a_missing_secret_is_named(tmp_path: Path, missing: str) -> None:
    config = written(tmp_path, NOWHERE)
    file = config.parent / "secrets.env"
    kept = [line for line in file.read_text().splitlines() if missing not in line]
    # Without a bearer token the writing keys read too: for this, none of X's keys is there.
    file.write_text("\n".join(line for line in kept if "HALL_X" not in line or "BEARER" not in missing))

    with pytest.raises(ConfigError, match=missing.rpartition("__")[2].lower()):
        begun(config)


@pytest.mark.parametrize(
    ("name", "body", "part"),
    [
        ("services.csv", b"service_code,service_name\n\xff\xfe,x\n", "UTF-8"),
        ("services.csv", b"", "column service_code is missing"),
        ("services.csv", b'service_code,service_name\n"pothole,Pothole\n', "check the quotes"),
        ("services.csv", b"service_code,service_name,sla\npothole,Pothole,soon\n", "'soon'"),
        ("streets.csv", b"name,kind,wkt\nOak,street,LINESTRING\n", "column wkt"),
        ("streets.csv", b"name,kind,wkt\nOak,alley,POINT (0 0)\n", "'alley'"),
        ("neighborhoods.geojson", b'{"type": "FeatureCollection", "features": [', "JSON"),
        ("neighborhoods.geojson", b"[1, 2]", "FeatureCollection"),
        ("neighborhoods.geojson", b'{"type": "FeatureCollection", "features": []}', "features"),
    ],
)  # fmt: skip
def test_a_broken_city_file_is_named_with_where_and_what(tmp_path: Path, name: str, body: bytes, part: str) -> None:
    config = written(tmp_path, NOWHERE)
    (config.parent / name).write_bytes(body)

    with pytest.raises(ConfigError) as caught:
        begun(config)

    assert str(config.parent / name) in str(caught.value)
    assert part in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["poll", "process"])
def test_the_command_tells_it_in_a_line_and_exits_2(tmp_path: Path, command: str) -> None:
    config = written(tmp_path, NOWHERE, accounts={X: {"poll_every": "soon"}})

    done = subprocess.run(
        [sys.executable, "-m", "cli", command, "--config", str(config)],
        cwd=ROOT, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"harken: {config}: accounts.city_hall_x.poll_every = 'soon'")
    assert done.stderr.count("\n") == 1
