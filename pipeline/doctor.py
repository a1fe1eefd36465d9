"""Examining a deployment: what ``harken doctor`` prints, and what arming demands."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import apprise
import httpx

from adapters import adapter, has_adapter
from classifiers import fitting
from crm_bridge.base import BUILT_IN
from errors import AdapterError, ConfigError, HarkenError
from pipeline import promises
from pipeline.deployment import Deployment
from settings import Account, load
from store import migrate

#: Connecting 5 s, waiting 20 s, reading a slow body 60 s: what ``clients/http.py`` allows.
LONGEST_CALL = timedelta(seconds=85)
CLOCK_OFF = timedelta(seconds=30)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One line of the examination."""

    mark: str  #: ok, warn, FAIL
    what: str
    told: str

    def __str__(self) -> str:
        return f"{self.mark:4} {self.what}: {self.told}"


def examine(config: Path) -> list[Finding]:
    """Everything that can be checked; what stands on a fault is left out."""
    try:
        settings = load(config)
    except HarkenError as err:
        return [Finding(mark="FAIL", what="config", told=line) for line in str(err).splitlines()]
    found = [Finding(mark="ok", what="config", told=f"{settings.file}, {settings.city.name}")]
    try:
        deployment = Deployment(settings)
    except HarkenError as err:
        return [*found, Finding(mark="FAIL", what="city files or database", told=str(err))]
    found += of_deployment(deployment)
    deployment.close()
    return found


def of_deployment(deployment: Deployment) -> Iterator[Finding]:
    """Each finding of an open deployment."""
    settings = deployment.settings
    yield Finding(mark="ok", what="services", told=f"{len(deployment.services)} services")
    if deployment.gazetteer is None:
        told = "no streets and neighbourhoods: places are not found; name both files in [city]"
        yield Finding(mark="warn", what="places", told=told)
    yield _tried("database", lambda: _schema(deployment))
    yield _tried("model", lambda: _model(deployment))
    for name, account in settings.accounts.items():
        yield _tried(f"account {name}", partial(_account, deployment, name, account))
        yield _tried(f"account {name} reachable", partial(_reach, account))
    if not settings.accounts:
        yield Finding(mark="warn", what="accounts", told="none: nothing is heard; add one under [accounts]")
    if settings.crm.kind != "builtin":
        yield _tried("crm", lambda: _crm(deployment))
    yield from promised(deployment)
    yield from _alarms(deployment)
    yield _settle(deployment)
    yield _clock(deployment)


def _tried(what: str, look: Callable[[], Finding | str]) -> Finding:
    try:
        told = look()
    except (HarkenError, AdapterError) as err:
        return Finding(mark="FAIL", what=what, told=str(err))
    except (OSError, httpx.HTTPError) as err:
        return Finding(mark="FAIL", what=what, told=f"{type(err).__name__}: {err}")
    return told if isinstance(told, Finding) else Finding(mark="ok", what=what, told=told)


def _schema(deployment: Deployment) -> Finding | str:
    have = migrate.current(deployment.store)
    if have is None:
        return Finding(mark="warn", what="database", told="empty; `harken run` or `harken db upgrade` makes the tables")
    migrate.check(deployment.store)
    return f"schema {have}, {deployment.store.engine.dialect.name}"


def _model(deployment: Deployment) -> Finding | str:
    began = time.monotonic()
    answer = deployment.classifier.classify([fitting.PROBE])[0]
    told = f"{answer.model}, loaded and asked in {time.monotonic() - began:.1f} s"
    found = fitting.fit({head: tuple(scores) for head, scores in answer.scores.items()}, deployment.services)
    if found.wrong:
        remedy = "name another model in [classifier], or map its labels"
        return Finding(mark="FAIL", what="model", told=f"{answer.model}: {'; '.join(found.wrong)}; {remedy}")
    if found.thin:
        remedy = f"set maps_to in {deployment.settings.city.services.name}"
        return Finding(mark="warn", what="model", told=f"{told}; {'; '.join(found.thin)}; {remedy}")
    return told


def _account(deployment: Deployment, name: str, account: Account) -> Finding | str:
    deployment.listener(name)
    secrets = [key for key in account.table if key.endswith(("token", "secret", "password"))]
    if account.sending == "armed":
        hindrance = deployment.responder(name).hindrance
        if hindrance is not None:
            raise ConfigError(hindrance)
        return f"{account.platform}, sending armed in the file, {len(secrets)} secrets"
    return f"{account.platform}, dry run, {len(secrets)} secrets"


def _origin(account: Account) -> str:
    """Where the platform's API answers: as the account says, else as the platform's own module knows."""
    if account.base_url:
        return account.base_url
    return str(adapter("clients", account.platform).Account.model_fields["base_url"].default)


def _reach(account: Account) -> str:
    url = _origin(account)
    parts = urlsplit(url)
    if not parts.hostname:
        raise ConfigError(f"base_url = {url!r}: not an address; write https://host")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    with socket.create_connection((parts.hostname, port), timeout=5):
        return f"{parts.hostname}:{port}"


def _crm(deployment: Deployment) -> str:
    bridge = deployment.crm
    assert bridge is not None
    changes = sum(1 for _ in bridge.changed_since(datetime.now(UTC) - timedelta(minutes=5)))
    return f"{deployment.settings.crm.kind}, {changes} changes in five minutes"


def promised(deployment: Deployment) -> Iterator[Finding]:
    """What each target lets us promise: ``docs/targets.md`` says more."""
    for name, account in deployment.accounts().items():
        if has_adapter("responders", account.platform):
            told = promises.told(deployment.length_rule(account.platform).OFFERS)
            yield Finding(mark="ok", what=f"replies of {name}", told=told)
    crm = deployment.settings.crm.kind
    offers = BUILT_IN if crm == "builtin" else adapter("crm_bridge", crm).OFFERS
    yield Finding(mark="ok", what=f"tickets in {crm}", told=promises.told(offers))


def _alarms(deployment: Deployment) -> Iterator[Finding]:
    doors = deployment.settings.alarms.to
    if not doors:
        told = "nobody hears of an emergency; name recipients in [alarms] to (needed before sending is armed)"
        yield Finding(mark="warn", what="alarms", told=told)
    for number, door in enumerate((*doors, *deployment.settings.alarms.escalate_to), start=1):
        kind = door.get_secret_value().partition(":")[0]
        good = apprise.Apprise().add(door.get_secret_value())
        told = f"recipient {number} ({kind})" if good else f"recipient {number} ({kind}) is no apprise URL; correct it"
        yield Finding(mark="ok" if good else "FAIL", what="alarms", told=told)


def _settle(deployment: Deployment) -> Finding:
    """What is in doubt must rest longer than a call can still take effect, or a read-back comes too early."""
    settle = deployment.settings.sending.settle
    outside = [name for name, account in deployment.accounts().items() if not account.is_loopback]
    told = f"an unknown outcome rests {settle.total_seconds():.0f} s before it is read back"
    if outside and settle < LONGEST_CALL:
        told += f"; a call may last {LONGEST_CALL.total_seconds():.0f} s: set sending.settle to PT90S or more"
        return Finding(mark="FAIL", what="sending", told=told)
    return Finding(mark="ok", what="sending", told=told)


def _clock(deployment: Deployment) -> Finding:
    """Compared with a platform's own clock, since leases and windows go by it."""
    for account in deployment.accounts().values():
        url = _origin(account)
        try:
            answer = httpx.get(url, timeout=5)
            off = abs(datetime.now(UTC) - parsedate_to_datetime(answer.headers["date"]))
        except (httpx.HTTPError, KeyError, ValueError):
            continue
        mark = "ok" if off <= CLOCK_OFF else "FAIL"
        remedy = "" if mark == "ok" else "; set this machine's clock by NTP"
        return Finding(
            mark=mark, what="clock", told=f"{off.total_seconds():.0f} s off {urlsplit(url).hostname}{remedy}"
        )
    zone = os.environ.get("TZ", "system zone")
    return Finding(mark="warn", what="clock", told=f"no platform to compare with ({zone}); check NTP yourself")
