"""What ``harken init`` writes."""

from __future__ import annotations

from pathlib import Path

from errors import ConfigError

#: In the wheel the example lies in ``templates``; in a checkout at the top, where a reader looks for it.
EXAMPLES = (
    Path(__file__).parent.parent / "templates" / "harken.example.toml",
    Path(__file__).parent.parent / "harken.example.toml",
)
SERVICES = Path(__file__).parent.parent / "templates" / "starting" / "services.csv"


def example() -> str:
    """The complete, commented config."""
    for path in EXAMPLES:
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise ConfigError("harken.example.toml is missing from this installation: install it again")


def write_files(folder: Path) -> list[Path]:
    """Write the config and the list of services; gives what was written.

    Raises:
        ConfigError: there is a config already, or the folder can't be written.
    """
    wanted = {"harken.toml": example(), "services.csv": SERVICES.read_text(encoding="utf-8")}
    if (folder / "harken.toml").exists():
        raise ConfigError(f"{folder / 'harken.toml'} is there already; edit it, or name another folder")
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in wanted.items():
            if not (folder / name).exists():
                (folder / name).write_text(text, encoding="utf-8")
                written.append(folder / name)
    except OSError as err:
        raise ConfigError(f"{folder}: can't be written: {err}") from err
    return written
