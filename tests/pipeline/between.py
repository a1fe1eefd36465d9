"""A responder between the pipeline and a real one, so that something can happen at each of its steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from responders.base import Responder
from tests.deployments import X
from tests.pipeline.city import City
from vocabulary import ApprovedReply, Offers, OwnPost, PostNow, SentReply


def nothing(_: str) -> None:
    """Nothing happens."""


@dataclass
class Between(Responder):
    """Passes every call on; before each look, and between the claim and the call, it lets something happen."""

    inner: Responder
    offers: Offers
    looking: Callable[[str], None] = nothing  #: given the post's id
    looked: Callable[[str], None] = nothing
    calling: Callable[[str], None] = nothing
    keys: list[str] = field(default_factory=list)  #: that calls were made with
    hidden: int = 0  #: readings that show nothing of ours, however much there is
    readings: int = 0

    @classmethod
    def put_into(
        cls,
        city: City,
        account: str = X,
        *,
        offers: Offers | None = None,
        looking: Callable[[str], None] = nothing,
        looked: Callable[[str], None] = nothing,
        calling: Callable[[str], None] = nothing,
    ) -> Between:
        """Put one before the responder of an account; with other offers, where the target is to be another one."""
        inner = city.deployment.responder(account)
        made = cls(inner=inner, offers=offers or inner.offers, looking=looking, looked=looked, calling=calling)
        made.private_offers = inner.private_offers
        made.hindrance, made.max_length = inner.hindrance, inner.max_length
        city.deployment.responders[account] = made
        return made

    def length(self, text: str) -> int:
        return self.inner.length(text)

    def look(self, post_id: str) -> PostNow:
        self.looking(post_id)
        return self.inner.look(post_id)

    def answers(self, reply: ApprovedReply) -> tuple[OwnPost, ...]:
        found = self.inner.answers(reply)
        self.looked(reply.in_reply_to)
        return () if self.hidden else found

    def would_send(self, reply: ApprovedReply) -> dict[str, str]:
        return self.inner.would_send(reply)

    def send(self, reply: ApprovedReply, *, key: str) -> SentReply:
        self.keys.append(key)
        self.calling(reply.in_reply_to)
        return self.inner.send(reply, key=key)

    def find_sent(self, reply: ApprovedReply) -> SentReply | None:
        self.readings += 1
        if self.hidden:
            self.hidden -= 1
            return None
        return self.inner.find_sent(reply)

    def retract(self, post_id: str) -> None:
        self.inner.retract(post_id)
