"""What holds for any findings: recomputing changes nothing, their order does not matter, points are bounded."""

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assessments import operations, queries
from assessments.models import Finding, Scorecard, ScoreEntry
from tests.assessments.conftest import AT, DAY, each, small

RULES = {
    "a": st.fixed_dictionaries({"count": st.integers(0, 9).map(Decimal)}),
    "b": st.fixed_dictionaries({"value": st.decimals(0, 100, places=2)}),
    "once": st.fixed_dictionaries({"holds": st.booleans()}),
    "row": st.fixed_dictionaries({"holds": st.booleans()}),
    "zero": st.fixed_dictionaries({"holds": st.booleans()}),
    "open": st.fixed_dictionaries({"holds": st.just(True), "points": st.none() | st.decimals(0, 1, places=3)}),
    "peers": st.fixed_dictionaries({"holds": st.just(True)}),
    None: st.fixed_dictionaries({"points": st.decimals(0, 2, places=3)}),
}
FACTS = st.lists(st.sampled_from(list(RULES)).flatmap(lambda rule: st.tuples(st.just(rule), RULES[rule])), max_size=8)


@pytest.fixture
def year(db):
    both = [("甲处", "responsible", [1, 2]), ("乙处", "responsible", [3, 4])]
    made = small(
        {
            "1.01": {
                "points": "5",
                "offices": both,
                "clauses": [
                    {"points": "1.5", "rules": [each("a", "0.35")]},
                    {
                        "points": "0.5",
                        "rules": [
                            {"id": "b", "kind": "deduct_per_step", "amount": "0.03", "step": "1", "threshold": "90"},
                            {"id": "once", "kind": "deduct_once", "amount": "0.25"},
                        ],
                    },
                    {"points": "2"},
                    {"points": "1", "rules": [{"id": "open", "kind": "deduct_unspecified"}, each("c", "0.1")]},
                    {
                        "no": None,
                        "rules": [
                            {"id": "zero", "kind": "zero", "scope": "row"},
                            {"id": "row", "kind": "deduct_once", "amount": "0.4"},
                            {"id": "peers", "kind": "average_of_peers"},
                        ],
                    },
                ],
            }
        }
    )
    made.open()
    return made


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(facts=FACTS, data=st.data())
def test_recomputation_is_idempotent_bounded_and_blind_to_order(year, facts, data):
    Finding.objects.all().delete()
    for serial, (code, values) in enumerate(facts):
        rule = year.rule(code) if code else None
        clause = rule.clause if rule else year.clause("1.01/3")
        office = "乙处" if clause and clause.no in (3, 4) else "甲处"
        Finding.objects.create(
            scorecard=year.card(office),
            indicator=year.row("1.01"),
            clause=clause,
            rule=rule,
            occurred_on=DAY,
            source="s",
            recorded_by=year.people["reviewer"],
            recorded_at=AT,
            token=f"t{serial}",
            **values,
        )
    card = year.card("甲处")
    operations.recompute(scorecard=card, at=AT)
    stored = list(ScoreEntry.objects.order_by("id").values())
    totals = list(Scorecard.objects.order_by("id").values("earned", "unresolved", "max_points"))
    assert operations.recompute(scorecard=card, at=AT) == []
    assert operations.recompute(scorecard=year.card("乙处"), indicator=year.row("1.01"), at=AT) == []
    assert list(ScoreEntry.objects.order_by("id").values()) == stored
    assert queries.verify_scores(year.version) == []

    for entry in ScoreEntry.objects.exclude(clause=None):
        assert entry.earned is None or Decimal(0) <= entry.earned <= entry.max_points
    summary = queries.unit_summary(year.version)
    assert summary.earned is None or Decimal(0) <= summary.earned <= summary.points == Decimal(5)
    assert summary.complete == (not any(total["unresolved"] for total in totals))

    # the same facts in another order, except that the last judgement stays the last
    judged = [fact for fact in facts if fact[0] is None]
    mixed = [*data.draw(st.permutations([fact for fact in facts if fact[0] is not None])), *judged]
    Finding.objects.all().delete()
    for serial, (code, values) in enumerate(mixed):
        rule = year.rule(code) if code else None
        clause = rule.clause if rule else year.clause("1.01/3")
        Finding.objects.create(
            scorecard=year.card("甲处"),
            indicator=year.row("1.01"),
            clause=clause,
            rule=rule,
            occurred_on=DAY,
            source="s",
            recorded_by=year.people["reviewer"],
            recorded_at=AT,
            token=f"m{serial}",
            **values,
        )
    operations.recompute(scorecard=card, at=AT)
    again = list(Scorecard.objects.order_by("id").values("earned", "unresolved", "max_points"))
    assert again == totals
