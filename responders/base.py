"""What a responder is."""

from __future__ import annotations

from typing import Any, Protocol

from vocabulary import ApprovedReply, Offers, PostNow, SentReply, Visibility


class Responder(Protocol):
    """Posts approved replies for one account on one platform.

    A module of this package that can reply offers ``connect(table: dict[str, Any]) -> Responder``, and the two
    names ``MAX_LENGTH`` and ``length(text)`` that drafting needs without a connection; where a private message has a
    bound of its own, ``MAX_PRIVATE_LENGTH`` besides.
    """

    offers: Offers  #: what may be promised here
    hindrance: str | None  #: why nothing can be sent, a missing key for one; None: all is there
    max_length: int  #: in the units of ``length``

    def length(self, text: str) -> int:
        """The platform's own count of a text: X weighs, Bluesky counts graphemes."""
        ...

    def look(self, post_id: str) -> PostNow:
        """The post as it stands now, for the check before sending.

        Raises:
            AdapterError: of the kind that says what to do next.
        """
        ...

    def would_send(self, reply: ApprovedReply) -> dict[str, str]:
        """The exact call that ``send`` would make, for a dry run: method, path, and the fields; no secret."""
        ...

    def send(self, reply: ApprovedReply, *, key: str) -> SentReply:
        """Post the reply.

        Raises:
            InDoubt: it may stand on the thread; read back before anything else.
            NotInvited: the platform allows no reply by program here.
            AdapterError: of the kind that says what to do next.
        """
        ...

    def find_sent(self, reply: ApprovedReply) -> SentReply | None:
        """Our reply as the thread shows it, or None. Raises ``AdapterError`` when it can't be read."""
        ...

    def retract(self, post_id: str) -> None:
        """Delete our own reply; done twice is done once."""
        ...


def longest(rule: Any, visibility: Visibility) -> int:
    """The most that a reply may count, by a module of this package. Units: those of its ``length``."""
    most: int = rule.MAX_LENGTH
    return getattr(rule, "MAX_PRIVATE_LENGTH", most) if visibility is Visibility.DIRECT else most
