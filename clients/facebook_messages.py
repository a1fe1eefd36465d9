"""What a Page wrote to one person in private, read back.

Source: Meta's lists for Page conversations (``user_id``) and Comment, Page post (``can_reply_privately``) in
facebook-business 25; developers.facebook.com/docs/messenger-platform/discovery/private-replies, 2026-04-16: one message
to a post or comment, within seven days. ``can_reply_privately`` is no also where the token lacks a permission (public
issues of 2018), so only its yes is believed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from clients import facebook, http
from clients.facebook_posts import Id, Person
from errors import Unavailable

LATEST = 50  #: messages of a conversation that are read


class Message(BaseModel):
    """One message of a conversation."""

    id: Id
    created_time: AwareDatetime
    message: str = ""
    author: Person | None = Field(default=None, alias="from")

    @property
    def text(self) -> str:
        """What it says."""
        return http.storable(self.message)


class _Messages(BaseModel):
    data: list[Message] = []


class _Conversation(BaseModel):
    messages: _Messages = _Messages()


def written_to(graph: facebook.Graph, page_id: str, person_id: str, *, since: datetime) -> Iterator[Message]:
    """The Page's messages to a person, newest first.

    Raises:
        AdapterError: of the kind that says what to do next.
    """
    body = graph.read(
        page_id,
        "conversations",
        user_id=person_id,
        fields=f"messages.limit({LATEST}){{id,message,created_time,from}}",
    )
    try:
        found = [_Conversation.model_validate(item) for item in body["data"]]
    except ValidationError as err:
        raise Unavailable("Facebook shows a conversation in a shape that we can't read") from err
    for message in (message for one in found for message in one.messages.data):
        if message.author is not None and message.author.id == page_id and message.created_time >= since:
            yield message


def may_be_written(graph: facebook.Graph, post_id: str) -> bool:
    """Whether Facebook says that this post or comment had no private reply yet."""
    return graph.read(post_id, fields="can_reply_privately").get("can_reply_privately") is True
