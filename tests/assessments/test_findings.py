"""Facts to points: who may record, what is refused, what the points become, and why."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from accounts.errors import BadInput, NotAllowed, NotVisible
from accounts.grants import Power, grant
from assessments import operations, queries
from assessments.errors import AlreadyVoided, CardClosed, NoPower, OwnOffice, SharedRowClosed, TokenUsed
from assessments.models import Finding, Scorecard, ScoreEntry
from audit.models import AuditEntry
from notifications.models import Delivery, Notification
from tasks.models import Task
from tests.assessments.conftest import AT, DAY, SOURCE, each, small


def problems(refusal) -> dict:
    return refusal.value.problems


# ------------------------------------------------------------------ points


def test_a_counted_event_costs_its_amount_and_the_steps_say_so(opened):
    opened.find("综合处", "r1.16-4a", count=2, note="两起推诿")
    opened.find("综合处", "r1.16-4b", count=1)
    entry = opened.entry("综合处", "1.16/4")
    assert (entry.earned, entry.max_points, entry.state) == (Decimal("0.1"), Decimal("0.3"), "scored")
    lines = entry.breakdown["lines"]
    assert [(line["kind"], line["amount"], line["running"]) for line in lines] == [
        ("start", "0.3", "0.3"),
        ("deduct_per_event", "-0.1", "0.2"),
        ("deduct_per_event", "-0.1", "0.1"),
    ]
    assert lines[1]["note"] == "0.05×2=0.1"
    assert lines[1]["quote"] == "发现推诿、不作为的,每起扣0.05分"
    assert lines[1]["fact_ids"] == [str(Finding.objects.get(rule__code="r1.16-4a").pk)]


def test_a_deduction_ends_at_zero(opened):
    opened.find("综合处", "r1.16-2a", count=7)
    entry = opened.entry("综合处", "1.16/2")
    assert entry.earned == Decimal(0)
    assert entry.breakdown["lines"][-1]["bit"] == "floor"


def test_the_rate_keeps_three_places_and_ties_go_up(opened):
    opened.find("综合处", "r1.23-1a", inputs={"numerator": Decimal(389), "denominator": Decimal(400)})
    assert opened.entry("综合处", "1.23/1").earned == Decimal("0.195")


def test_only_the_affected_row_is_written_and_the_total_moves_by_the_difference(opened):
    opened.judge("综合处", "1.03/1", "0.5")
    before = {e.pk: (e.earned, e.computed_at) for e in ScoreEntry.objects.all()}
    card = opened.card("综合处")
    opened.find("综合处", "r1.13-5a", count=1, at=AT + timedelta(hours=1))
    changed = [e for e in ScoreEntry.objects.all() if before[e.pk] != (e.earned, e.computed_at)]
    assert [(e.indicator.code, e.clause.no) for e in changed] == [("1.13", 5)]
    after = opened.card("综合处")
    assert after.earned == card.earned - Decimal("0.1")
    assert after.revision == card.revision + 1


def test_a_row_zeroed_by_a_clause_without_points_takes_every_clause_with_it(opened):
    opened.find("综合处", "r1.17-1a", points=Decimal("0.1"), note="按办法计得")
    opened.judge("综合处", "1.17/2", "0.2")
    before = opened.card("综合处").earned
    zero = opened.find("综合处", "r1.17-3a", holds=True)
    opened.find("综合处", "r1.17-3b", holds=True)
    assert opened.entry("综合处", "1.17/1").earned == Decimal(0)
    assert opened.entry("综合处", "1.17/2").earned == Decimal(0)
    assert opened.entry("综合处", "1.17/2").breakdown["lines"][-1]["label"] == "本项不得分"
    assert opened.card("综合处").earned == before - Decimal("0.3")
    own = opened.entry("综合处", "1.17")
    assert (own.earned, own.state) == (None, "scored")
    assert [flag["kind"] for flag in own.breakdown["flags"]] == ["veto"]
    (view,) = [row for s in queries.entries_of(opened.card("综合处")) for row in s.rows if row.indicator.code == "1.17"]
    assert [flag.kind for flag in view.flags] == ["veto"]
    assert view.earned == Decimal(0)
    assert any(line.kind == "zero" for line in view.lines)
    operations.void_finding(finding=zero, actor=opened.actor("reviewer"), at=AT, reason="通报更正")
    assert opened.entry("综合处", "1.17/2").earned == Decimal("0.2")
    assert opened.card("综合处").earned == before
    assert queries.verify_scores(opened.version) == []


def test_a_zeroed_row_needs_no_further_judging(opened):
    opened.find("综合处", "r1.17-3a", holds=True)
    assert opened.entry("综合处", "1.17/2").state == "scored"
    assert opened.entry("综合处", "1.17/2").earned == Decimal(0)


def test_the_average_of_the_peers_stands_for_the_whole_row(opened):
    opened.find("综合处", "r1.23-nb", holds=True, inputs={"average": Decimal("0.42")})
    assert {opened.entry("综合处", f"1.23/{n}").state for n in (1, 2, 3)} == {"in_row"}
    own = opened.entry("综合处", "1.23")
    assert (own.earned, own.state) == (Decimal("0.42"), "scored")
    assert queries.verify_scores(opened.version) == []


def test_a_row_without_figures_is_one_pot(opened):
    opened.find("机关党支部", "r2.05-1a", count=3)
    opened.find("机关党支部", "r2.05-2a", inputs={"规范基层党组织建成率": Decimal("65")})
    entry = opened.entry("机关党支部", "2.05")
    assert entry.earned == Decimal("1.93")  # 2 − 3×0.02 − 0.01
    assert entry.breakdown["key"] == "2.05"


def test_findings_of_a_shared_row_count_on_each_card_once_for_the_unit(opened):
    opened.judge("机关党支部", "2.03", "1.2")
    assert opened.entry("机关党支部", "2.03").earned == Decimal("1.2")
    assert opened.entry("综合处", "2.03").earned == Decimal("1.2")
    assert opened.card("机关党支部").earned == sum(
        e.earned for e in opened.card("机关党支部").entries.filter(shared=False) if e.earned is not None
    )
    (finding,) = queries.findings_of(scorecard=opened.card("综合处"), indicator=opened.row("2.03"))
    assert finding.scorecard.office.name == "机关党支部"
    assert queries.verify_scores(opened.version) == []


@pytest.mark.django_db
def test_a_row_rule_of_several_offices_is_shared_where_it_cannot_be_divided():
    year = small(
        {
            "1.01": {
                "points": "1",
                "offices": [("甲处", "responsible", [1]), ("乙处", "responsible", [2])],
                "clauses": [
                    {"points": "0.4", "rules": [each("a", "0.1")]},
                    {"points": "0.6", "rules": [each("b", "0.1")]},
                ],
                "rules": [
                    {"id": "late", "kind": "deduct_once", "amount": "0.25"},
                    {"id": "none", "kind": "zero", "scope": "row"},
                ],
            }
        }
    )
    year.open()
    year.find("甲处", "late", holds=True)
    assert (year.card("甲处").earned, year.card("乙处").earned) == (Decimal("0.4"), Decimal("0.6"))
    assert queries.unit_summary(year.version).earned == Decimal("0.75")
    year.find("乙处", "none", holds=True)
    assert (year.card("甲处").earned, year.card("乙处").earned) == (Decimal(0), Decimal(0))
    assert queries.unit_summary(year.version).earned == Decimal(0)
    assert queries.verify_scores(year.version) == []


@pytest.mark.django_db
@pytest.mark.parametrize(("declared", "earned"), [(None, "0.9"), (["执法部门"], "0.9"), ([], "1")])
def test_a_rule_for_a_class_counts_for_units_of_that_class(declared, earned):
    settings = {} if declared is None else {"unit_classes": declared}
    year = small(
        {
            "1.01": {
                "points": "1",
                "offices": [("甲处", "responsible", None)],
                "clauses": [{"points": "1", "rules": [each("a", "0.1", applies_to="执法部门"), each("b", "0.1")]}],
            }
        },
        settings=settings,
    )
    year.open()
    year.find("甲处", "a", count=1)
    assert year.card("甲处").earned == Decimal(earned)


# ------------------------------------------------------------------ judged clauses


def test_the_latest_judgement_counts_and_the_former_stays_readable(opened):
    first = opened.judge("综合处", "1.03/1", "0.3")
    second = opened.judge("综合处", "1.03/1", "0.45", by="reviewer2")
    assert opened.entry("综合处", "1.03/1").earned == Decimal("0.45")
    found = queries.findings_of(scorecard=opened.card("综合处"), clause=opened.clause("1.03/1"))
    assert [(f.pk, f.superseded) for f in found] == [(first.pk, True), (second.pk, False)]
    operations.void_finding(finding=second, actor=opened.actor("reviewer"), at=AT, reason="录错")
    assert opened.entry("综合处", "1.03/1").earned == Decimal("0.3")
    found = queries.findings_of(scorecard=opened.card("综合处"), clause=opened.clause("1.03/1"), voided=True)
    assert [(f.pk, f.superseded, bool(f.voided_at)) for f in found] == [
        (first.pk, False, False),
        (second.pk, False, True),
    ]


def test_a_poll_entered_again_replaces_the_former(opened):
    opened.find("综合处", "r3.01-1a", points=Decimal("4.5"))
    opened.find("综合处", "r3.01-1a", points=Decimal("4.8"))
    assert opened.entry("综合处", "3.01").earned == Decimal("4.8")


@pytest.mark.parametrize("points", ["0.51", "-0.1", "NaN", "1E+20", "0.1234567"])
def test_a_judged_score_is_between_nothing_and_the_points_of_the_clause(opened, points):
    with pytest.raises(BadInput):
        opened.judge("综合处", "1.03/1", points)
    assert not Finding.objects.exists()


def test_what_a_rule_decides_is_not_judged(opened):
    for label in ("1.16/1", "1.17/1", "1.17/3", "1.23/1", "2.05", "3.01"):
        office = "机关党支部" if label == "2.05" else "综合处"
        with pytest.raises(BadInput) as refusal:
            opened.judge(office, label, "0")
        assert "rule" in problems(refusal), label


def test_a_row_with_clause_figures_is_judged_clause_by_clause(opened):
    with pytest.raises(BadInput) as refusal:
        opened.judge("综合处", "1.03", "1")
    assert problems(refusal)["rule"] == ["本项各条有分值,请选择要评定的条款。"]


def test_judging_in_bulk_makes_a_finding_each_and_one_entry_in_the_trail(opened):
    card = opened.card("机关党支部")
    missing = card.unresolved
    entries = AuditEntry.objects.count()

    def run(source="年终资料审查"):
        return operations.judge_full(scorecard=card, actor=opened.actor("reviewer"), at=AT, token="bulk", source=source)

    with pytest.raises(BadInput):
        run(source=" ")
    found = run()
    assert len(found) == missing > 0
    assert card.unresolved == 0
    assert {f.note for f in found} == {"无扣分事项,按满分评定"}
    assert all(f.source == "年终资料审查" for f in found)
    assert AuditEntry.objects.count() == entries + 1
    trail = AuditEntry.objects.get(verb="finding.recorded")
    assert [item["finding"] for item in trail.detail["items"]] == [f.pk for f in found]
    assert [f.pk for f in run()] == [f.pk for f in found]
    assert Finding.objects.count() == len(found)
    again = operations.judge_full(scorecard=card, actor=opened.actor("reviewer"), at=AT, token="other", source="资料")
    assert again == []
    assert AuditEntry.objects.count() == entries + 1


def test_judging_in_bulk_leaves_alone_what_was_judged_and_what_a_rule_or_poll_decides(opened):
    opened.judge("综合处", "1.03/1", "0.2")
    card = opened.card("综合处")
    found = operations.judge_full(
        scorecard=card,
        actor=opened.actor("reviewer"),
        at=AT,
        token="bulk",
        source="资料",
        indicators=[opened.row("1.03"), opened.row("3.01"), opened.row("1.17")],
    )
    assert [f"{f.indicator.code}/{f.clause.no}" for f in found] == [
        *(f"1.03/{n}" for n in range(2, 9)),
        "1.17/2",
    ]
    assert opened.entry("综合处", "1.03/1").earned == Decimal("0.2")
    assert opened.entry("综合处", "3.01").state == "judged_missing"


# ------------------------------------------------------------------ who may


@pytest.mark.parametrize(
    ("who", "refusal"),
    [
        ("stranger", NotVisible),
        ("administrator", NotVisible),
        ("auditor", NotVisible),
        ("clerk:登记管理处", NotVisible),
        ("clerk:综合处", OwnOffice),
        ("head:综合处", OwnOffice),
        ("coordinator", NoPower),
        ("leader", NoPower),
    ],
)
def test_only_reviewers_from_outside_record(opened, who, refusal):
    with pytest.raises(refusal):
        opened.find("综合处", "r1.16-1a", by=who, count=1)
    with pytest.raises(refusal):
        operations.judge_full(scorecard=opened.card("综合处"), actor=opened.actor(who), at=AT, token="t", source="s")
    finding = opened.find("综合处", "r1.16-1a", count=1)
    with pytest.raises(refusal):
        operations.void_finding(finding=finding, actor=opened.actor(who), at=AT, reason="x")
    with pytest.raises(refusal):
        operations.preview_finding(
            scorecard=opened.card("综合处"), indicator=opened.row("1.03"), actor=opened.actor(who), at=AT
        )
    assert Finding.objects.filter(voided_at=None).count() == 1


def test_a_reviewer_does_not_score_the_own_office(opened):
    grant(user=opened.people["clerk:综合处"], power=Power.REVIEW, office=opened.unit)
    with pytest.raises(OwnOffice) as refusal:
        opened.find("综合处", "r1.16-1a", by="clerk:综合处", count=1)
    assert "综合处" in str(refusal.value)
    opened.find("登记管理处", "r1.15-1a", by="clerk:综合处", holds=True)


def test_nor_through_a_row_shared_with_another_office(opened):
    grant(user=opened.people["clerk:综合处"], power=Power.REVIEW, office=opened.unit)
    with pytest.raises(OwnOffice):
        opened.judge("机关党支部", "2.03", "1.5", by="clerk:综合处")
    assert not Finding.objects.exists()
    assert opened.entry("机关党支部", "2.03").earned is None


# ------------------------------------------------------------------ what is refused


def test_a_finding_needs_a_source(opened):
    with pytest.raises(BadInput) as refusal:
        opened.find("综合处", "r1.16-1a", count=1, source="  ")
    assert list(problems(refusal)) == ["source"]
    with pytest.raises(BadInput) as refusal:
        opened.find("综合处", "r1.16-1a", count=1, source="字" * 201)
    assert list(problems(refusal)) == ["source"]


@pytest.mark.parametrize(
    ("day", "good"),
    [
        (date(2017, 1, 1), True),
        (date(2016, 12, 31), False),
        (date(2017, 12, 20), True),
        (date(2017, 12, 21), False),  # tomorrow
    ],
)
def test_an_event_happened_in_the_year_and_not_in_the_future(opened, day, good):
    if good:
        assert opened.find("综合处", "r1.16-1a", count=1, occurred_on=day).pk
    else:
        with pytest.raises(BadInput) as refusal:
            opened.find("综合处", "r1.16-1a", count=1, occurred_on=day)
        assert list(problems(refusal)) == ["occurred_on"]


@pytest.mark.parametrize(("day", "good"), [(date(2012, 1, 1), True), (date(2011, 12, 31), False)])
def test_a_declared_look_back_reaches_further(opened, day, good):
    if good:
        assert opened.find("综合处", "r2.11-1a", holds=True, occurred_on=day).pk
        assert opened.entry("综合处", "2.11").breakdown["flags"][0]["effect"] == "不得评选一等奖"
    else:
        with pytest.raises(BadInput) as refusal:
            opened.find("综合处", "r2.11-1a", holds=True, occurred_on=day)
        assert "追溯" in problems(refusal)["occurred_on"][0]


def test_results_known_after_the_year_are_dated_then_events_are_not(opened):
    later, day = AT + timedelta(days=40), date(2018, 1, 20)
    opened.judge("综合处", "1.03/1", "0.5", at=later, occurred_on=day)
    opened.find("综合处", "r3.01-1a", points=Decimal(5), at=later, occurred_on=day)
    with pytest.raises(BadInput):
        opened.find("综合处", "r1.16-1a", count=1, at=later, occurred_on=day)


def test_decembers_report_falls_due_in_january_and_belongs_to_the_year(opened):
    task = Task.objects.create(
        key="december",
        version=opened.version,
        indicator=opened.row("1.14"),
        clause=opened.clause("1.14/4"),
        office=opened.office("登记管理处"),
        role="responsible",
        title="十二月",
        quote="每月5日前",
        period="2017-12",
        starts_on=date(2017, 12, 1),
        ends_on=date(2017, 12, 31),
        due_date=date(2018, 1, 5),
        due_at=AT + timedelta(days=16),
        issued_at=AT,
        held_since=AT,
    )
    late = {"at": AT + timedelta(days=40), "occurred_on": date(2018, 1, 6), "count": 1}
    assert opened.find("登记管理处", "r1.14-4a", task=task, **late).task == task
    with pytest.raises(BadInput):
        opened.find("登记管理处", "r1.14-4a", **late)


@pytest.mark.parametrize(
    ("rule", "facts", "field"),
    [
        ("r1.16-1a", {}, "count"),
        ("r1.16-1a", {"count": Decimal("1.5")}, "count"),
        ("r1.16-1a", {"count": Decimal("-1")}, "count"),
        ("r1.16-1a", {"count": Decimal("Infinity")}, "count"),
        ("r1.16-1a", {"count": 1, "points": Decimal("0.1")}, "points"),
        ("r1.16-1a", {"count": 1, "inputs": {"strange": Decimal(1)}}, "fact"),
        ("r1.12-2a", {"value": Decimal("101")}, "value"),
        ("r1.23-1a", {"inputs": {"numerator": Decimal(3), "denominator": Decimal(2)}}, "numerator"),
        ("r1.23-1a", {}, "numerator"),
        ("r2.05-2a", {}, "fact"),
        ("r2.05-2a", {"value": Decimal("65")}, "value"),
        ("r2.11-3a", {"count": 1, "level": "没有的级别"}, "level"),
        ("r1.17-1a", {"points": Decimal("0.11")}, "fact"),
    ],
)
def test_facts_that_cannot_be_are_refused_with_the_field(opened, rule, facts, field):
    office = "机关党支部" if rule.startswith("r2.05") else "综合处"
    with pytest.raises(BadInput) as refusal:
        opened.find(office, rule, **facts)
    assert field in problems(refusal), problems(refusal)
    assert not Finding.objects.exists()


def test_the_other_offices_clause_is_refused_with_its_name(opened):
    with pytest.raises(BadInput) as refusal:
        opened.find("综合处", "r1.20-1a", count=1)
    assert problems(refusal)["clause"] == ["1.20/1由监督协调处负责,请在其得分表上记录。"]


def test_unscored_paragraphs_take_no_findings(opened):
    rule = next(r for r in opened.row("2.23").rules.all() if r.clause and r.clause.unscored and r.kind != "base_points")
    with pytest.raises(BadInput) as refusal:
        opened.find("综合处", rule.code, holds=True, points=Decimal("0.1"))
    assert "不计分" in problems(refusal)["clause"][0]


def test_clause_rule_and_row_must_belong_together(opened):
    card, actor = opened.card("综合处"), opened.actor("reviewer")
    given = {
        "scorecard": card, "actor": actor, "at": AT, "occurred_on": DAY, "source": SOURCE, "count": 1,
    }  # fmt: skip
    for facts, field in (
        ({"indicator": opened.row("1.16"), "rule": opened.rule("r1.13-5a")}, "rule"),
        ({"indicator": opened.row("1.16"), "clause": opened.clause("1.13/5")}, "clause"),
        (
            {"indicator": opened.row("1.16"), "clause": opened.clause("1.16/2"), "rule": opened.rule("r1.16-1a")},
            "rule",
        ),
    ):
        with pytest.raises(BadInput) as refusal:
            operations.record_finding(token="t", **given, **facts)
        assert field in problems(refusal)


@pytest.mark.django_db
def test_a_row_of_another_version_is_not_there(world):
    with pytest.raises(NotVisible):
        operations.record_finding(
            scorecard=world.own.scorecard,
            indicator=small({"9.01": {"points": "1", "offices": [("甲处", "responsible", None)], "clauses": []}}).row(
                "9.01"
            ),
            actor=world.actor("reviewer"),
            at=world.now,
            token="t",
            occurred_on=world.now.date(),
            source="x",
            points=Decimal(1),
        )


@pytest.mark.django_db
def test_evidence_and_tasks_must_be_filed_and_of_the_year(world, opened):
    given = {"count": 1, "occurred_on": DAY}
    with pytest.raises(BadInput) as refusal:
        opened.find("综合处", "r1.16-1a", task=world.own.task, evidence=world.own.draft_evidence, **given)
    assert set(problems(refusal)) == {"task", "evidence"}


def test_a_closed_card_says_how_to_open_it(opened):
    opened.finished("监督协调处")
    with pytest.raises(CardClosed) as refusal:
        opened.find("监督协调处", "r1.20-1a", count=1)
    assert "leader甲、leader2甲" in str(refusal.value)
    assert "退回" in str(refusal.value)
    with pytest.raises(CardClosed):
        operations.preview_finding(
            scorecard=opened.card("监督协调处"),
            indicator=opened.row("1.20"),
            rule=opened.rule("r1.20-1a"),
            actor=opened.actor("reviewer"),
            at=AT,
            count=1,
        )


def test_a_signed_card_is_not_changed_through_a_shared_row(opened):
    opened.signed("机关党支部")
    with pytest.raises(SharedRowClosed) as refusal:
        opened.judge("综合处", "2.03", "1")
    assert "机关党支部" in str(refusal.value)
    assert "重新打开" in str(refusal.value)
    assert operations.signature_stands(opened.card("机关党支部"))
    # a row that is divided by clauses is another matter
    assert opened.find("综合处", "r1.21-2a", count=1).pk


# ------------------------------------------------------------------ once only, voiding, telling


def test_the_same_token_is_one_finding(opened):
    first = opened.find("综合处", "r1.16-1a", count=1, token="same")
    again = opened.find("综合处", "r1.16-1a", count=1, token="same")
    assert again.pk == first.pk
    assert opened.entry("综合处", "1.16/1").earned == Decimal("0.15")
    for other in ({"by": "reviewer2"}, {}):
        office, rule = ("综合处", "r1.16-1a") if other else ("登记管理处", "r1.14-4a")
        with pytest.raises(TokenUsed):
            opened.find(office, rule, count=1, token="same", **other)
    for token in ("", "x" * 41):
        with pytest.raises(BadInput):
            operations.judge_full(
                scorecard=opened.card("综合处"), actor=opened.actor("reviewer"), at=AT, token=token, source="x"
            )


def test_voiding_needs_a_reason_happens_once_and_gives_the_points_back(opened):
    finding = opened.find("综合处", "r1.16-1a", count=1)
    actor = opened.actor("reviewer2")
    with pytest.raises(BadInput):
        operations.void_finding(finding=finding, actor=actor, at=AT, reason=" ")
    operations.void_finding(finding=finding, actor=actor, at=AT, reason="经复核不属实")
    assert opened.entry("综合处", "1.16/1").earned == Decimal("0.2")
    with pytest.raises(AlreadyVoided) as refusal:
        operations.void_finding(finding=finding, actor=opened.actor("reviewer"), at=AT, reason="再撤")
    assert "reviewer2甲" in str(refusal.value)
    trail = AuditEntry.objects.get(verb="finding.voided")
    assert trail.detail["changes"] == [{"entry": opened.entry("综合处", "1.16/1").pk, "before": "0.15", "after": "0.2"}]


def test_the_office_hears_of_it_and_the_trail_keeps_the_fact_but_not_the_words(opened):
    finding = opened.find("综合处", "r1.16-1a", count=1, note="张三值班时无人接听")
    note = Notification.objects.get(key=f"finding:{finding.pk}")
    assert "0.2 → 0.15" in note.body
    assert set(Delivery.objects.filter(notification=note).values_list("recipient_id", flat=True)) == {
        opened.people["head:综合处"].pk
    }
    trail = AuditEntry.objects.get(verb="finding.recorded")
    assert "张三" not in str(trail.detail)
    assert trail.detail["facts"]["count"] == "1"


# ------------------------------------------------------------------ preview


def test_a_preview_shows_what_saving_does_and_writes_nothing(opened):
    card = opened.card("综合处")
    given = {"indicator": opened.row("1.16"), "rule": opened.rule("r1.16-4a"), "count": 2}
    before = list(ScoreEntry.objects.order_by("pk").values())
    shown = operations.preview_finding(scorecard=card, actor=opened.actor("reviewer"), at=AT, **given)
    assert (shown.entry_before, shown.entry_after) == (Decimal("0.3"), Decimal("0.2"))
    assert (shown.row_before - shown.row_after, shown.card_before - shown.card_after) == (
        Decimal("0.1"),
        Decimal("0.1"),
    )
    assert shown.breakdown.lines[-1].note == "0.05×2=0.1"
    assert not Finding.objects.exists()
    assert list(ScoreEntry.objects.order_by("pk").values()) == before
    opened.find("综合处", "r1.16-4a", count=2)
    assert opened.card("综合处").earned == shown.card_after
    assert opened.entry("综合处", "1.16/4").earned == shown.entry_after


def test_a_preview_refuses_what_saving_would_refuse(opened):
    card, actor = opened.card("综合处"), opened.actor("reviewer")
    with pytest.raises(BadInput):
        operations.preview_finding(
            scorecard=card, indicator=opened.row("1.16"), rule=opened.rule("r1.16-4a"), actor=actor, at=AT
        )
    with pytest.raises(BadInput):
        operations.preview_finding(
            scorecard=card,
            indicator=opened.row("1.03"),
            clause=opened.clause("1.03/1"),
            points=Decimal("0.6"),
            actor=actor,
            at=AT,
        )
    missing = Scorecard(pk=987654, version=opened.version, office=card.office)
    with pytest.raises(NotVisible):
        operations.preview_finding(scorecard=missing, indicator=opened.row("1.03"), actor=actor, at=AT)


def test_every_refusal_is_said_in_words(opened):
    for refusal in (OwnOffice(office="甲", action="评定"), NoPower(office="甲", power="乙", action="丙")):
        assert isinstance(refusal, NotAllowed)
        assert "{" not in str(refusal)
