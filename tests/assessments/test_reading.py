"""Reading: who sees which scorecard, the page, the unit, the ranking, verification."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from accounts.errors import NotVisible
from accounts.grants import Power, grant
from assessments import operations, queries
from assessments.models import Finding, Scorecard, ScoreEntry
from scoring.points import quotient
from tests.assessments.conftest import AT, each, small


def rows_of(year, office):
    sections = queries.entries_of(year.card(office))
    return {row.indicator.code: row for section in sections for row in section.rows}


# ------------------------------------------------------------------ who sees what


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("clerk:登记管理处", {"登记管理处"}),
        ("head:机关党支部", {"机关党支部"}),
        ("reviewer", {"综合处", "登记管理处", "机关党支部", "监督协调处"}),
        ("coordinator", {"综合处", "登记管理处", "机关党支部", "监督协调处"}),
        ("leader", {"综合处", "登记管理处", "机关党支部", "监督协调处"}),
        ("stranger", set()),
        ("administrator", set()),
        ("auditor", set()),
    ],
)
def test_a_scorecard_is_seen_by_its_office_its_reviewers_the_coordinator_and_the_leader(opened, who, seen):
    scope = opened.scope(who)
    for card in Scorecard.objects.select_related("office"):
        if card.office.name in seen:
            assert queries.scorecard_for(office=card.office, version=opened.version, scope=scope) == card
            assert queries.get_card(card.pk, scope=scope) == card
        else:
            with pytest.raises(NotVisible):
                queries.scorecard_for(office=card.office, version=opened.version, scope=scope)
            with pytest.raises(NotVisible):
                queries.get_card(card.pk, scope=scope)
    assert {card.office.name for card in queries.scorecards_of(version=opened.version, scope=scope)} == seen


def test_what_waits_for_a_reviewer_is_never_the_own_office(opened):
    assert len(queries.to_score(opened.scope("reviewer"))) == 4
    grant(user=opened.people["clerk:综合处"], power=Power.REVIEW, office=opened.unit)
    assert "综合处" not in {card.office.name for card in queries.to_score(opened.scope("clerk:综合处"))}
    assert queries.to_sign(opened.scope("leader")) == []
    card = opened.finished("监督协调处")
    assert queries.to_sign(opened.scope("leader")) == [card]
    assert queries.to_sign(opened.scope("reviewer")) == []


# ------------------------------------------------------------------ the page


def test_the_page_follows_the_notice_and_says_why(opened):
    opened.find("综合处", "r1.16-4a", count=2)
    opened.judge("综合处", "1.03/1", "0.4")
    sections = queries.entries_of(opened.card("综合处"))
    assert [view.section.no for view in sections] == ["一", "二", "三"]
    rows = rows_of(opened, "综合处")
    assert "1.14" not in rows  # another office's
    row = rows["1.16"]
    assert (row.points, row.earned, row.shared, row.open) == (Decimal(1), Decimal("0.9"), False, 0)
    clause = row.clauses[3]
    assert (clause.label, clause.entry.earned) == ("1.16/4", Decimal("0.2"))
    assert [line.note for line in clause.lines] == ["", "0.05×2=0.1"]
    assert [finding.rule.code for finding in clause.findings] == ["r1.16-4a"]
    assert [rule.code for rule in clause.rules] == ["r1.16-4a", "r1.16-4b"]
    assert clause.judgeable is None
    assert rows["1.03"].clauses[0].judgeable == Decimal("0.5")
    assert rows["1.03"].open == 7
    assert rows["1.01"].judgeable == Decimal(18)
    assert rows["1.01"].clauses[0].entry is None
    assert [clause.label for clause in rows["1.20"].clauses] == ["1.20/3"]
    assert rows["1.20"].points == Decimal("0.6")


def test_shared_rows_are_shown_but_in_no_sum(opened):
    opened.judge("机关党支部", "2.03", "1.5")
    row = rows_of(opened, "机关党支部")["2.03"]
    assert (row.shared, row.points, row.earned) == (True, Decimal("1.5"), Decimal("1.5"))
    assert [finding.points for finding in row.findings] == [Decimal("1.5")]
    (second,) = [view for view in queries.entries_of(opened.card("机关党支部")) if view.section.no == "二"]
    assert second.points == Decimal(2)  # 2.05 only


def test_sections_of_a_page_add_up_to_the_card(opened):
    for card in Scorecard.objects.all():
        sections = queries.entries_of(card)
        assert sum((view.points for view in sections), Decimal(0)) == card.max_points
        known = [view.earned for view in sections if view.earned is not None]
        assert sum(known, Decimal(0)) == card.earned


def test_the_number_of_queries_does_not_grow_with_the_notice(opened):
    def count(read):
        with CaptureQueriesContext(
            connection,
        ) as captured:
            read()
        return len(captured)

    small_card, large_card = opened.card("监督协调处"), opened.card("综合处")
    assert count(lambda: queries.entries_of(small_card)) == count(lambda: queries.entries_of(large_card)) <= 8
    assert count(lambda: queries.unit_summary(opened.version)) <= 8
    assert count(lambda: queries.offices_ranking(opened.version)) == 1
    assert count(lambda: queries.verify_scores(opened.version)) <= 8
    before = count(lambda: operations.digest_of(large_card))
    for n in range(5):
        opened.find("综合处", "r1.16-1a", count=1, token=f"n{n}")
    assert count(lambda: operations.digest_of(large_card)) == before <= 4
    assert count(lambda: queries.findings_of(scorecard=large_card)) <= 7


# ------------------------------------------------------------------ the unit


def test_the_units_sum_is_partial_until_nothing_is_missing(opened):
    summary = queries.unit_summary(opened.version)
    assert [(line.section.no, line.points) for line in summary.sections] == [
        ("一", Decimal(42)),
        ("二", Decimal(36)),
        ("三", Decimal(22)),
    ]
    assert not summary.complete
    assert summary.sections[2].earned is None
    labels = {item.label: item for item in summary.missing}
    assert labels["2.03"].offices == ("综合处", "机关党支部")
    assert labels["1.03/1"].reason == "须人工评定,尚未评定"
    assert "1.16/1" not in labels


def test_a_year_in_full_adds_up_to_a_hundred(opened):
    full = {
        "r1.02-0a": {"value": Decimal(100), "inputs": {"full_mark": Decimal(100)}},
        "r1.07-na": {"value": Decimal(90), "inputs": {"full_mark": Decimal(90)}},
        "r1.17-1a": {"points": Decimal("0.1")},
        "r2.33-na": {},
    }
    card = opened.card("综合处")
    operations.judge_full(scorecard=card, actor=opened.actor("reviewer"), at=AT, token="all", source="资料")
    for office in ("登记管理处", "机关党支部"):
        operations.judge_full(
            scorecard=opened.card(office), actor=opened.actor("reviewer"), at=AT, token=f"all{office}", source="资料"
        )
    for row in queries.entries_of(opened.card("综合处")):
        for view in row.rows:
            for rule in [*view.rules, *(rule for clause in view.clauses for rule in clause.rules)]:
                params = rule.params
                if full.get(rule.code):
                    opened.find("综合处", rule.code, **full[rule.code])
                elif rule.kind == "scale_external":
                    mark = params.get("full_mark")
                    inputs = {} if mark else {"full_mark": Decimal(100)}
                    opened.find("综合处", rule.code, value=Decimal(mark or 100), inputs=inputs)
                elif rule.kind == "rate":
                    opened.find("综合处", rule.code, inputs={"numerator": Decimal(7), "denominator": Decimal(7)})
                elif rule.kind == "award_per":
                    opened.find("综合处", rule.code, count=10)
                elif rule.kind == "component_points":
                    given = {"value": Decimal(100)} if params.get("threshold") else {"holds": True}
                    opened.find("综合处", rule.code, **given)
                elif rule.kind == "grade":
                    best = next(item["grade"] for item in params["grades"] if item["effect"] == "full")
                    opened.find("综合处", rule.code, level=best)
                elif rule.kind in ("survey", "judged"):
                    clause = rule.clause
                    opened.find("综合处", rule.code, points=clause.points or rule.indicator.points)
    summary = queries.unit_summary(opened.version)
    assert summary.missing == []
    assert summary.complete
    assert summary.earned == Decimal(100)
    assert opened.card("综合处").earned == Decimal("90.20")
    assert queries.verify_scores(opened.version) == []
    assert opened.finished("综合处").state == "finished"


@pytest.mark.django_db
def test_before_the_cards_are_opened_everything_is_missing():
    year = small({"1.01": {"points": "5", "offices": [("甲处", "responsible", None)], "clauses": [{"points": "5"}]}})
    summary = queries.unit_summary(year.version)
    assert (summary.points, summary.earned) == (Decimal(5), None)
    assert [(item.label, item.offices, item.reason) for item in summary.missing] == [
        ("1.01/1", ("甲处",), "尚未建立得分表")
    ]
    assert queries.offices_ranking(year.version) == []
    assert queries.verify_scores(year.version) == []


@pytest.mark.django_db
def test_a_zeroed_section_and_a_stated_total_bind_the_unit_only():
    year = small(
        {
            "1.01": {
                "points": "5",
                "offices": [("甲处", "responsible", None)],
                "clauses": [
                    {"points": "5", "rules": [each("a", "0.1"), {"id": "z", "kind": "zero", "scope": "section"}]}
                ],
            }
        }
    )
    year.open()
    year.version.points = Decimal(4)
    year.version.save()
    assert queries.unit_summary(year.version).earned == Decimal(4)
    section = year.row("1.01").section
    section.points = Decimal(3)
    section.save()
    assert queries.unit_summary(year.version).earned == Decimal(3)
    year.find("甲处", "z", holds=True)
    summary = queries.unit_summary(year.version)
    assert summary.earned == Decimal(0)
    assert [(code, flag.kind) for code, flag in summary.flags] == [("1.01", "zero_section")]
    assert year.card("甲处").earned == Decimal(5)


# ------------------------------------------------------------------ ranking


@pytest.mark.django_db
def test_offices_are_ranked_by_exact_percentages_signed_ones_only():
    one = [{"points": "3", "rules": []}]
    year = small(
        {
            f"1.0{n}": {
                "points": "3",
                "offices": [(name, "responsible", None)],
                "clauses": [{"points": "3", "rules": [each(f"r{n}", "1")]}],
            }
            for n, name in enumerate(("甲处", "乙处", "丙处", "丁处"), start=1)
        }
        | {"1.09": {"points": "3", "offices": [("戊处", "responsible", None)], "clauses": one}},
        offices=("甲处", "乙处", "丙处", "丁处", "戊处"),
    )
    year.open()
    year.find("甲处", "r1", count=1)
    year.find("乙处", "r2", count=1)
    for office in ("甲处", "乙处", "丙处"):
        year.signed(office)
    found = [(r.office.name, r.percent, r.signed, r.place, r.unresolved) for r in queries.offices_ranking(year.version)]
    assert found == [
        ("丙处", Decimal("100.00"), True, 1, 0),
        ("甲处", Decimal("66.67"), True, 2, 0),
        ("乙处", Decimal("66.67"), True, 2, 0),
        ("丁处", Decimal("100.00"), False, None, 0),
        ("戊处", None, False, None, 1),
    ]
    assert quotient(Decimal(200), Decimal(3), 2) == Decimal("66.67")


# ------------------------------------------------------------------ verification


def test_verification_finds_every_stored_difference(opened):
    finding = opened.find("综合处", "r1.16-4a", count=2)
    assert queries.verify_scores(opened.version) == []
    entry = opened.entry("综合处", "1.16/4")
    for change, field in (
        ({"earned": Decimal("0.3")}, "earned"),
        ({"state": "unresolved"}, "state"),
        ({"breakdown": {}}, "breakdown"),
        ({"rule_digest": "0" * 64}, "rule_digest"),
        ({"engine_version": "0"}, "engine_version"),
        ({"max_points": Decimal(9)}, "max_points"),
        ({"shared": True}, "shared"),
    ):
        before = {name: getattr(entry, name) for name in change}
        ScoreEntry.objects.filter(pk=entry.pk).update(**change)
        found = queries.verify_scores(opened.version)
        assert (("综合处", "1.16/4", field)) in {(d.office, d.where, d.field) for d in found}, change
        assert "综合处 1.16/4" in str(found[0])
        ScoreEntry.objects.filter(pk=entry.pk).update(**before)
    Scorecard.objects.filter(pk=entry.scorecard_id).update(earned=Decimal(1), unresolved=0)
    assert {d.field for d in queries.verify_scores(opened.version)} == {"earned", "unresolved"}
    operations.recompute(scorecard=opened.card("综合处"), at=AT)
    Finding.objects.filter(pk=finding.pk).update(count=Decimal("0.5"))
    assert "findings" in {d.field for d in queries.verify_scores(opened.version)}
    Finding.objects.filter(pk=finding.pk).update(count=Decimal(3))
    assert {(d.where, d.field) for d in queries.verify_scores(opened.version)} >= {
        ("1.16/4", "earned"),
        ("1.16/4", "breakdown"),
    }


def test_verification_finds_entries_that_are_missing_or_too_many(opened):
    entry = opened.entry("监督协调处", "1.20/1")
    values = {f.attname: getattr(entry, f.attname) for f in entry._meta.concrete_fields if f.attname != "id"}
    entry.delete()
    found = {(d.office, d.where, d.field, d.stored) for d in queries.verify_scores(opened.version)}
    assert ("监督协调处", "1.20/1", "entry", None) in found
    ScoreEntry.objects.create(**values)
    assert queries.verify_scores(opened.version) == []
    ScoreEntry.objects.create(**values | {"clause_id": opened.clause("1.20/3").pk})
    assert ("监督协调处", "1.20", "entry", "有") in {
        (d.office, d.where, d.field, d.stored) for d in queries.verify_scores(opened.version)
    }


def test_recomputing_repairs_what_was_changed_behind_the_programs_back(opened):
    opened.find("综合处", "r1.16-4a", count=2)
    entry = opened.entry("综合处", "1.16/4")
    ScoreEntry.objects.filter(pk=entry.pk).update(earned=Decimal(0), breakdown={})
    changed = operations.recompute(scorecard=opened.card("综合处"), indicator=opened.row("1.16"), at=AT)
    assert [e.pk for e in changed] == [entry.pk]
    assert queries.verify_scores(opened.version) == []
    assert operations.recompute(scorecard=opened.card("综合处"), at=AT) == []


def test_what_is_stored_does_not_depend_on_the_language_of_the_page(opened):
    with translation.override("en"):
        opened.find("综合处", "r1.17-3a", holds=True)
        opened.find("综合处", "r1.23-nb", holds=True, inputs={"average": Decimal("0.4")})
    assert queries.verify_scores(opened.version) == []
    with translation.override("en"):
        assert queries.verify_scores(opened.version) == []
