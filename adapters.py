"""From a package and a kind to the module that serves it, imported on first use."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from errors import ConfigError


def adapter(package: str, kind: str) -> ModuleType:
    """The module of ``package`` for a platform or CRM; a city without X never loads tweepy.

    Raises:
        ConfigError: there is no such module, or a library that it needs is not installed.
    """
    name = f"{package}.{kind}"
    if not kind.isidentifier() or find_spec(name) is None:
        raise ConfigError(f"no {package} adapter for {kind!r}: expected the file {package}/{kind}.py")
    try:
        return import_module(name)
    except ModuleNotFoundError as err:
        raise ConfigError(f"{name} needs the package {err.name!r}: install it, then try again") from err


def has_adapter(package: str, kind: str) -> bool:
    """Whether the package has a module for this kind."""
    return kind.isidentifier() and find_spec(f"{package}.{kind}") is not None
