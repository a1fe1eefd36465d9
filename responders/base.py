"""What a responder is."""

from __future__ import annotations

from typing import Any, Protocol

from vocabulary import ApprovedReply, Offers, OwnPost, PostNow, SentReply, Visibility


class Responder(Protocol):
    """Posts approved replies for one account on one platform.

    A module of this package that can reply offers ``connect(table: dict[str, Any]) -> Responder``, and what is needed
    of it without a connection: ``OFFERS``, ``MAX_LENGTH`` and ``length(text)``; where a private message has a bound or
    an offer of its own, ``MAX_PRIVATE_LENGTH`` and ``PRIVATE_OFFERS`` besides.
    """

    offers: Offers  #: what may be promised here: ``pipeline/promises.py``
    private_offers: Offers | None = None  #: of a private message, where it differs
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

    def answers(self, reply: ApprovedReply) -> tuple[OwnPost, ...]:
        """What this account wrote in public where the reply would stand, by whatever hand.

        Asked before sending, so that what a colleague answered a moment ago is seen, and later, to look for doubles.

        Raises:
            AdapterError: it can't be read.
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


def offered(responder: Responder, visibility: Visibility) -> Offers:
    """What a responder offers for a reply that so many may read."""
    private = responder.private_offers if visibility is Visibility.DIRECT else None
    return private or responder.offers


def longest(rule: Any, visibility: Visibility) -> int:
    """The most that a reply may count, by a module of this package. Units: those of its ``length``."""
    most: int = rule.MAX_LENGTH
    return getattr(rule, "MAX_PRIVATE_LENGTH", most) if visibility is Visibility.DIRECT else most
