"""A sender as one writes it at first: check, send, mark. The suite must find its doubles, or it is blind."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from adapters import adapter
from errors import AdapterError
from settings import load
from tests.deployments import FACEBOOK, X
from vocabulary import ApprovedReply, ReplyDraft, ServiceRequest

ACCOUNTS = {"x": X, "facebook": FACEBOOK}
TABLE = "CREATE TABLE IF NOT EXISTS effect (id INTEGER PRIMARY KEY, kind TEXT, target TEXT, text TEXT, sent INTEGER)"


def outbox(folder: Path) -> sqlite3.Connection:
    """Its table of what is to be sent."""
    made = sqlite3.connect(folder / "naive.db", timeout=30, isolation_level=None)
    made.execute("PRAGMA journal_mode = WAL")
    made.execute(TABLE)
    return made


class Sender:
    """It speaks to the platforms as Harken does, by the same adapters; only the protocol is missing."""

    def __init__(self, config: Path) -> None:
        settings = load(config)
        self._outbox = outbox(config.parent)
        self._responders = {
            platform: adapter("responders", platform).connect(
                {"platform": platform, **settings.accounts[name].table, "name": name}
            )
            for platform, name in ACCOUNTS.items()
        }
        self._crm = adapter("crm_bridge", settings.crm.kind).connect(settings.crm.table)

    def send_what_waits(self) -> None:
        """Whatever is not marked as sent is sent, and then marked."""
        waiting = self._outbox.execute(
            "SELECT id, kind, target, text FROM effect WHERE sent = 0 ORDER BY id"
        ).fetchall()
        for number, kind, target, text in waiting:
            try:
                self._send(kind, target, text)
            except AdapterError:
                continue  # again, the next time round
            self._outbox.execute("UPDATE effect SET sent = 1 WHERE id = ?", (number,))

    def _send(self, kind: str, target: str, text: str) -> None:
        if kind == "ticket":
            self._crm.open_ticket(ServiceRequest(reference=target, service_code="pothole", description=text), key="")
            return
        self._responders[kind].send(_reply(target, text), key="")


def _reply(target: str, text: str) -> ApprovedReply:
    draft = ReplyDraft(
        draft_id="0", account="", platform="", in_reply_to=target, conversation_key=target, addressee=None, text=text
    )
    return draft.approve(by="nobody", at=datetime.now(UTC))
