"""One clause: start, limits, groups, states, and that every step is explained."""

from decimal import Decimal, localcontext

import pytest

from scoring.evaluate import evaluate_clause
from scoring.facts import Fact, FactError
from scoring.kinds.base import Part
from scoring.points import PointsError
from scoring.rules import RuleError, parse_rule

D = Decimal


def rule(kind: str, id: str = "r", **fields):
    return parse_rule({"id": id, "quote": f"原文{id}", "kind": kind, **fields})


def fact(rule_id: str | None = "r", id: str = "f", **fields) -> Fact:
    return Fact(id=id, rule_id=rule_id, **fields)


def clause(points="0.5", rules=(), facts=(), **extra):
    return evaluate_clause(points=D(points), rules=rules, facts=facts, **extra)


EVENT = rule("deduct_per_event", amount="0.2", unit="起")


def test_nothing_found_is_full_points_and_says_so():
    result = clause(rules=[EVENT])
    assert (result.earned, result.state, result.max_points) == (D("0.5"), "scored", D("0.5"))
    (start,) = result.lines
    assert (start.kind, start.running, start.note) == ("start", D("0.5"), "未发现扣分事项")


def test_a_deduction_is_explained():
    result = clause(rules=[EVENT], facts=[fact(count=D(2))])
    start, line = result.lines
    assert start.note == ""
    assert (line.label, line.kind, line.rule_id, line.fact_ids) == ("原文r", "deduct_per_event", "r", ("f",))
    assert (line.amount, line.running, line.bit, line.note) == (D("-0.4"), D("0.1"), None, "0.2×2=0.4")
    assert (line.inputs, line.quote) == ({"数量": "2起"}, "原文r")


def test_the_floor_is_on_its_line():
    result = clause(rules=[EVENT], facts=[fact(count=D(3))])
    line = result.lines[-1]
    assert (line.amount, line.running, line.bit) == (D("-0.5"), D(0), "floor")
    assert "应扣0.6,只剩0.5,扣完为止" in line.note


def test_reaching_zero_exactly_is_not_a_floor():
    line = clause("0.4", rules=[EVENT], facts=[fact(count=D(2))]).lines[-1]
    assert (line.amount, line.running, line.bit) == (D("-0.4"), D(0), None)


def test_the_cap_of_a_rule_is_on_its_line():
    capped = rule("deduct_per_event", amount="0.2", cap="0.3")
    line = clause(rules=[capped], facts=[fact(count=D(2))]).lines[-1]
    assert (line.amount, line.bit) == (D("-0.3"), "cap")
    assert "按0.3计" in line.note
    exact = rule("deduct_per_event", amount="0.1", cap="0.3")
    assert clause(rules=[exact], facts=[fact(count=D(3))]).lines[-1].bit is None


def test_an_award_never_lifts_a_clause_above_its_points():
    award = rule("award_per", amount="0.2", unit="次")
    line = clause(rules=[award], facts=[fact(count=D(3))]).lines[-1]
    assert (line.amount, line.running, line.bit) == (D("0.5"), D("0.5"), "cap")
    assert line.inputs == {"数量": "3次"}
    assert clause(rules=[award]).earned == 0
    assert clause(rules=[award]).lines[-1].note == "没有记录,不加分"


def test_reaching_the_points_exactly_is_not_a_cap():
    award = rule("award_per", amount="0.25", unit="次")
    line = clause(rules=[award], facts=[fact(count=D(2))]).lines[-1]
    assert (line.running, line.bit) == (D("0.5"), None)


def test_only_the_dearest_of_an_exclusive_group_counts():
    rules = [
        rule("deduct_once", id="poor", amount="0.05", exclusive="甲"),
        rule("deduct_once", id="none", amount="0.1", exclusive="甲"),
        rule("deduct_once", id="other", amount="0.02"),
    ]
    facts = [fact(r.id, id=r.id, holds=True) for r in rules]
    result = clause(rules=rules, facts=facts)
    assert result.earned == D("0.38")
    assert [line.amount for line in result.lines[1:]] == [D(0), D("-0.1"), D("-0.02")]
    assert "只计最重的一项" in result.lines[1].note
    tie = [rule("deduct_once", id=name, amount="0.1", exclusive="甲") for name in ("a", "b")]
    result = clause(rules=tie, facts=[fact(name, id=name, holds=True) for name in ("a", "b")])
    assert [line.amount for line in result.lines[1:]] == [D("-0.1"), D(0)]


def test_a_part_is_lost_once():
    rules = [rule("zero", id=name, scope="part", part="月平均") for name in ("a", "b")]
    facts = [fact(name, id=name, holds=True) for name in ("a", "b")]
    parts = [Part(quote="使用率", points=D("0.2")), Part(quote="月平均", points=D("0.3"))]
    assert clause(rules=rules, facts=facts, parts=parts).earned == D("0.2")
    unknown = clause(rules=rules[:1], facts=facts[:1])
    assert (unknown.state, unknown.earned) == ("unresolved", None)


def test_events_that_did_not_happen_cost_nothing_and_are_shown():
    rules = [
        rule("deduct_once", id="a", amount="0.1"),
        rule("zero", id="b", scope="clause"),
        rule("veto", id="c"),
        rule("requirement", id="d", condition="不发生"),
        rule("deduct_unspecified", id="e"),
        rule("zero", id="g", scope="row"),
        rule("deduct_by_level", id="h", levels=[{"level": "甲", "amount": "0.1"}]),
    ]
    facts = [fact(r.id, id=r.id, holds=False) for r in rules[:6]] + [fact("h", id="h", level="甲", count=D(0))]
    result = clause(rules=rules, facts=facts)
    assert (result.earned, result.flags) == (D("0.5"), ())
    assert [line.amount for line in result.lines[1:]] == [D(0)] * 7
    assert all("未发生" in line.note for line in result.lines[1:])


def test_a_condition_holds_if_any_record_says_so():
    once = rule("deduct_once", amount="0.1")
    facts = [fact(id="a", holds=True), fact(id="b", holds=False)]
    assert clause(rules=[once], facts=facts).earned == D("0.4")


def test_a_veto_is_a_flag_and_keeps_the_score():
    for effect, said in ((None, "原文未写明后果"), ("评选一等奖", "评选一等奖")):
        result = clause(rules=[EVENT, rule("veto", id="v", effect=effect)], facts=[fact("v", holds=True)])
        assert result.earned == D("0.5")
        (flag,) = result.flags
        assert (flag.kind, flag.rule_id, flag.fact_ids, flag.effect) == ("veto", "v", ("f",), effect)
        assert flag.quote == "原文v"
        assert said in result.lines[-1].note


def test_zero_empties_the_clause_whatever_is_undecided():
    rules = [EVENT, rule("deduct_unspecified", id="u"), rule("zero", id="z", scope="clause")]
    facts = [fact(count=D(1)), fact("u", id="u", holds=True), fact("z", id="z", holds=True)]
    result = clause(rules=rules, facts=facts)
    assert (result.earned, result.state, result.unresolved) == (D(0), "scored", ())
    assert (result.lines[-1].amount, result.lines[-1].running) == (D("-0.3"), D(0))
    without = clause(rules=rules, facts=facts[:2])
    assert (without.earned, without.state) == (None, "unresolved")
    unjudged = clause(rules=[rule("judged", id="j"), rules[2]], facts=[facts[2]])
    assert (unjudged.earned, unjudged.state, unjudged.lines[-1].amount) == (D(0), "scored", None)


@pytest.mark.parametrize(
    "rules",
    [
        [],
        [rule("judged")],
        [rule("survey")],
        [rule("external_method", document="办法")],
        [rule("requirement", condition="不发生")],
        [rule("deduct_unspecified")],
        [rule("veto")],
        [rule("sum_parts")],
        [rule("average_of_peers")],
        [rule("judged"), rule("deduct_once", id="d", amount="0.1")],
    ],
    ids=lambda rules: "+".join(r.kind for r in rules) or "none",
)
def test_judgement_without_a_judged_fact_is_missing_not_zero(rules):
    result = clause(rules=rules)
    assert (result.earned, result.state, result.unresolved) == (None, "judged_missing", ("须人工评定,尚未评定",))


def test_a_judged_score_with_deductions():
    result = clause(rules=[EVENT], facts=[fact(None, id="j", points=D("0.3"), note="现场核查"), fact(count=D(1))])
    assert result.earned == D("0.1")
    assert (result.lines[0].kind, result.lines[0].amount, result.lines[0].note) == ("judged", D("0.3"), "现场核查")
    floored = clause(rules=[EVENT], facts=[fact(None, id="j", points=D("0.3")), fact(count=D(2))])
    assert (floored.earned, floored.lines[-1].bit) == (D(0), "floor")


def test_a_judged_score_may_be_recorded_under_its_rule():
    result = clause(rules=[rule("survey")], facts=[fact(points=D("0.45"))])
    assert (result.earned, result.lines[0].kind) == (D("0.45"), "survey")


@pytest.mark.parametrize(
    "facts",
    [
        [fact(None, id="a", points=D("0.1")), fact(None, id="b", points=D("0.2"))],
        [fact("r", id="a", points=D("0.1")), fact(None, id="b", points=D("0.1"))],
        [fact("r", id="a", points=D("0.1")), fact("r", id="b", points=D("0.1"))],
        [fact("r", id="a")],
        [fact(None, id="a")],
    ],
)
def test_two_judged_scores_or_an_empty_one_are_unresolved(facts):
    result = clause(rules=[rule("judged")], facts=facts)
    assert (result.earned, result.state) == (None, "unresolved")


def test_a_judged_score_that_does_not_apply_is_shown_but_unused():
    result = clause(facts=[fact(None, points=D("0.1"), applies=False, note="撤回")])
    assert (result.state, result.lines[0].note) == ("judged_missing", "不适用,不计:撤回")


def test_a_decided_open_fact_is_a_judgement():
    open_rule = rule("requirement", condition="不发生")
    assert clause(rules=[open_rule], facts=[fact(holds=False)]).earned == D("0.5")
    assert clause(rules=[open_rule], facts=[fact(holds=True, points=D("0.2"))]).earned == D("0.3")
    waiting = clause(rules=[open_rule], facts=[fact(holds=True)])
    assert (waiting.earned, waiting.state) == (None, "unresolved")
    assert waiting.lines[-1].note == waiting.unresolved[0].split(":", 1)[1]


def test_missing_inputs_are_unresolved_not_zero():
    result = clause(rules=[EVENT], facts=[fact()])
    assert (result.earned, result.state) == (None, "unresolved")
    assert "原文r:数量" in result.unresolved[0]
    steps = rule("deduct_per_step", amount="0.1", step="5", threshold="100", metrics=["甲"])
    assert clause(rules=[steps], facts=[fact()]).state == "unresolved"


def test_ranges_wait_for_their_decision():
    ranged = rule("deduct_range", min="0.1", max="0.3")
    assert clause(rules=[ranged], facts=[fact()]).state == "unresolved"
    facts = [fact(id="a", points=D("0.1")), fact(id="b", points=D("0.3"))]
    assert clause(rules=[ranged], facts=facts).earned == D("0.1")


def test_rules_for_other_units_and_facts_that_do_not_apply_keep_a_line():
    special = rule("deduct_once", amount="0.1", applies_to="执法部门")
    other = clause(rules=[special], facts=[fact(holds=True)])
    assert (other.earned, other.lines[0].amount) == (D("0.5"), D(0))
    assert "仅适用于执法部门" in other.lines[0].note
    own = clause(rules=[special], facts=[fact(holds=True)], unit_classes=frozenset({"执法部门", "甲"}))
    assert own.earned == D("0.4")
    void = clause(rules=[EVENT], facts=[fact(count=D(1), applies=False), fact(id="g", count=D(1))])
    assert (void.earned, void.lines[0].note, void.lines[-1].fact_ids) == (D("0.3"), "不适用,不计", ("g",))
    only_void = clause(rules=[rule("judged")], facts=[fact(points=D("0.1"), applies=False)])
    assert only_void.state == "judged_missing"


def test_points_no_earning_rule_speaks_for():
    satisfied = rule("component_points", points="0.2", condition="满意")
    yes = fact(holds=True)
    assert clause("0.4", rules=[satisfied], facts=[yes]).state == "judged_missing"
    result = clause("0.4", rules=[satisfied], facts=[yes, fact(None, id="j", points=D("0.15"))])
    assert result.earned == D("0.35")
    with pytest.raises(FactError, match=r"超过可得的0\.2分"):
        clause("0.4", rules=[satisfied], facts=[fact(None, points=D("0.21"))])
    deducting = [satisfied, rule("deduct_once", id="d", amount="0.05")]
    assert clause("0.4", rules=deducting, facts=[yes, fact("d", id="d", holds=True)]).earned == D("0.35")
    limited = rule("component_points", points="0.2", condition="满意", cap="0.1")
    assert clause("0.1", rules=[limited], facts=[yes]).earned == D("0.1")
    assert clause("0.2", rules=[limited], facts=[yes]).state == "judged_missing"
    assert clause("0").state == "judged_missing"
    elsewhere = rule("component_points", points="0.4", condition="满意", applies_to="甲")
    assert clause("0.4", rules=[elsewhere]).state == "judged_missing"


def test_components_and_scores_are_recorded_once():
    component = rule("component_points", points="0.5", condition="满意")
    twice = [fact(id="a", holds=True), fact(id="b", holds=False)]
    assert clause(rules=[component], facts=twice).state == "unresolved"
    scale = rule("scale_external", full_mark="100")
    twice = [fact(id="a", value=D(90)), fact(id="b", value=D(80))]
    assert clause(rules=[scale], facts=twice).state == "unresolved"
    grade = rule("grade", grades=[{"grade": "良", "effect": "full"}])
    assert clause(rules=[grade], facts=[fact(id="a", level="良"), fact(id="b", level="良")]).state == "unresolved"
    part = rule("deduct_proportional", of="分", full="0.5", base="基本分")
    done = {"unfinished": D(1), "base": D(2)}
    assert clause(rules=[part], facts=[fact(id="a", inputs=done), fact(id="b", inputs=done)]).state == "unresolved"


def test_a_component_with_a_threshold_includes_the_boundary():
    rate = rule("component_points", points="0.5", condition="年检率", threshold="90", unit="%")
    assert clause(rules=[rate], facts=[fact(value=D(90))]).earned == D("0.5")
    result = clause(rules=[rate], facts=[fact(value=D("89.9"))])
    assert (result.earned, result.lines[-1].inputs) == (D(0), {"测得值": "89.9%", "应达到": "90%"})
    plain = rule("component_points", points="0.5", condition="做到")
    assert clause(rules=[plain], facts=[fact(holds=False)]).earned == 0


def test_monthly_counts_of_a_rate_add_up_before_dividing():
    rate = rule("rate", points="0.5", numerator="处置数", denominator="应处置数", places=3)
    months = [fact(id=str(n), inputs={"numerator": D(n), "denominator": D(3)}) for n in (1, 3)]
    result = clause(rules=[rate], facts=months)
    assert result.earned == D("0.333")
    assert result.lines[-1].note == "0.5×4÷6=0.333(四舍五入)"
    unprinted = rule("rate", points="0.5", numerator="处置数", denominator="应处置数")
    assert clause(rules=[unprinted], facts=months).earned == D("0.333333")
    assert clause(rules=[unprinted]).unresolved == ("缺少“原文r”",)


def test_an_exact_division_is_not_called_rounded():
    scale = rule("scale_external", full_mark="80")
    assert clause(rules=[scale], facts=[fact(value=D(68))]).lines[0].note == "0.5×68÷80=0.425"
    above = clause(rules=[scale], facts=[fact(value=D(81))])
    assert (above.earned, above.lines[0].bit) == (D("0.5"), "cap")
    assert clause(rules=[scale], facts=[fact(value=D(80))]).lines[0].bit is None


def test_divisions_by_nothing_are_unresolved():
    scale = rule("scale_external")
    zero = fact(value=D(0), inputs={"full_mark": D(0)})
    assert clause(rules=[scale], facts=[zero]).state == "unresolved"
    part = rule("deduct_proportional", of="分", full="0.5", base="基本分")
    assert clause(rules=[part], facts=[fact(inputs={"unfinished": D(0), "base": D(0)})]).state == "unresolved"


def test_a_proportional_deduction_without_a_printed_base():
    part = rule("deduct_proportional", of="绩效", full="0.5")
    assert clause(rules=[part], facts=[fact()]).state == "unresolved"
    assert clause(rules=[part], facts=[fact(points=D("0.2"))]).earned == D("0.3")
    assert clause(rules=[part], facts=[fact(id="a", points=D("0.2")), fact(id="b")]).state == "unresolved"


def test_a_proportional_deduction_says_whether_it_was_rounded():
    part = rule("deduct_proportional", of="分", full="0.5", base="基本分")
    exact = clause(rules=[part], facts=[fact(inputs={"unfinished": D(12), "base": D(80)})])
    assert exact.lines[-1].note == "0.5×12÷80=0.075"
    rounded = clause(rules=[part], facts=[fact(inputs={"unfinished": D(1), "base": D(3)})])
    assert (rounded.earned, rounded.lines[-1].note) == (D("0.333333"), "0.5×1÷3=0.166667(四舍五入)")


def test_a_shortfall_with_required_counts_of_each_record():
    short = rule("deduct_shortfall", amount="0.1")
    facts = [
        fact(id="a", count=D(3), inputs={"required": D(2)}),
        fact(id="b", count=D(1), inputs={"required": D(3)}),
    ]
    assert clause(rules=[short], facts=facts).earned == D("0.3")
    yearly = rule("deduct_shortfall", amount="0.1", required=5)
    assert clause(rules=[yearly], facts=[fact(id="a", count=D(3)), fact(id="b", count=D(1))]).earned == D("0.4")


def test_the_lowest_of_several_measurements_counts():
    below = rule("deduct_below", amount="0.2", threshold="90")
    facts = [fact(id="a", value=D(95)), fact(id="b", value=D("89.9"))]
    assert clause(rules=[below], facts=facts).earned == D("0.3")
    assert clause(rules=[below], facts=[fact(value=D(90))]).earned == D("0.5")
    tiers = rule("deduct_tiers", tiers=[{"below": "60", "amount": "0.05"}, {"below": "55", "amount": "0.1"}])
    assert clause(rules=[tiers], facts=[fact(id="a", value=D(59)), fact(id="b", value=D(54))]).earned == D("0.4")
    steps = rule("deduct_per_step", amount="0.01", step="1", threshold="80")
    assert clause(rules=[steps], facts=[fact(id="a", value=D(90)), fact(id="b", value=D("77.5"))]).earned == D("0.48")
    metric = rule("deduct_per_step", amount="0.01", step="1", threshold="80", metrics=["甲", "乙"])
    two = [fact(id="a", inputs={"甲": D(79)}), fact(id="b", inputs={"甲": D(78), "乙": D(80)})]
    assert clause(rules=[metric], facts=two).earned == D("0.48")


def test_components_missing_over_several_records():
    missing = rule("deduct_missing", amount="0.05", components=["铁门", "铁窗", "铁柜"])
    facts = [fact(id="a", count=D(1)), fact(id="b", count=D(2))]
    assert clause(rules=[missing], facts=facts).earned == D("0.35")
    assert clause(rules=[missing], facts=[*facts, fact(id="c", count=D(1))]).state == "unresolved"


def test_linear_steps_that_do_not_end_are_rounded_once():
    steps = rule("deduct_per_step", amount="0.01", step="3", threshold="80", steps="linear")
    result = clause(rules=[steps], facts=[fact(value=D(79))])
    assert result.earned == D("0.496667")
    assert result.lines[-1].note.endswith("(四舍五入)")


def test_a_multiple_of_a_rule_that_is_not_here():
    double = rule("deduct_multiplied", id="d", factor="2", of="r")
    assert clause(rules=[double], facts=[fact("d", count=D(1))]).state == "unresolved"
    result = clause(rules=[EVENT, double], facts=[fact("d", count=D(1))])
    assert (result.earned, result.lines[-1].note) == (D("0.1"), "0.2×2×1=0.4")
    assert result.lines[-1].inputs == {"数量": "1起", "倍数": "2"}


def test_the_mean_of_the_peers_replaces_what_would_be_earned():
    rules = [
        rule("rate", id="rate", points="0.5", numerator="甲", denominator="乙"),
        rule("average_of_peers", id="p"),
        rule("deduct_once", id="d", amount="0.1"),
    ]
    mean = fact("p", holds=True, inputs={"average": D("0.4")})
    assert clause(rules=rules, facts=[mean]).earned == D("0.4")
    assert clause(rules=rules, facts=[mean, fact("d", id="d", holds=True)]).earned == D("0.3")
    full = fact("p", holds=True, inputs={"average": D("0.5")})
    assert clause(rules=rules[1:], facts=[full]).earned == D("0.5")
    checked = fact("p", holds=False)
    rated = fact("rate", id="x", inputs={"numerator": D(1), "denominator": D(1)})
    assert clause(rules=rules, facts=[checked, rated]).earned == D("0.5")
    for waiting in (
        [fact("p", holds=True)],
        [mean, fact("p", id="g", holds=True, inputs={"average": D("0.3")})],
        [fact("p", holds=True, inputs={"average": D("0.6")})],
    ):
        assert clause(rules=rules[1:], facts=waiting).state == "unresolved"


def test_a_judged_score_stands_for_a_missing_outside_result():
    grade = rule("grade", grades=[{"grade": "良", "effect": "full"}])
    assert clause(rules=[grade]).unresolved == ("缺少“原文r”",)
    assert clause(rules=[grade], facts=[fact(None, points=D("0.2"))]).earned == D("0.2")
    open_end = rule("grade", grades=[{"grade": "及格", "effect": "unresolved"}])
    result = clause(rules=[open_end], facts=[fact(level="及格")])
    assert (result.state, result.lines[-1].inputs) == ("unresolved", {"等次": "及格"})
    with pytest.raises(FactError, match="超过可得"):
        clause(rules=[open_end], facts=[fact(level="及格", points=D("0.6"))])


def test_an_undecided_deduction_beside_a_missing_judgement_names_both():
    result = clause(rules=[rule("judged", id="j"), EVENT], facts=[fact()])
    assert result.state == "unresolved"
    assert len(result.unresolved) == 2
    shown = clause(rules=[rule("judged", id="j"), EVENT], facts=[fact(count=D(1))]).lines[-1]
    assert (shown.amount, shown.running) == (D("-0.2"), None)


def test_a_clause_without_a_figure_is_scored_in_its_row():
    result = evaluate_clause(points=None, rules=[EVENT], facts=[])
    assert (result.earned, result.max_points, result.state) == (None, None, "unresolved")


def test_impossible_facts_are_refused_with_every_reason():
    facts = [fact(count=D(-1)), fact("unknown", id="g", count=D(1)), fact(count=D(1))]
    with pytest.raises(FactError) as error:
        clause(rules=[EVENT], facts=facts)
    assert len(error.value.problems) == 3
    assert "没有规则“unknown”" in str(error.value)
    assert "重复" in str(error.value)
    with pytest.raises(FactError, match=r"超过可得的0\.5分"):
        clause(facts=[fact(None, points=D("0.51"))])


def test_rules_that_do_not_fit_together_are_refused():
    with pytest.raises(RuleError, match="重复"):
        clause(rules=[EVENT, EVENT])
    with pytest.raises(RuleError, match="加分"):
        clause(rules=[rule("bonus_range", min="0", max="1")])


def test_only_exact_points_are_taken():
    with pytest.raises(TypeError):
        evaluate_clause(points=0.5, rules=[], facts=[])
    with pytest.raises(PointsError):
        evaluate_clause(points=D(-1), rules=[], facts=[])


def test_the_ambient_precision_does_not_matter():
    facts = [fact(count=D(123456789))]
    many = rule("deduct_per_event", amount="0.000001")
    with localcontext() as context:
        context.prec = 4
        assert clause("200", rules=[many], facts=facts).earned == D("76.543211")
