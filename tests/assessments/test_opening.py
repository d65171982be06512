"""Opening scorecards: who answers for which points, each point once."""

from decimal import Decimal

import pytest

from accounts.actors import Actor
from assessments import operations, queries
from assessments.errors import NobodyAnswers, NoPower, NotIssued
from assessments.models import Scorecard, ScoreEntry
from audit.models import AuditEntry
from notifications.models import Delivery
from schemes.models import SchemeVersion
from tests.assessments.conftest import AT, each, small


def test_the_points_of_the_jiaxing_notice_are_divided_as_the_text_divides_them(opened):
    found = {card.office.name: card.max_points for card in Scorecard.objects.select_related("office")}
    assert found == {
        "综合处": Decimal("90.20"),
        "登记管理处": Decimal("3.5"),
        "机关党支部": Decimal("3.3"),
        "监督协调处": Decimal("1.5"),
    }
    shared = ScoreEntry.objects.filter(shared=True)
    assert {(e.indicator.code, e.scorecard.office.name, e.max_points) for e in shared} == {
        ("2.03", "综合处", Decimal("1.5")),
        ("2.03", "机关党支部", Decimal("1.5")),
    }
    assert queries.unit_summary(opened.version).points == Decimal("100")
    assert sum(found.values()) + Decimal("1.5") == Decimal("100.00")


def test_an_office_of_some_clauses_gets_those_only(opened):
    def numbers(office, code):
        entries = ScoreEntry.objects.filter(scorecard=opened.card(office), indicator__code=code)
        return sorted(entries.values_list("clause__no", flat=True))

    assert numbers("监督协调处", "1.20") == [1, 2]
    assert numbers("综合处", "1.20") == [3]
    assert numbers("机关党支部", "1.22") == [1, 2, 3, 4]
    assert numbers("综合处", "1.22") == [5, 6, 7, 8, 9]


def test_rows_without_clause_figures_are_one_entry_and_unscored_clauses_none(opened):
    # 2.23: four clauses and a paragraph without points and office
    (entry,) = ScoreEntry.objects.filter(indicator__code="2.23")
    assert entry.clause is None
    assert entry.max_points == Decimal("0.5")
    # 1.17: two figures, and a third clause that acts on the row
    entries = ScoreEntry.objects.filter(indicator__code="1.17")
    assert sorted(((e.clause and e.clause.no) or 0, e.max_points) for e in entries) == [
        (0, None),
        (1, Decimal("0.1")),
        (2, Decimal("0.2")),
    ]


def test_deductions_start_from_full_and_judged_clauses_are_missing(opened):
    assert opened.entry("综合处", "1.16/1").earned == Decimal("0.2")
    assert opened.entry("综合处", "1.16/1").state == "scored"
    judged = opened.entry("综合处", "1.03/1")
    assert (judged.earned, judged.state) == (None, "judged_missing")
    assert opened.card("综合处").unresolved > 50


def test_opening_again_changes_nothing(opened):
    before = list(Scorecard.objects.order_by("pk").values())
    count = AuditEntry.objects.count()
    again = opened.open()
    assert list(Scorecard.objects.order_by("pk").values()) == before
    assert AuditEntry.objects.count() == count
    assert [card.office.name for card in again] == [
        card.office.name for card in sorted(again, key=lambda card: card.office.position)
    ]


def test_opening_is_recorded_and_the_reviewers_are_told(opened):
    assert AuditEntry.objects.filter(verb="scorecard.opened").count() == 4
    told = set(Delivery.objects.filter(notification__kind="score").values_list("recipient_id", flat=True))
    assert told == {opened.people["reviewer"].pk, opened.people["reviewer2"].pk}


@pytest.mark.parametrize("who", ["stranger", "administrator", "auditor", "leader", "head:综合处", "clerk:综合处"])
def test_only_coordinators_and_reviewers_open(jiaxing, who):
    with pytest.raises(NoPower):
        jiaxing.open(by=who)
    assert not Scorecard.objects.exists()


@pytest.mark.parametrize("who", ["coordinator", "reviewer"])
def test_coordinators_and_reviewers_may_open(jiaxing, who):
    assert len(jiaxing.open(by=who)) == 4


def test_a_request_of_nobody_is_not_the_system(jiaxing):
    with pytest.raises(NoPower):
        operations.open_scorecards(version=jiaxing.version, actor=Actor(user=None, label="-", from_request=True), at=AT)
    assert operations.open_scorecards(version=jiaxing.version, actor=Actor.system("year end"), at=AT)


def test_a_draft_has_no_scorecards(jiaxing):
    SchemeVersion.objects.update(status="draft", issued_at=None)
    with pytest.raises(NotIssued):
        jiaxing.open()


@pytest.mark.django_db
def test_points_nobody_answers_for_are_refused_by_name():
    year = small(
        {
            "1.01": {"points": "1", "offices": [("甲处", "provide", None)], "clauses": [{}]},
            "1.02": {
                "points": "1",
                "offices": [("甲处", "responsible", [1])],
                "clauses": [{"points": "0.5"}, {"points": "0.5"}],
            },
        }
    )
    with pytest.raises(NobodyAnswers) as refusal:
        year.open()
    assert "1.01、1.02/2" in str(refusal.value)


@pytest.mark.django_db
def test_a_collective_name_is_read_as_its_members():
    year = small(
        {"1.01": {"points": "1", "offices": [("各处", "collect", None)], "clauses": [{"rules": [each("a", "0.1")]}]}},
        groups=[{"name": "各处", "members": ["甲处", "乙处"]}],
    )
    cards = year.open()
    assert [(card.office.name, card.max_points, card.earned) for card in cards] == [
        ("甲处", Decimal(0), Decimal(0)),
        ("乙处", Decimal(0), Decimal(0)),
    ]
    assert queries.unit_summary(year.version).earned == Decimal(1)


@pytest.mark.django_db
def test_a_row_without_points_of_its_own_has_those_of_its_clauses_and_a_difference_is_the_rows():
    figures = [{"points": "0.5", "rules": [each("a", "0.1")]}, {"points": "0.7", "rules": [each("b", "0.1")]}]
    mine = [("甲处", "responsible", None)]
    year = small(
        {
            "1.01": {"offices": mine, "clauses": figures},
            "1.02": {
                "points": "1",
                "offices": mine,
                "clauses": [
                    {"points": "0.5", "rules": [each("c", "0.1")]},
                    {"points": "0.7", "rules": [each("d", "0.1")]},
                ],
            },
            "1.03": {"offices": mine, "clauses": [{}]},
        }
    )
    (card,) = year.open()
    assert card.max_points == Decimal("2.2")
    assert card.earned == Decimal("2.2")
    own = year.entry("甲处", "1.02")
    assert (own.max_points, own.earned) == (Decimal("-0.2"), Decimal("-0.2"))
    assert not ScoreEntry.objects.filter(indicator__code="1.03").exists()
    assert queries.verify_scores(year.version) == []


def test_what_is_stored_after_opening_is_what_verification_computes(opened):
    assert queries.verify_scores(opened.version) == []
