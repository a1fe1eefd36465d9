"""What every listener and every responder must hold to, found by looking into the packages."""

from __future__ import annotations

import inspect
import pkgutil
import re
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

import pytest

import listeners
import responders
from listeners.base import Listener
from responders.base import Responder
from vocabulary import Offers

LISTENERS = [m.name for m in pkgutil.iter_modules(listeners.__path__) if m.name != "base"]
#: The package holds drafting too; a platform's responder is the one that has a client.
RESPONDERS = [m.name for m in pkgutil.iter_modules(responders.__path__) if find_spec(f"clients.{m.name}")]
ADAPTERS = [f"listeners.{kind}" for kind in LISTENERS] + [f"responders.{kind}" for kind in RESPONDERS]


def made_here(module: ModuleType, protocol: type) -> list[type]:
    """The module's own classes that keep the protocol by subclassing it, which is how mypy checks them."""
    found = [one for _, one in inspect.getmembers(module, inspect.isclass) if one.__module__ == module.__name__]
    return [one for one in found if protocol in one.__mro__]


def test_the_two_platforms_of_the_first_day_are_there() -> None:
    assert {"x", "facebook"} <= set(LISTENERS)
    assert {"x", "facebook"} <= set(RESPONDERS)


@pytest.mark.parametrize("name", ADAPTERS)
def test_an_adapter_says_where_its_facts_come_from_and_when_they_were_read(name: str) -> None:
    told = import_module(name).__doc__ or ""

    assert "Source:" in told
    assert re.search(r"read 20\d\d-\d\d", told)


@pytest.mark.parametrize("name", ADAPTERS)
def test_an_adapter_is_connected_by_one_function_of_one_table(name: str) -> None:
    connect = import_module(name).connect

    assert list(inspect.signature(connect).parameters) == ["table"]


@pytest.mark.parametrize("kind", LISTENERS)
def test_a_listener_keeps_the_protocol_and_names_its_sources(kind: str) -> None:
    found = made_here(import_module(f"listeners.{kind}"), Listener)

    assert len(found) == 1
    assert not inspect.isabstract(found[0])


@pytest.mark.parametrize("kind", RESPONDERS)
def test_a_responder_keeps_the_protocol_and_promises_what_it_can_read_back(kind: str) -> None:
    found = made_here(import_module(f"responders.{kind}"), Responder)

    assert len(found) == 1
    assert isinstance(vars(found[0])["offers"], Offers)


@pytest.mark.parametrize("kind", RESPONDERS)
def test_drafting_can_count_without_a_connection(kind: str) -> None:
    module = import_module(f"responders.{kind}")

    assert module.MAX_LENGTH > 0
    assert module.length("") == 0
    assert module.length("Thank you.") == len("Thank you.")
    assert module.length("cafe\u0301 👩‍👩‍👧‍👦 \x00 \ud83d") > 0


@pytest.mark.parametrize("name", ADAPTERS)
def test_an_adapter_keeps_to_its_neighbours(name: str) -> None:
    """No settings, no store, no retry, no clock of its own to sleep by."""
    source = inspect.getsource(import_module(name))

    assert not re.search(r"^\s*(?:from|import) (?:settings|store|pipeline|sandbox|tenacity|sched)\b", source, re.M)
    assert "sleep(" not in source
    assert "except Exception" not in source
