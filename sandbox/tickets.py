"""The CRM behind the Open311 endpoint: its service requests and how they come to have a number."""

import json
import secrets
from dataclasses import dataclass
from datetime import datetime

from sandbox.clock import Clock, from_milliseconds, milliseconds
from sandbox.state import Database, Row


@dataclass(frozen=True, kw_only=True, slots=True)
class Ticket:
    number: int
    service_request_id: str | None  #: none yet: a batch request still in the queue, or a black box
    token: str | None
    status: str  #: open or closed
    status_notes: str
    service_code: str
    fields: dict[str, str]  #: what the caller sent, ``attribute[...]`` among it, without the key
    requested_at: datetime
    updated_at: datetime


class Tickets:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    @property
    def mode(self) -> str:
        return str(self._database.setting("open311_mode", "realtime"))

    def switch(self, mode: str, polls: int) -> None:
        """How new requests get their number: ``realtime``, ``batch`` (after some polls), ``blackbox`` (never)."""
        self._database.keep("open311_mode", mode)
        self._database.keep("open311_polls", polls)

    def open(self, service_code: str, fields: dict[str, str]) -> Ticket:
        now = milliseconds(self._clock.now())
        mode = self.mode
        token = secrets.token_hex(12) if mode == "batch" else None
        polls = int(self._database.setting("open311_polls", 2)) if mode == "batch" else 0
        with self._database.transaction():
            number = self._database.run(
                "INSERT INTO ticket (token, polls_left, status, service_code, fields, requested_at, updated_at)"
                " VALUES (?, ?, 'open', ?, ?, ?, ?)",
                (token, polls, service_code, json.dumps(fields), now, now),
            )
            if mode == "realtime":
                self._allot(number)
        return self._get("number = ?", number)

    def _allot(self, number: int) -> None:
        day = self._clock.now().strftime("%y")
        self._database.run("UPDATE ticket SET service_request_id = ? WHERE number = ?", (f"{day}-{number:08d}", number))

    def poll(self, token: str) -> Ticket:
        """The request of a token; asking often enough gives it its number.

        Raises:
            LookupError: no such token.
        """
        with self._database.transaction():
            ticket = self._get("token = ?", token)
            if ticket.service_request_id is None:
                self._database.run("UPDATE ticket SET polls_left = polls_left - 1 WHERE token = ?", (token,))
                left = self._database.row("SELECT polls_left FROM ticket WHERE token = ?", (token,))
                if left is not None and left["polls_left"] <= 0:
                    self._allot(ticket.number)
            return self._get("token = ?", token)

    def close(self, id: str, notes: str) -> Ticket:
        """Closes by number or token.

        Raises:
            LookupError: no such request.
        """
        with self._database.transaction():
            ticket = self.find(id)
            self._database.run(
                "UPDATE ticket SET status = 'closed', status_notes = ?, updated_at = ? WHERE number = ?",
                (notes, milliseconds(self._clock.now()), ticket.number),
            )
            return self._get("number = ?", ticket.number)

    def find(self, id: str) -> Ticket:
        return self._get("service_request_id = ? OR token = ?", id, id)

    def _get(self, condition: str, *values: object) -> Ticket:
        row = self._database.row(f"SELECT * FROM ticket WHERE {condition}", values)
        if row is None:
            raise LookupError("no such service request")
        return _ticket(row)

    def all(self) -> list[Ticket]:
        return [_ticket(row) for row in self._database.rows("SELECT * FROM ticket ORDER BY number DESC")]


def _ticket(row: Row) -> Ticket:
    return Ticket(
        number=row["number"],
        service_request_id=row["service_request_id"],
        token=row["token"],
        status=row["status"],
        status_notes=row["status_notes"],
        service_code=row["service_code"],
        fields=json.loads(row["fields"]),
        requested_at=from_milliseconds(row["requested_at"]),
        updated_at=from_milliseconds(row["updated_at"]),
    )
