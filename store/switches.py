"""Answers of the classifier that are switched off: never filled in by themselves, and always for a person to check."""

from collections.abc import Iterable

from sqlmodel import Session, col, select

from store import audit
from store.tables import LabelSwitchRow


def off(session: Session) -> frozenset[tuple[str, str]]:
    """Every head and label that is switched off."""
    return frozenset(session.exec(select(LabelSwitchRow.head, LabelSwitchRow.label)).all())


def rows(session: Session) -> list[LabelSwitchRow]:
    """The same with who did it and when, the newest first."""
    query = select(LabelSwitchRow).order_by(
        col(LabelSwitchRow.off_since).desc(), col(LabelSwitchRow.head), col(LabelSwitchRow.label)
    )
    return list(session.exec(query))


def switch_off(session: Session, *, head: str, label: str, by: str) -> bool:
    """From the next post on; whether it was on before."""
    if session.get(LabelSwitchRow, (head, label)) is not None:
        return False
    session.add(LabelSwitchRow(head=head, label=label, by=by))
    audit.append(session, by=by, action="label.off", subject=f"label:{head}/{label}")
    return True


def switch_on(session: Session, *, head: str, label: str, by: str) -> bool:
    """Trust it again; whether it was off before."""
    row = session.get(LabelSwitchRow, (head, label))
    if row is None:
        return False
    session.delete(row)
    audit.append(session, by=by, action="label.on", subject=f"label:{head}/{label}")
    return True


def to_check(doubtful: Iterable[str], said: Iterable[tuple[str, str]], off: frozenset[tuple[str, str]]) -> list[str]:
    """The heads to be checked: those in doubt anyway, and those whose answer is switched off."""
    return list(dict.fromkeys([*doubtful, *(head for head, label in said if (head, label) in off)]))
