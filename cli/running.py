"""Running Harken: ``run``, ``web``, ``worker``, ``init``, ``doctor``, ``db upgrade``."""

from __future__ import annotations

import logging
import os
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import DEFAULT, Config, log_to_stderr, opened
from errors import ConfigError

if TYPE_CHECKING:
    from pipeline.deployment import Deployment

log = logging.getLogger(__name__)


def add_to(app: typer.Typer) -> None:
    """Put the commands on the app."""
    app.command()(run)
    app.command()(web)
    app.command()(worker)
    app.command()(init)
    app.command()(doctor)
    database = typer.Typer(help="The database's schema.", no_args_is_help=True)
    database.command("upgrade")(upgrade)
    app.add_typer(database, name="db")


def run(config: Config = DEFAULT, verbose: Annotated[bool, typer.Option("--verbose")] = False) -> None:
    """Web, clock and worker in one process."""
    log_to_stderr(verbose=verbose)
    serve_all(config)


def serve_all(config: Path, *, ready: threading.Event | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C, then stop within ten seconds.

    ``ready`` is set when the pages answer.

    Raises:
        ConfigError: anything that a person must mend first.
    """
    serve_opened(opened(config, migrating=True), ready=ready)


def serve_opened(deployment: Deployment, *, ready: threading.Event | None = None) -> None:
    """As ``serve_all``, for whoever has opened the deployment."""
    from scheduler import Runner

    deployment.check_adapters()
    runner = Runner(deployment)
    runner.start()
    try:
        _serve(deployment, ready)
    finally:
        ended = runner.stop()
        deployment.close()
        if not ended:
            log.warning("a round was still in flight; it is taken up from its row next time")
            logging.shutdown()
            os._exit(0)


def _serve(deployment: Any, ready: threading.Event | None = None) -> None:
    import uvicorn

    from web.app import create_app

    table = deployment.settings.web
    made = uvicorn.Config(
        create_app(deployment),
        host=table.host,
        port=table.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=3,
        server_header=False,
    )
    server = uvicorn.Server(made)
    # uvicorn ends gracefully and then raises the signal again, for whoever handled it before: that must not kill us,
    # since what is in flight still has to end.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _already_heard)
    if ready is not None:
        threading.Thread(target=_tell_when_started, args=(server, ready), daemon=True).start()
    server.run()
    if not server.started:
        raise ConfigError(f"web.port = {table.port}: can't be opened on {table.host}; is something else running there?")


def _already_heard(_number: int, _frame: FrameType | None) -> None:
    log.info("stopping")


def _tell_when_started(server: Any, ready: threading.Event) -> None:
    while not server.started and not server.should_exit:
        threading.Event().wait(0.05)
    ready.set()


def web(config: Config = DEFAULT) -> None:
    """The pages and the API alone; refuses an old schema."""
    log_to_stderr()
    with opened(config) as deployment:
        _serve(deployment)


def worker(config: Config = DEFAULT) -> None:
    """The clock and the worker alone; refuses an old schema."""
    log_to_stderr()
    work_opened(opened(config))


def work_opened(deployment: Deployment) -> None:
    """As ``worker``, for whoever has opened the deployment; ends the process."""
    from scheduler import Runner

    deployment.check_adapters()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopping.set())
    runner = Runner(deployment)
    runner.start()
    stopping.wait()
    ended = runner.stop()
    logging.shutdown()
    os._exit(0 if ended else 1)


def init(
    folder: Annotated[Path, typer.Argument(help="Where to write; made if it is not there.")] = Path(),
) -> None:
    """Write a commented harken.toml and a list of services to begin with. Nothing that is there is overwritten."""
    from cli.starting import write_files

    for written in write_files(folder):
        typer.echo(f"wrote {written}")
    typer.echo("next: fill in [city] and an account, put the keys into secrets.env (mode 0600), run `harken doctor`")


def doctor(config: Config = DEFAULT) -> None:
    """Check config, database, credentials, reachability, model, clock and alarm recipients; exit 1 if one fails."""
    from pipeline.doctor import examine

    findings = examine(config)
    for finding in findings:
        typer.echo(str(finding))
    if any(finding.mark == "FAIL" for finding in findings):
        raise typer.Exit(1)


def upgrade(config: Config = DEFAULT) -> None:
    """Bring the database to this version's schema."""
    from store import migrate

    with opened(config, migrating=True) as deployment:
        typer.echo(f"schema {migrate.current(deployment.store)}")
