"""Messenger as far as private replies go: one to a post or comment, within seven days, and the Page's conversations.

``POST /{page}/messages`` with ``recipient={"comment_id": …}`` or ``{"post_id": …}`` and ``message={"text": …}``, each
JSON in a form field. ``GET /{page}/conversations`` shows what the Page wrote (``user_id`` narrows it to one person).

Source: developers.facebook.com/docs/messenger-platform/discovery/private-replies (2026-04-16: one message, 7 days);
Meta's parameter lists for Page messages and conversations in facebook-business 25; errors 10900 and 10903 as quoted in
public issues (read 2026-11). Not here: messages of people, attachments, the 24-hour window.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from fastapi import APIRouter

from sandbox.effects import Effect
from sandbox.graph import ValuesDep, ViewDep, selected_of
from sandbox.graph_errors import GraphError, bad_parameter, gone, no_such_field
from sandbox.graph_fields import Selected
from sandbox.graph_objects import View, graph_time
from sandbox.messages import AlreadyAnswered, Message
from sandbox.people import NotThere
from sandbox.posts import Post

router = APIRouter(prefix="/v{major:int}.{minor:int}")

WITHIN = timedelta(days=7)
LONGEST = 2000  #: characters of a message; Send API reference
TYPES = {"RESPONSE", "UPDATE", "MESSAGE_TAG"}
THREAD_FIELDS = {"updated_time", "message_count", "participants", "messages"}
MESSAGE_FIELDS = {"created_time", "message", "from", "to"}


@router.post("/{id}/messages")
def send(id: str, view: ViewDep, values: ValuesDep) -> dict[str, str]:
    """A private reply."""
    if id not in ("me", view.page.id):
        raise gone(id, "post")
    text = _object(values, "message").get("text")
    if not isinstance(text, str) or not text.strip():
        raise bad_parameter("Param message[text] must be a non-empty string")
    if len(text) >= LONGEST:
        raise bad_parameter("Length of param message[text] must be less than or equal to 2000")
    if values.get("messaging_type", "RESPONSE") not in TYPES:
        raise bad_parameter("Param messaging_type must be one of {RESPONSE, UPDATE, MESSAGE_TAG}")
    world = view.world
    with world.database.transaction():
        about = _answered(view, _object(values, "recipient"))
        if world.clock.now() - about.posted_at > WITHIN or about.author_id == view.page.id or about.tagged:
            raise GraphError(10903, "(#10903) This user can't reply to this activity", kind="OAuthException")
        try:
            message = world.messages.add(view.page, about, text)
        except AlreadyAnswered:
            raise GraphError(10900, "(#10900) Activity already replied to", kind="OAuthException") from None
        world.effects.note(
            Effect(
                platform="facebook",
                kind="private_reply",
                id=message.id,
                in_reply_to=about.id,
                text=text,
                author=view.page.id,
            )
        )
    return {"recipient_id": message.person_id, "message_id": message.id}


def _object(values: Mapping[str, str], name: str) -> dict[str, Any]:
    try:
        read = json.loads(values.get(name, ""))
    except ValueError:
        raise bad_parameter(f"Param {name} must be a valid JSON object") from None
    if not isinstance(read, dict):
        raise bad_parameter(f"Param {name} must be a valid JSON object")
    return read


def _answered(view: View, recipient: Mapping[str, Any]) -> Post:
    """The post or comment on the caller's Page that the recipient names."""
    named = {name: value for name, value in recipient.items() if name in ("comment_id", "post_id")}
    if len(named) != 1:
        raise bad_parameter("Param recipient must name a comment_id or a post_id")
    ((name, id),) = named.items()
    try:
        post = view.world.posts.living(str(id), "facebook")
    except NotThere:
        raise gone(str(id), "post") from None
    if post.page_id != view.page.id or (name == "post_id") != (post.in_reply_to is None):
        raise GraphError(10903, "(#10903) This user can't reply to this activity", kind="OAuthException")
    return post


@router.get("/{id}/conversations")
def conversations(id: str, view: ViewDep, values: ValuesDep) -> dict[str, Any]:
    """Whom the Page wrote to, and what."""
    if id not in ("me", view.page.id):
        raise gone(id)
    selected = selected_of(values) or (Selected("updated_time"),)
    found = view.world.messages.of_page(view.page.id, values.get("user_id"))
    return {"data": [_thread(view, person, messages, selected) for person, messages in found.items()]}


def _thread(view: View, person_id: str, messages: list[Message], selected: Sequence[Selected]) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": f"t_{person_id}"}
    for one in selected:
        if one.name not in THREAD_FIELDS | {"id"}:
            raise no_such_field(one.name, "page")
        if one.name == "updated_time":
            shown["updated_time"] = graph_time(messages[0].at)
        elif one.name == "message_count":
            shown["message_count"] = len(messages)
        elif one.name == "participants":
            shown["participants"] = {"data": [_named(view, person_id), _named(view, view.page.id)]}
        elif one.name == "messages":
            limit = int(one.modifiers.get("limit", "25"))
            shown["messages"] = {"data": [_shown(view, message, one.inner) for message in messages[:limit]]}
    return shown


def _shown(view: View, message: Message, selected: Sequence[Selected]) -> dict[str, Any]:
    full = {
        "created_time": graph_time(message.at),
        "message": message.text,
        "from": _named(view, message.page_id),
        "to": {"data": [_named(view, message.person_id)]},
    }
    wanted = {one.name for one in selected} or {"created_time"}
    if unknown := wanted - MESSAGE_FIELDS - {"id"}:
        raise no_such_field(min(unknown), "page")
    return {"id": message.id} | {name: value for name, value in full.items() if name in wanted}


def _named(view: View, id: str) -> dict[str, str]:
    return {"name": view.world.people.find("facebook", id).name, "id": id}
