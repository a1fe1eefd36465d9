"""What every test gets: no network but loopback, no settings of this machine, and a few tools."""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Before any test imports transformers: a model is a file of this repository, never a download.
os.environ["HF_HUB_OFFLINE"] = "1"

# The same examples everywhere, as long as they take: CI must not fail on what nobody changed. Who hunts for more runs
# `pytest --hypothesis-profile=default`.
settings.register_profile("harken", deadline=None, derandomize=True)
settings.load_profile("harken")

pytest_plugins = ["tests.fixtures.postgres", "tests.fixtures.stores"]

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


class OutsideWorldError(AssertionError):
    """A test reached for the network. Not an ``OSError``: our own code would take that for a failing platform."""


def is_here(host: object) -> bool:
    """Whether the host is this machine, told without asking a name server."""
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if not host or host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def refuse_outside(host: object) -> None:
    if not is_here(host):
        raise OutsideWorldError(f"tests talk to loopback only, not to {host!r}")


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    """For the whole session, so that servers in threads and module-wide fixtures are held to it too."""

    def checked(name: str) -> Callable[..., Any]:
        original = getattr(socket.socket, name)

        def call(self: socket.socket, *args: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6):
                refuse_outside(args[-1][0])  # the address is the last argument of each
            return original(self, *args)

        return call

    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        refuse_outside(host)
        return resolve(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, name, checked(name))
        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        yield


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("HARKEN_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def free_port() -> int:
    """A TCP port on loopback that nobody listens on just now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A TCP port on loopback that refuses connections, and that nobody else can take meanwhile."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@pytest.fixture
def wait_until() -> Callable[..., None]:
    """Polls a condition instead of sleeping a guess: ``wait_until(path.exists)``.

    ``within`` (seconds) is what a loaded machine may need; a machine at ease ends the wait long before.
    """

    def wait(condition: Callable[[], object], *, within: float = 60, every: float = 0.02) -> None:
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, f"did not come true within {within} s"
            time.sleep(every)

    return wait


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database of today's schema, to copy; migrating takes longer than most tests."""
    from store import migrate
    from store.engine import open_store

    file = tmp_path_factory.mktemp("migrated") / "harken.db"
    store = open_store(f"sqlite:///{file}")
    migrate.upgrade(store)
    store.forget_freed_pages()
    store.close()
    return file


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium of this machine; pages open with ``browser.new_page()``."""
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        pytest.skip("no Chromium: apt-get install chromium fonts-dejavu-core fonts-noto-color-emoji")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=120_000)  # milliseconds; what comes true ends the wait
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_FLAGS))
        yield chromium
        chromium.close()
