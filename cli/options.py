"""What the commands share: the config option, and opening a deployment."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pipeline.deployment import Deployment

Config = Annotated[Path, typer.Option("--config", envvar="HARKEN_CONFIG", help="The config file.")]
DEFAULT = Path("harken.toml")


def opened(config: Path, *, migrating: bool = False) -> Deployment:
    """The deployment of a config file. The import is here, since ``harken --help`` needs none of it."""
    from pipeline.deployment import open_deployment

    return open_deployment(config, migrating=migrating)


def log_to_stderr(*, verbose: bool = False) -> None:
    """A line an event: for people on a terminal, JSON elsewhere. Libraries that log tokens stay silent."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(_LINE) if sys.stderr.isatty() else JsonLines())
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler], force=True)
    for name in (
        "tweepy",
        "urllib3",
        "httpx",
        "httpcore",
        "requests_oauthlib",
        "oauthlib",
        "apscheduler",
        "apprise",
        "procrastinate",
    ):
        logging.getLogger(name).setLevel(logging.WARNING)


_LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class JsonLines(logging.Formatter):
    """One JSON object a line, for whatever gathers the logs."""

    def format(self, record: logging.LogRecord) -> str:
        """The record with its ``extra`` values; no post's text is ever among them."""
        known = logging.LogRecord("", 0, "", 0, "", (), None).__dict__.keys() | {"message", "asctime", "taskName"}
        line: dict[str, Any] = {
            "at": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in record.__dict__.items() if key not in known}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
