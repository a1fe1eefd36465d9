"""One city's deployment: its settings, store, services, places, and the adapters, built when first needed."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self, cast

from sqlmodel import Session, select

from adapters import adapter, has_adapter
from classifiers import fitting, model_folder
from classifiers.base import Classifier
from classifiers.model_folder import Bands
from classifiers.pool import PooledClassifier
from crm_bridge.base import CrmBridge
from errors import ConfigError
from listeners.base import Listener
from pipeline.serving import Serving
from places.calendar import Calendar, load_calendar
from places.gazetteer import Gazetteer
from places.gazetteer import load as load_gazetteer
from places.services import load_services
from responders.base import Responder
from settings import Account, Settings, load
from store import migrate
from store.engine import Store, open_store
from store.people import Principal
from store.tables import AccountRow, DepartmentRow
from vocabulary import Service

log = logging.getLogger(__name__)


class Deployment:
    """What every stage needs, passed down; nothing here is global."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        with _named(settings.file):
            self.store: Store = open_store(settings.store.url)
        self.services: tuple[Service, ...] = load_services(settings.city.services)
        self.gazetteer: Gazetteer | None = None
        if settings.city.streets is not None and settings.city.neighborhoods is not None:
            self.gazetteer = load_gazetteer(settings.city.streets, settings.city.neighborhoods)
        with _named(settings.file):
            self.calendar: Calendar = load_calendar(
                settings.calendar.hours, settings.calendar.holidays, time_zone=settings.city.time_zone
            )
        self.stopping = threading.Event()  #: this process is to end: nothing more is begun
        self.monotonic: Callable[[], float] = time.monotonic  #: seconds; tests hand in their own
        self.side_by_side = 4  #: calls to platforms and the CRM at once
        self._listeners: dict[str, Listener] = {}
        self.responders: dict[str, Responder] = {}  #: those that were needed so far, by account

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def accounts(self) -> Mapping[str, Account]:
        """The accounts of the file, by name."""
        return self.settings.accounts

    def service(self, code: str | None) -> Service | None:
        """The city's service of a code."""
        return next((one for one in self.services if one.service_code == code), None)

    @cached_property
    def classifier(self) -> Classifier:
        """Made once: in processes of its own, or in this one where the file says so.

        Raises:
            ConfigError: its model can't be loaded.
        """
        table = self.settings.classifier
        if table.kind != "transformer":
            return cast(Classifier, adapter("classifiers", table.kind).load(self.services))
        threads = 1 if table.processes else None
        if table.heads:
            load = adapter("classifiers", "hub").load
            make = partial(load, self._head_models(), download=table.download, threads=threads)
        else:
            make = partial(adapter("classifiers", "transformer").load, threads=threads)
        with _named(self.settings.file):
            try:
                return PooledClassifier(make, processes=table.processes) if table.processes else make()
            except (OSError, ValueError) as err:
                raise ConfigError(f"the classifier can't be loaded: {err}") from err

    @cached_property
    def bands(self) -> Bands:
        """Where the classifier's answers need a person's eye; a model of the city's choice has one limit for all."""
        shipped = model_folder.bands()
        limits = dict(shipped.please_check)
        for head, one in self.settings.classifier.heads.items():
            limits[head] = dict.fromkeys(limits[head], one.please_check)
        return replace(shipped, please_check=limits)

    @cached_property
    def serving(self) -> Serving:
        """Which version of the learned heads answers in this process."""
        return Serving(self)

    def listener(self, name: str) -> Listener:
        """The listener of an account."""
        if name not in self._listeners:
            account = self.settings.accounts[name]
            self._listeners[name] = adapter("listeners", account.platform).connect(self._table(account))
        return self._listeners[name]

    def responder(self, name: str) -> Responder:
        """The responder of an account.

        Raises:
            ConfigError: the account is not in the file, its replies are made by hand, or a key is missing.
        """
        if name not in self.responders:
            account = self.settings.accounts.get(name)
            if account is None:
                raise ConfigError(f"{self.settings.file}: there is no account {name!r} any more")
            self.responders[name] = adapter("responders", account.platform).connect(self._table(account))
        return self.responders[name]

    @cached_property
    def crm(self) -> CrmBridge | None:
        """The bridge to an outside CRM; None: the built-in one keeps the requests."""
        if self.settings.crm.kind == "builtin":
            return None
        return cast(CrmBridge, adapter("crm_bridge", self.settings.crm.kind).connect(self.settings.crm.table))

    def length_rule(self, platform: str) -> Any:
        """The module that knows a platform's own count of a text: ``MAX_LENGTH`` and ``length``."""
        return adapter("responders", platform)

    def check_adapters(self) -> None:
        """Refuse a config whose accounts no adapter takes, before anything starts.

        Raises:
            ConfigError: naming the account, the key and the file.
        """
        for name, account in self.settings.accounts.items():
            with _named(self.settings.file, f"accounts.{name}: "):
                self.listener(name)
                if has_adapter("responders", account.platform) and self.settings.accounts[name].sending == "armed":
                    self.responder(name)
        with _named(self.settings.file, "crm: "):
            _ = self.crm
        self._check_model()
        if self.settings.classifier.heads:
            with _named(self.settings.file):
                codes = {service.maps_to for service in self.services}
                download = self.settings.classifier.download
                adapter("classifiers", "hub").check(self._head_models(), codes=codes, download=download)

    def _check_model(self) -> None:
        """Refuse a model that is not there, or whose labels are neither our words nor services of the city."""
        try:
            config = fitting.config_of(model_folder.SHIPPED)
        except fitting.BadModel as err:
            raise ConfigError(f"{err}; or install Harken again") from err
        labels = {name: head.labels for name, head in config.heads.items()}
        if wrong := fitting.fit(labels, self.services).wrong:
            raise ConfigError(
                f"{model_folder.SHIPPED}: the model does not fit: {'; '.join(wrong)}; install Harken again"
            )

    def close(self) -> None:
        """Close the store, and end the classifier's processes where there are any. May be called twice."""
        classifier = self.__dict__.get("classifier")  # asked as a property, it would be made
        if isinstance(classifier, PooledClassifier):
            classifier.close()
        self.store.close()

    def _head_models(self) -> list[Any]:
        make = adapter("classifiers", "hub").HeadModel
        return [
            make(head=head, model=one.model, labels=dict(one.labels))
            for head, one in self.settings.classifier.heads.items()
        ]

    @staticmethod
    def _table(account: Account) -> dict[str, Any]:
        return {"platform": account.platform, **account.table, "name": account.name}


@contextmanager
def _named(file: Path, key: str = "") -> Iterator[None]:
    """Say of a fault in which file it stands, and below which key, where the part that found it doesn't know."""
    try:
        yield
    except ConfigError as err:
        raise ConfigError(f"{file}: {key}{err}") from err


def open_deployment(config: Path, *, migrating: bool = False) -> Deployment:
    """The deployment of a config file, its schema checked (or brought up to date).

    Raises:
        ConfigError: anything that a person must mend first.
    """
    deployment = Deployment(load(config))
    try:
        if migrating:
            migrate.upgrade(deployment.store)
        migrate.check(deployment.store)
        with deployment.store.writing() as session:
            _know_accounts(session, deployment)
    except BaseException:
        deployment.close()
        raise
    return deployment


def _know_accounts(session: Session, deployment: Deployment) -> None:
    for name, account in deployment.settings.accounts.items():
        row = session.exec(select(AccountRow).where(AccountRow.name == name)).first()
        if row is None:
            session.add(AccountRow(name=name, platform=account.platform))
        elif row.platform != account.platform:
            raise ConfigError(
                f"{deployment.settings.file}: accounts.{name}.platform = {account.platform!r}: this account was "
                f"{row.platform!r} before; give the new one a name of its own"
            )
    known = set(session.exec(select(DepartmentRow.name)))
    for department in sorted({s.department for s in deployment.services if s.department} - known):
        session.add(DepartmentRow(name=department))


def account_row(session: Session, name: str) -> AccountRow:
    """The row of an account of the file."""
    return session.exec(select(AccountRow).where(AccountRow.name == name)).one()


def sends_for_real(deployment: Deployment, row: AccountRow) -> bool:
    """Effective sending: the file's ceiling and armed by an admin; loopback accounts need no arming."""
    account = deployment.settings.accounts.get(row.name)
    if account is None or account.sending != "armed":
        return False
    return account.is_loopback or row.armed


SYSTEM = Principal(by="system", roles=frozenset())
