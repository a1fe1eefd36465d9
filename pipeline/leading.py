"""Standing for leader: of many processes over one PostgreSQL only one's clock runs, and none has to be told which."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

from sqlalchemy.exc import DBAPIError

from store import leader
from store.engine import Store
from store.leader import LEASE, NotLeadingError, Term

log = logging.getLogger(__name__)

CLOCK = "clock"  #: what is led


class Candidate:
    """One process that leads whenever nobody else does.

    It believes itself leader for no longer than its lease by its own steady clock, counted from before it asked; so one
    that stood still knows before it does anything. What it writes even so is checked in the database.
    """

    def __init__(
        self,
        store: Store,
        holder: str,
        *,
        elected: Callable[[], None],
        deposed: Callable[[], None],
        lease: timedelta = LEASE,
    ) -> None:
        self._store, self._holder, self._lease = store, holder, lease
        self._elected, self._deposed = elected, deposed
        self._term: Term | None = None
        self._until = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leader", daemon=True)

    def start(self) -> None:
        """Stand for it, and again until stopped."""
        self._thread.start()

    def stop(self) -> None:
        """Stand no more; another may lead at once."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)
        term, self._term = self._term, None
        if term is not None:
            try:
                with self._store.claiming() as session:
                    leader.resign(session, term)
            except DBAPIError:
                log.warning("the lead could not be given back; it lapses by itself")

    @property
    def leading(self) -> bool:
        """Whether this process may take itself for the leader."""
        return self._term is not None and time.monotonic() < self._until

    @contextmanager
    def acting(self) -> Iterator[None]:
        """What a leader does: each transaction that it writes in begins by making sure of that.

        Raises:
            NotLeadingError: it leads no longer, and nothing was done or what was begun is undone.
        """
        term = self._term
        if term is None or not self.leading:
            raise NotLeadingError(f"{self._holder} does not lead the {CLOCK}")
        with self._store.checking(partial(leader.must_hold, term=term)):
            yield

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.stand()
            self._stopping.wait(self._lease.total_seconds() / 3)

    def stand(self) -> None:
        """One try to become leader, or to stay it."""
        began = time.monotonic()
        try:
            with self._store.claiming() as session:
                term = self._term
                if term is not None and not leader.renew(session, term, lease=self._lease):
                    term = None
                term = term or leader.stand(session, CLOCK, holder=self._holder, lease=self._lease)
        except DBAPIError as err:
            log.warning("could not stand for leader: %s", type(err.orig).__name__)
            if self._term is not None and not self.leading:
                self._lose()
            return
        if self._term is not None and term != self._term:
            self._lose()
        if term is not None:
            before, self._term, self._until = self._term, term, began + self._lease.total_seconds()
            if before is None:
                log.info("the clock runs here from now on", extra={"epoch": term.epoch})
                self._elected()

    def _lose(self) -> None:
        self._term = None
        log.warning("the clock runs elsewhere from now on")
        self._deposed()
