"""Decisions over single answers of the classifier: which it may give by itself."""

from __future__ import annotations

from classifiers.model_folder import SHIPPED, read_config
from pipeline.assess import EMERGENCY
from pipeline.deployment import Deployment
from store import switches
from store.people import Principal
from store.refusals import Invalid, Missing


def set_label(
    deployment: Deployment, who: Principal, head: str, label: str, *, on: bool, confirmation: str = ""
) -> bool:
    """Let the classifier give an answer by itself, or have staff check it every time; from the next post on.

    Gives whether anything changed. To switch the model's emergencies off takes the word ``emergency`` as confirmation;
    the patterns raise their alarms all the same.

    Raises:
        Missing: the model has no such answer.
        Invalid: the confirmation is missing.
    """
    _check(head, label, deployment)
    if not on and (head, label) == EMERGENCY and confirmation.strip().casefold() != "emergency":
        raise Invalid(
            "type the word emergency to confirm: without the model only the word patterns raise alarms, and danger "
            "that is told indirectly rings for nobody",
            field="confirmation",
        )
    change = switches.switch_on if on else switches.switch_off
    with deployment.store.writing() as session:
        return change(session, head=head, label=label, by=who.by)


def labels(deployment: Deployment) -> dict[str, tuple[str, ...]]:
    """What the classifier may say, by head: the shipped model's labels, and the city's services that it can learn."""
    found = {name: head.labels for name, head in read_config(SHIPPED).heads.items()}
    learned = (one.service_code for one in deployment.services if not one.maps_to)
    return found | {"service_code": tuple(dict.fromkeys((*found["service_code"], *learned)))}


def _check(head: str, label: str, deployment: Deployment) -> None:
    if label not in labels(deployment).get(head, ()):
        raise Missing(f"the model has no answer {label!r} of {head!r}")
