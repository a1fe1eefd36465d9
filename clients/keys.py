"""An account's own keys, out of its table of ``harken.toml``."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from errors import ConfigError

#: Keys that every account or CRM has: ``settings.py`` checks them and the pipeline heeds them.
GENERAL = frozenset({"platform", "poll_every", "backfill", "reply_within", "sending", "name", "kind", "wait"})

Keys = TypeVar("Keys", bound=BaseModel)


def keys(model: type[Keys], table: dict[str, Any]) -> Keys:
    """The platform's own part of the table, checked.

    Raises:
        ConfigError: naming each wrong key, never its value: it may be a secret.
    """
    own = {key: value for key, value in table.items() if key not in GENERAL and value not in (None, "")}
    try:
        return model.model_validate(own)
    except ValidationError as err:
        wrong = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'table'}: {e['msg']}" for e in err.errors(include_input=False)
        )
    where = table.get("name") or table.get("platform") or table.get("kind") or "account"
    raise ConfigError(f"{where}: {wrong}")
