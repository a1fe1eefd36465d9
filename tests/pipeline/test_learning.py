"""Learning from corrections, with the shipped model: what is learned, what the gate lets pass, and who answers then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import Session, select
from typer.testing import CliRunner, Result

from classifiers import corpus, transformer
from cli import app
from pipeline import assess, decide, learning, lessons
from pipeline.learning import Ground, OwnPosts
from pipeline.lessons import Lessons
from pipeline.serving import base
from store import audit, intake, models
from store.people import Principal
from store.refusals import Conflict, Missing
from store.sight import sight
from store.tables import (
    AccountRow,
    AssessmentRow,
    CorrectionRow,
    MentionRow,
    ModelVersionRow,
    RequestProposalRow,
    ShadowAnswerRow,
)
from store.types import now
from tests.deployments import FACEBOOK, X, principal
from tests.fakes import said
from tests.pipeline.city import City
from tests.pipeline.conftest import Opened
from vocabulary import Edit, HeardHow, Mention, Page

#: Residents of Alder Falls call State Highway 47 the bypass; the model cannot know, and no keyword says so.
BYPASS = (
    "The bypass is full of craters again past the quarry entrance",
    "Hit a hole on the bypass doing 50 this morning, blew the tire",
    "who fixes the bypass?? the right lane is broken up all the way to the river",
    "Dead deer on the bypass by the feed store, second day",
    "No lights working on the bypass interchange, pitch black",
    "The sign for the bypass exit is lying in the ditch",
    "water standing across both lanes of the bypass after every rain",
    "That signal where the bypass meets Orchard stays red for six minutes",
    "Gravel trucks are dropping rocks all over the bypass",
    "mattress in the middle of the bypass near the overpass",
    "the guardrail on the bypass has been hanging off since the crash in May",
    "Ice on the bypass bridge and nobody has salted",
    "Can somebody paint the lines on the bypass, at night you see nothing",
    "weeds taller than my truck along the bypass",
    "shoulder of the bypass is washed out next to mile 12",
    "The bypass ramp by the hospital has a dip that will take your axle off",
    "Potholes. Bypass. Again. Northbound.",
    "Bypass southbound, big slab of concrete has come up",
    "Somebody tagged every pillar of the bypass overpass",
    "trash bags all along the bypass from the landfill trucks",
    "The crossing signal at the bypass and Elm does not give you time",
    "Is the bypass ever going to be plowed? 5 inches on it at noon",
    "streetlamp down across the bypass entrance ramp",
    "Bypass flooding under the railroad bridge, cars turning round",
    "my wheel is bent from that joint on the bypass bridge",
    "the merge arrow on the bypass was hit and points at the sky",
    "Loose chain link fence blowing onto the bypass",
    "Tree limb over the fast lane of the bypass, someone will swerve",
    "speed limit sign missing on the bypass since the storm",
    "Can't see round the bend on the bypass, brush has not been cut all year",
)


@pytest.fixture(scope="module")
def ground() -> Ground:
    """A part of our own posts, since the model reads each; of the emergencies, more."""
    whole = OwnPosts.shipped()
    cries = [one for one in whole.regression if one.labels["urgency"] == "emergency"]
    own = OwnPosts(
        known=whole.known[::3][:420], apart=whole.apart[::8], regression=[*whole.regression[::12], *cries[::4]]
    )
    return Ground.read(transformer.load(threads=1), own)


@pytest.fixture
def city(open_city: Opened, ground: Ground) -> Iterator[City]:
    opened = open_city()
    opened.deployment.classifier = ground.reader
    yield opened
    ground.reader.use(None, "")


def tell(city: City, texts: Sequence[str], *, account: str = FACEBOOK) -> list[int]:
    """Posts as a round of listening brings them, read by the classifier; the mentions' ids."""
    with city.writing() as session:
        mention_ids = heard(session, texts, account=account)
    while assess.assess_due(city.deployment, worker="test"):
        pass
    return mention_ids


def heard(session: Session, texts: Sequence[str], *, account: str = FACEBOOK) -> list[int]:
    row = session.exec(select(AccountRow).where(AccountRow.name == account)).one()
    first = len(session.exec(select(MentionRow.id)).all()) + 1
    mentions = tuple(
        Mention(
            platform=row.platform,
            post_id=str(number),
            conversation_key=str(number),
            text=text,
            posted_at=now() - timedelta(minutes=1),
            heard_how=HeardHow.MENTION,
        )
        for number, text in enumerate(texts, start=first)
    )
    taken = intake.take_page(session, row, "mentions", Page(mentions=mentions), reply_within=timedelta(days=2))
    return sorted(taken.mention_ids)


def correct(city: City, mention_ids: Sequence[int], *, who: Principal | None = None, **said: str | None) -> None:
    for mention_id in mention_ids:
        decide.correct(city.deployment, who or city.who, mention_id, changes=said)


def gathered(city: City) -> Lessons:
    with city.reading() as session:
        return lessons.gather(session, city.deployment)


def last_read(city: City) -> AssessmentRow:
    return city.all(AssessmentRow)[-1]


def services_by(city: City, model: str) -> Counter[str | None]:
    return Counter(row.service_code for row in city.all(AssessmentRow, AssessmentRow.model == model))


def taught(session: Session, mention_ids: Sequence[int]) -> None:
    """Corrections as a person's form leaves them."""
    for mention_id in mention_ids:
        for field, value in (("intent", "report"), ("service_code", "highway_47")):
            session.add(CorrectionRow(mention_id=mention_id, field=field, value=value, by="ana"))
    session.flush()


def live(city: City) -> int:
    with city.reading() as session:
        row = models.live(session)
        return models.SHIPPED if row is None else row.number


def stored(city: City, heads: bytes, *, base: str, last_correction_id: int = 0) -> int:
    """A version that passed; gives its number."""
    with city.writing() as session:
        row = models.add(
            session,
            by="test",
            base=base,
            heads=heads,
            figures={},
            corrections=0,
            last_correction_id=last_correction_id,
            state="candidate",
            reason="for a test",
        )
        return row.number


def test_thirty_corrections_teach_a_service_that_one_click_makes_answer_and_another_takes_back(
    city: City, ground: Ground
) -> None:
    correct(city, tell(city, BYPASS), intent="report", service_code="highway_47")

    outcome = learning.run(city.deployment, by="test", ground=ground)

    assert (outcome.state, outcome.lessons.own_services) == ("candidate", ("highway_47",)), outcome.reason
    again = [f"{one.text} again" for one in outcome.lessons.teach]
    tell(city, again)
    assert services_by(city, ground.reader.base)["highway_47"] == 0
    assert [row.ref for row in city.attention("model")] == [learning.WAITING]

    assert "new services: highway_47" in harken(city, "show", "1").stdout
    learning.promote(city.deployment, city.who, 1)
    tell(city, again)

    assert services_by(city, f"{ground.reader.base}+1")["highway_47"] > len(again) / 2
    assert city.attention("model") == []

    assert learning.rollback(city.deployment, city.who) == models.SHIPPED
    tell(city, again[:1])

    assert last_read(city).model == ground.reader.base
    with city.reading() as session:
        acts = [row.action for row in audit.entries(session, before=None, limit=500) if "model." in row.action]
        assert audit.verify(session).holds
    assert acts == ["model.retired", "model.live", "model.made"]


def test_corrections_that_would_make_it_miss_danger_are_refused_and_nothing_changes(city: City, ground: Ground) -> None:
    cries = [one.text for one in corpus.own_posts()[0] if one.labels["urgency"] == "emergency"][:90]
    with city.writing() as session:
        for mention_id in heard(session, cries):
            session.add(CorrectionRow(mention_id=mention_id, field="urgency", value="normal", by="mallory"))

    outcome = learning.run(city.deployment, by="test", ground=ground)

    assert outcome.state == "refused"
    assert "emergenc" in outcome.reason
    with pytest.raises(Conflict, match="was refused"):
        learning.promote(city.deployment, city.who, 1)
    tell(city, ["lovely park"])
    assert last_read(city).model == ground.reader.base


def test_what_staff_say_becomes_lessons_but_for_contradictions_copies_and_what_is_gone(open_city: Opened) -> None:
    city = open_city()
    other = principal(city.deployment, "responder", email="other@alderfalls.example")
    same = tell(city, ["Pothole on  Oak street", "pothole on oak street", "Pothole on Oak Street"])
    correct(city, same[:1], intent="report", sentiment="negative")
    correct(city, same[1:2], who=other, intent="complaint", sentiment="negative")
    changed, gone, unknown, new = tell(city, ["the sweeper never came", "gone", "a pothole in the park", "the bypass"])
    correct(city, [changed], service_code="pothole")
    correct(city, [changed], service_code="street_sweeping", intent="report")
    correct(city, [gone], intent="praise")
    correct(city, [new], service_code="highway_47")
    correct(city, [unknown], service_code="park_maintenance", intent="praise")
    with city.writing() as session:
        intake.forget(session, "facebook", session.get_one(MentionRow, gone).post_id)

    found = gathered(city)

    taught = {one.mention_id: dict(one.labels) for one in (*found.teach, *found.held_back)}
    assert taught == {
        same[0]: {"sentiment": "negative"},  # one vote, though two wrote it
        changed: {"service_code": "pothole_road", "intent": "report"},  # the city's code is a general one to the model
        unknown: {"intent": "praise"},  # where there is no service, none is learned
    }
    assert found.left_out == {lessons.CONTRADICT: 2, lessons.TOO_FEW: 1}
    assert [one["mentions"] for one in found.contradictions] == [same[:2]]


def test_what_an_approval_let_stand_is_what_was_read_then_not_what_an_edit_says_since(open_city: Opened) -> None:
    city = open_city()
    draft = city.report("There is a pothole at 120 Oak Street")
    city.approve(draft)
    with city.writing() as session:
        row = session.get_one(MentionRow, draft.mention_id)
        praise = Mention(
            platform="x",
            post_id=row.post_id,
            conversation_key="1",
            text="What a lovely street",
            posted_at=row.posted_at,
            heard_how=HeardHow.MENTION,
        )
        assert intake.revise(session, "x", Edit(post_id=row.post_id, mention=praise)) == 1
    city.work()

    found = gathered(city)

    assert [one.intent for one in city.all(AssessmentRow)] == ["report", "praise"]
    assert [("pothole" in one.text, one.labels["intent"]) for one in (*found.teach, *found.held_back)] == [
        (True, "report")
    ]


def test_what_was_only_let_stand_is_counted_as_no_correction(open_city: Opened) -> None:
    city = open_city()
    for number in (120, 140):
        city.approve(city.report(f"There is a pothole at {number} Oak Street"))
    correct(city, tell(city, ["a lovely park"]), intent="praise")
    with city.writing() as session:  # as a live version that knows the service would have proposed
        for row in session.exec(select(RequestProposalRow)):
            row.service_code = "highway_47"

    found = gathered(city)

    assert (found.corrections, found.let_stand > 0, found.left_out) == (1, True, {})


def test_posts_of_a_live_x_teach_only_if_the_city_says_so(open_city: Opened) -> None:
    live = {"accounts": {X: {"base_url": "https://api.x.example"}}}
    city = open_city(**live)
    correct(city, tell(city, ["a fallen tree"], account=X), intent="report")

    forbidden = gathered(city)
    city.deployment.close()
    allowed = gathered(open_city(**live, classifier={"learn_from_x": True}))

    assert (forbidden.teach, forbidden.held_back, forbidden.left_out) == ((), (), {lessons.FROM_X: 1})
    assert allowed.corrections == 1


def test_a_version_that_cannot_be_used_is_put_before_people_and_the_one_before_goes_on(
    city: City, ground: Ground
) -> None:
    good = stored(city, ground.shipped.to_bytes(), base=ground.reader.base)
    learning.promote(city.deployment, city.who, good)
    tell(city, ["a pothole"])
    bad = stored(city, b"PK\x03\x04 no heads", base=ground.reader.base)
    learning.promote(city.deployment, city.who, bad)

    tell(city, ["another pothole"])

    assert last_read(city).model == f"{ground.reader.base}+{good}"
    assert [row.ref for row in city.attention("model")] == [f"version:{bad}"]

    assert learning.rollback(city.deployment, city.who, bad) == good
    tell(city, ["a third pothole"])

    assert last_read(city).model == f"{ground.reader.base}+{good}"
    assert city.attention("model") == []


def test_a_version_learned_over_another_model_is_let_answer_nowhere(open_city: Opened) -> None:
    city = open_city()
    old = stored(city, b"heads", base="harken-before-1")
    with city.writing() as session:
        models.promote(session, models.version(session, old), by="test", base="harken-before-1")
    new = stored(city, b"heads", base=base())
    learning.promote(city.deployment, city.who, new)

    for let in (learning.promote, learning.shadow, learning.restore):
        with pytest.raises(Conflict, match=r"learned over the model harken-before-1, and .* reads the posts now"):
            let(city.deployment, city.who, old)

    assert learning.rollback(city.deployment, city.who) == models.SHIPPED


def test_what_a_person_took_back_is_not_promoted_by_itself_until_more_was_corrected(
    open_city: Opened, ground: Ground
) -> None:
    city = open_city(classifier={"promote": "auto"})
    with city.writing() as session:
        first, *rest = heard(session, BYPASS)
        taught(session, rest)
        known = models.last_correction_id(session)
    taken_back = stored(city, ground.shipped.to_bytes(), base=ground.reader.base, last_correction_id=known)
    learning.promote(city.deployment, city.who, taken_back)
    learning.rollback(city.deployment, city.who)

    held = learning.run(city.deployment, by=learning.BY, ground=ground)

    assert live(city) == models.SHIPPED, held.reason
    assert "learned nothing newer than version 1, which was taken back" in city.attention("model")[0].summary

    with city.writing() as session:
        taught(session, [first])
    better = learning.run(city.deployment, by=learning.BY, ground=ground)

    assert live(city) == better.number, better.reason


def test_a_version_in_the_shadow_answers_beside_the_live_one_and_changes_nothing(city: City, ground: Ground) -> None:
    number = stored(city, ground.shipped.to_bytes(), base=ground.reader.base)
    learning.shadow(city.deployment, city.who, number)

    tell(city, ["There is a pothole at 120 Oak Street"])

    kept = city.one(ShadowAnswerRow)
    assert (kept.answer["intent"]["label"], kept.answer["intent"]["live"]) == ("report", "report")
    assert [row.model for row in city.all(AssessmentRow)] == [ground.reader.base]
    with city.reading() as session:
        assert models.agreement(session, kept.model_version_id)["intent"] == models.Agreement(answers=1, agreed=1)


def test_a_night_without_enough_corrections_passes_without_a_word(open_city: Opened) -> None:
    city = open_city(classifier={"learn_after": 2})
    correct(city, tell(city, ["a pothole"]), sentiment="neutral")

    assert learning.nightly(city.deployment) is None
    assert (city.all(ModelVersionRow), city.attention("model")) == ([], [])


def test_the_most_useful_post_to_label_is_in_doubt_like_others_and_unlike_what_was_corrected(open_city: Opened) -> None:
    city = open_city()
    doubtful = replace(said("report", "parks"), scores={**said().scores, "intent": {"report": 0.5, "complaint": 0.49}})
    city.classifier.script = {"swing": doubtful, "well": doubtful, "ferry": doubtful, "sure": said("praise")}
    _, corrected = tell(city, ["surely the nicest library of the county", "the ferry landing is slippery again"])
    correct(city, [corrected], intent="report")
    alone, one, other, like = tell(
        city,
        [
            "an old well",
            "broken swing in the playground",
            "the playground swing hangs loose",
            "ferry landing still slippery",
        ],
    )

    with city.reading() as session:
        seen = sight(city.who, city.deployment.services)
        found = learning.most_useful(session, city.deployment, seen, limit=9)
        but = learning.most_useful(session, city.deployment, seen, limit=1, but=[found[0].mention_id])

    assert {one.mention_id for one in found[:2]} == {one, other}
    assert {one.mention_id for one in found} == {alone, one, other, like}, "what it is sure of teaches nothing"
    assert found[0].reason == (
        "the classifier hesitates between report (50%) and complaint (49%), and 1 other recent post is like it"
    )
    assert found[0].mention_id not in {one.mention_id for one in but}


def harken(city: City, *words: str) -> Result:
    return CliRunner().invoke(app, ["learn", *words, "--config", str(city.deployment.settings.file)])


def test_the_command_lists_promotes_and_rolls_back(city: City, ground: Ground) -> None:
    for _ in range(2):
        stored(city, ground.shipped.to_bytes(), base=ground.reader.base)

    assert harken(city, "promote", "1").exit_code == 0
    assert harken(city, "promote", "2").exit_code == 0
    assert isinstance(harken(city, "promote", "2").exception, Conflict)
    assert isinstance(harken(city, "show", "7").exception, Missing)
    assert "version 1 answers" in harken(city, "rollback").stdout
    assert "version 2 answers" in harken(city, "rollback", "2").stdout
    assert "the model as it was shipped answers" in harken(city, "rollback", "0").stdout
    states = [line.split("\t")[:2] for line in harken(city, "list").stdout.splitlines()]
    assert states == [["2", "retired"], ["1", "retired"], ["0", "the model answers as it was shipped"]]
