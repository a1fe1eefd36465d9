"""What the pages call things: one word for one state, so that no state is told by colour alone."""

from __future__ import annotations

WORDS: dict[str, str] = {
    # platforms
    "x": "X",
    "facebook": "Facebook",
    "instagram": "Instagram",
    "mastodon": "Mastodon",
    "bluesky": "Bluesky",
    # draft states
    "pending": "Waiting for approval",
    "held": "On hold",
    "approved": "Approved",
    "sending": "Sending",
    "in_doubt": "Sent, not confirmed yet",
    "sent": "Sent",
    "failed": "Failed",
    "rejected": "Rejected",
    "expired": "Expired",
    "superseded": "Replaced",
    "cancelled": "Cancelled",
    "manual": "To be posted by hand",
    "dry_run": "Dry run: not sent",
    "retracted": "Retracted",
    # purposes
    "answer": "Answer",
    "clarify": "Asks where",
    "referral": "Referral",
    "follow_up": "Follow-up",
    "emergency": "Emergency",
    "correction": "Correction",
    # intents and the rest of an assessment
    "report": "Report",
    "question": "Question",
    "status": "Asks after a report",
    "complaint": "Complaint",
    "praise": "Praise",
    "other": "Other",
    "negative": "Negative",
    "neutral": "Neutral",
    "positive": "Positive",
    "high": "High",
    "normal": "Normal",
    # mention states
    "new": "New",
    "assessed": "No draft",
    "drafted": "Drafted",
    "waiting_for_resident": "Waiting for the resident",
    "filed": "Filed",
    "answered": "Answered",
    "dismissed": "Dismissed",
    "quarantined": "Could not be read",
    "deleted": "Deleted on its platform",
    # versions of what the model learned
    "version_candidate": "Waits for a decision",
    "version_refused": "Refused by the gate",
    "version_shadow": "In the shadow",
    "version_live": "In use",
    "version_retired": "Retired",
    # requests and tickets
    "proposed": "Proposed",
    "open": "Open",
    "closed": "Closed",
    "none": "No ticket",
    "fixed": "Fixed",
    "no_action": "No action needed",
    "not_found": "Not found",
    "duplicate": "Reported before",
    "referred": "Passed on to a partner",
    "not_ours": "Not the city's",
    "unknown": "Not known",
    # accounts
    "ok": "OK",
    "paused": "Paused",
    "unauthorized": "Not authorized",
    "rate_limited": "Asked to slow down",
    "armed": "Armed",
    # alarms
    "acknowledged": "Acknowledged",
    "not_an_emergency": "Not an emergency",
    "handed_over": "Handed over",
    # languages
    "en": "English",
    "es": "Spanish",
    "und": "Unknown",
}

#: The questions that the model answers.
HEADS: dict[str, str] = {
    "intent": "Intent",
    "service_code": "Service",
    "urgency": "Urgency",
    "sentiment": "Sentiment",
}

#: A ticket's states read otherwise than a draft's.
TICKETS: dict[str, str] = {
    "none": "No ticket",
    "pending": "Waiting to be opened",
    "sending": "Being opened",
    "in_doubt": "Opened, not confirmed yet",
    "open": "Open",
    "failed": "Could not be opened",
    "closed": "Closed",
    "cancelled": "Cancelled",
    "dry_run": "Dry run: not opened",
}


def ticket_word(state: str) -> str:
    """What people read for the state of a ticket."""
    return TICKETS.get(state) or word(state)


def scope_word(scope: str) -> str:
    """What people read for the scope of a kill switch."""
    kind, _, name = scope.partition(":")
    return {"all": "Everything", "platform": f"All of {word(name)}", "account": f"Account {name}"}.get(kind, scope)


def word(value: object) -> str:
    """What people read for a value of ours; a word we don't know is shown as it is, underscores aside."""
    text = str(value)
    return WORDS.get(text) or text.replace("_", " ").capitalize()
