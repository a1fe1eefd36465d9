"""What a CRM bridge is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from vocabulary import Offers, ServiceRequest, Ticket

#: The built-in CRM is our own database: the ticket is written in the transaction that decides it.
BUILT_IN = Offers(own_record_key=True, left="nothing: no call is made, so no outcome is unknown")


@dataclass(frozen=True, kw_only=True, slots=True)
class TicketChange:
    """A ticket whose status the CRM changed."""

    ticket: Ticket
    reference: str | None  #: ours, where the CRM gives it back


class CrmBridge(Protocol):
    """Opens tickets in one CRM and hears what becomes of them.

    A module of this package offers ``connect(table: dict[str, Any]) -> CrmBridge``: the ``[crm]`` table with its
    secrets merged in; and ``OFFERS``, what it tells of its target without a connection.
    """

    offers: Offers  #: what may be promised here: ``pipeline/promises.py``

    def open_ticket(self, request: ServiceRequest, *, key: str) -> Ticket:
        """Open the ticket; ``key`` is put where ``find`` can search it.

        Raises:
            InDoubt: it may have been opened; ``find`` it before anything else.
            AdapterError: of the kind that says what to do next.
        """
        ...

    def find(self, request: ServiceRequest, *, key: str) -> Ticket | None:
        """The ticket that carries the key, or None. Raises ``AdapterError`` when it can't be read."""
        ...

    def status(self, ticket: Ticket) -> Ticket:
        """The ticket as it stands now; a token becomes an id when the CRM has given one."""
        ...

    def changed_since(self, moment: datetime) -> Iterator[TicketChange]:
        """Tickets changed since then (aware UTC); may repeat, may overlap."""
        ...
