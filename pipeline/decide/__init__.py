"""What people decide. Each decision, its audit entry and its effects are one transaction.

``approving.py``, ``filing.py``: the yes to a draft; ``drafts.py``: reject, edit, undo, hold …;
``mentions.py``: corrections, dismissals, alarms, notes;
``running.py``: requests of the built-in CRM, arming, kill switches, attention;
``labels.py``: which answers the model may give by itself.
"""

from pipeline.decide.approving import approve
from pipeline.decide.drafts import cancel, edit, hold, reject, release, retract, retry
from pipeline.decide.labels import set_label
from pipeline.decide.mentions import acknowledge, assign, correct, dismiss, label, note, redraft, undismiss
from pipeline.decide.running import (
    attention_ack,
    attention_discard,
    attention_replay,
    close_request,
    set_kill_switch,
    set_sending,
)

__all__ = [
    "acknowledge",
    "approve",
    "assign",
    "attention_ack",
    "attention_discard",
    "attention_replay",
    "cancel",
    "close_request",
    "correct",
    "dismiss",
    "edit",
    "hold",
    "label",
    "note",
    "redraft",
    "reject",
    "release",
    "retract",
    "retry",
    "set_kill_switch",
    "set_label",
    "set_sending",
    "undismiss",
]
