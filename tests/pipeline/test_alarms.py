"""A cry for help is heard at once, rings until somebody acknowledges, and is never folded away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from pipeline import alarms, decide, rounds
from store.refusals import Conflict, Missing
from store.tables import AlarmRow, CorrectionRow, DraftRow, MentionRow
from store.types import now
from tests.fakes import SCRIPT, said
from tests.fixtures.playing import Answer, Stage, playing
from tests.pipeline.city import City
from tests.pipeline.conftest import Opened

CRY = "Somebody is trapped in a burning car at 120 Oak Street"


@pytest.fixture
def door() -> Iterator[Stage]:
    """The duty officer's own end-point."""
    with playing(Answer(body={})) as stage:
        yield stage


def to(stage: Stage) -> str:
    return stage.url.replace("http://", "json://")


def told(stage: Stage) -> list[dict[str, str]]:
    return [json.loads(asked.body) for asked in stage.asked]


def test_a_cry_for_help_rings_at_the_door_at_once(open_city: Opened, door: Stage) -> None:
    city = open_city(alarms={"to": [to(door)]})

    draft = city.report(CRY)

    alarm, message = city.one(AlarmRow), told(door)[0]
    assert draft.purpose == "emergency"
    assert "911" in city.text(draft)
    assert (alarm.notified, alarm.failed, alarm.outcome) == (1, 0, None)
    assert alarm.recipients == ["json"]
    assert alarm.reason in message["message"]
    assert f"/console/conversations/{alarm.conversation_id}" in message["message"]
    assert "burning" not in message["message"] + message["title"]


def test_an_alarm_is_reminded_then_escalated_then_quiet_when_acknowledged(open_city: Opened, door: Stage) -> None:
    with playing(Answer(body={})) as boss:
        city = open_city(
            alarms={"to": [to(door)], "escalate_to": [to(boss)], "remind_every": "PT2M", "escalate_after": "PT5M"}
        )
        city.said(CRY)
        raised_at = city.one(AlarmRow).raised_at

        rang = [alarms.ring(city.deployment, at=raised_at + timedelta(minutes=m)) for m in (1, 3, 4, 6, 9)]
        decide.acknowledge(city.deployment, city.who, city.one(MentionRow).id)
        after = alarms.ring(city.deployment, at=raised_at + timedelta(minutes=30))

        alarm = city.one(AlarmRow)
        assert (rang, after) == ([0, 1, 0, 1, 1], 0)
        assert len(told(door)) == 4
        assert [message["title"].startswith("ESCALATED") for message in told(boss)] == [True, True]
        assert alarm.escalated_at == raised_at + timedelta(minutes=6)
        assert (alarm.outcome, alarm.acknowledged_by) == ("acknowledged", city.who.by)


def test_repeats_on_one_thread_fold_into_one_alarm(city: City) -> None:
    first = city.said(CRY)

    city.said("@alderfalls hurry, they are trapped and it burns", author="bob_elm", in_reply_to=first)

    alarm = city.one(AlarmRow)
    assert alarm.repeats == 1
    assert len({row.conversation_id for row in city.all(MentionRow)}) == 1


def test_two_threads_are_two_alarms(city: City) -> None:
    city.said(CRY)
    city.said("A child is trapped in the well at 520 Elm Street", author="bob_elm")

    assert len(city.all(AlarmRow)) == 2


def test_a_new_cry_after_the_first_was_acknowledged_rings_anew(city: City) -> None:
    first = city.said(CRY)
    decide.acknowledge(city.deployment, city.who, city.mention(first).id)

    city.said("@alderfalls they are still trapped and it burns", author="bob_elm", in_reply_to=first)

    assert [row.outcome for row in city.all(AlarmRow)] == ["acknowledged", None]


def test_not_an_emergency_is_kept_as_a_correction_and_the_draft_fits_again(city: City) -> None:
    city.classifier.script = {"on fire": said("praise", None, "positive", "emergency"), **SCRIPT}
    draft = city.report("The new band is on fire tonight")
    assert draft.purpose == "emergency"

    decide.acknowledge(city.deployment, city.who, draft.mention_id, emergency=False)

    correction, alarm = city.one(CorrectionRow), city.one(AlarmRow)
    assert (correction.field, correction.was, correction.value) == ("urgency", "emergency", "normal")
    assert alarm.outcome == "not_an_emergency"
    assert city.heir_of(draft).purpose == "answer"


def test_staff_who_call_it_an_emergency_raise_the_alarm(city: City) -> None:
    draft = city.report()

    decide.correct(city.deployment, city.who, draft.mention_id, changes={"urgency": "emergency"})

    assert city.who.by in city.one(AlarmRow).reason
    assert city.heir_of(draft).purpose == "emergency"


def test_an_emergency_is_not_dismissed_before_it_is_acknowledged(city: City) -> None:
    draft = city.report(CRY)

    with pytest.raises(Conflict) as refused:
        decide.dismiss(city.deployment, city.who, draft.mention_id, reason="joke")

    assert refused.value.code == "alarm"


def test_there_is_nothing_to_acknowledge_where_nothing_rang(city: City) -> None:
    draft = city.report()

    with pytest.raises(Missing):
        decide.acknowledge(city.deployment, city.who, draft.mention_id)


def test_a_second_reading_of_the_same_cry_rings_no_second_alarm(city: City) -> None:
    post_id = city.said(CRY)
    decide.acknowledge(city.deployment, city.who, city.mention(post_id).id)
    city.classifier.model = "scripted-2"
    city.execute("UPDATE work SET state = 'ready' WHERE kind = 'assess'")

    city.work()

    assert len(city.all(AlarmRow)) == 1


def test_a_door_that_fails_is_shown_and_the_next_one_still_rings(open_city: Opened, door: Stage) -> None:
    with playing(Answer(status=500)) as broken:
        city = open_city(alarms={"to": [to(broken), to(door), "nonsense://"]})

        city.said(CRY)

        alarm = city.one(AlarmRow)
        assert len(told(door)) == 1
        assert (alarm.notified, alarm.failed) == (1, 2)
        assert "2 of 3" in city.attention("alarm")[0].summary
        decide.acknowledge(city.deployment, city.who, city.one(MentionRow).id)
        assert city.attention("alarm") == []


def test_an_alarm_that_nobody_is_named_for_stands_on_attention(city: City) -> None:
    city.said(CRY)

    assert "nobody is named" in city.attention("alarm")[0].summary


def test_the_words_alone_raise_the_alarm_whatever_the_model_says(city: City) -> None:
    city.classifier.script = {}

    draft = city.report("I smell gas and my baby is not breathing, 120 Oak Street")

    assert draft.purpose == "emergency"
    assert len(city.all(AlarmRow)) == 1


def test_an_alarm_rings_before_drafts_are_written(open_city: Opened, door: Stage) -> None:
    """One step of the worker: the cry is read and rings, whatever else waits."""
    city = open_city(alarms={"to": [to(door)]})
    city.ctl.load([{"platform": "x", "author": f"a{n}", "text": f"pothole {n}"} for n in range(40)])
    city.post(CRY)
    city.hear()

    rounds.process(city.deployment)

    assert len(told(door)) == 1
    assert city.one(AlarmRow).raised_at > now() - timedelta(minutes=1)


def test_an_emergency_is_answered_by_a_person_with_one_key(city: City) -> None:
    draft = city.report(CRY)

    city.approve(draft)
    city.work_until(lambda: city.get(draft).state == "sent")

    assert "911" in city.replies()[0]["text"]
    assert city.one(DraftRow).state == "sent"
    assert city.tickets() == []


@pytest.mark.parametrize(
    ("span", "says"),
    [
        (timedelta(seconds=-5), "0 min"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(minutes=655), "10 h 55 min"),
        (timedelta(days=2, hours=3, minutes=50), "2 d 3 h"),
    ],
)
def test_a_post_s_age_is_read_at_a_glance(span: timedelta, says: str) -> None:
    assert alarms.hours_and_minutes(span) == says
