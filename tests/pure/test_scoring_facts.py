"""What has to be asked, what is refused, and that missing is not zero."""

from datetime import date
from decimal import Decimal

import pytest

from scoring.facts import Fact, FactError, check_fact, fact_from_inputs, missing_inputs, required_inputs
from scoring.rules import parse_rule
from tests.pure.test_scoring_rules import EXAMPLES, example

D = Decimal


def fact(**fields) -> Fact:
    return Fact(id="f", rule_id="r", **fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"count": 1},
        {"count": 1.0},
        {"value": 0.5},
        {"points": "0.5"},
        {"inputs": {"base": 80.0}},
        {"holds": 1},
        {"inputs": {"base": None}},
    ],
)
def test_only_exact_numbers_are_taken(fields):
    with pytest.raises(TypeError):
        fact(**fields)


def test_the_inputs_of_a_fact_are_its_own():
    inputs = {"base": D(80)}
    recorded = fact(inputs=inputs)
    inputs["base"] = D(1)
    assert recorded.inputs == {"base": D(80)}


NEEDED = {
    "deduct_per_event": "count",
    "deduct_once": "holds",
    "deduct_missing": "count",
    "deduct_shortfall": "count",
    "deduct_per_step": "",
    "deduct_below": "value",
    "deduct_tiers": "value",
    "deduct_by_level": "level count",
    "deduct_multiplied": "count",
    "deduct_range": "",
    "deduct_unspecified": "holds",
    "deduct_proportional": "unfinished base",
    "scale_external": "value",
    "rate": "numerator denominator",
    "award_per": "count",
    "component_points": "value",
    "average_of_peers": "holds",
    "zero": "holds",
    "veto": "holds",
    "grade": "level",
    "base_points": "",
    "requirement": "holds",
    "external_method": "points",
    "sum_parts": "",
    "survey": "points",
    "judged": "points",
    "bonus_by_level": "level",
    "bonus_range": "",
    "highest_only": "",
}


@pytest.mark.parametrize("kind", sorted(EXAMPLES))
def test_every_kind_says_what_it_needs(kind):
    rule = parse_rule(example(kind))
    specs = required_inputs(rule)
    assert {spec.name for spec in specs if spec.required} == set(NEEDED[kind].split())
    assert all(spec.label for spec in specs)
    missing = missing_inputs(rule, fact())
    assert missing == [spec.label for spec in specs if spec.required]
    assert [problem for problem in check_fact(rule, fact()) if problem.startswith("请填写")] == [
        f"请填写{label}" for label in missing
    ]


def test_inputs_follow_the_rule():
    (count,) = required_inputs(parse_rule(example("deduct_per_event", trigger="迟报")))
    assert (count.label, count.type, count.unit) == ("迟报:数量", "count", "起")
    level, _ = required_inputs(parse_rule(example("deduct_by_level")))
    assert level.choices == ("副处级干部", "一般干部")
    names = [spec.name for spec in required_inputs(parse_rule(example("deduct_shortfall", required=None)))]
    assert names == ["count", "required"]
    names = [spec.name for spec in required_inputs(parse_rule(example("scale_external", full_mark=None)))]
    assert names == ["value", "full_mark"]
    (decided,) = required_inputs(parse_rule(example("deduct_proportional", base=None)))
    assert (decided.name, decided.type, decided.required) == ("points", "amount", False)
    assert [spec.name for spec in required_inputs(parse_rule(example("zero", scope="row", exempt=None)))] == ["holds"]
    (holds,) = required_inputs(parse_rule(example("component_points", threshold=None)))
    assert holds.type == "flag"
    (value,) = required_inputs(parse_rule(example("deduct_per_step", metrics=None)))
    assert (value.name, value.unit) == ("value", "%")
    (judged,) = required_inputs(None)
    assert judged.name == "points"


@pytest.mark.parametrize(
    ("kind", "change", "fields", "said"),
    [
        ("deduct_per_event", {}, {"count": D(-1)}, "负数"),
        ("deduct_per_event", {}, {"count": D("1.5")}, "整数"),
        ("deduct_per_event", {}, {"count": D("NaN")}, "有限"),
        ("deduct_per_event", {}, {"count": D("1E+12")}, "位数"),
        ("deduct_per_event", {}, {"count": D(1), "inputs": {"甲": D(1)}}, "不需要“甲”"),
        ("deduct_missing", {}, {"count": D(3)}, "超过应有的2项"),
        ("deduct_below", {}, {"value": D("100.1")}, "100%"),
        ("deduct_below", {}, {"value": D("1E-7")}, "小数位数"),
        ("deduct_by_level", {}, {"level": "正处级", "count": D(1)}, "副处级干部、一般干部"),
        ("deduct_range", {}, {"points": D(6)}, "1—5分之间"),
        ("deduct_range", {}, {"points": D("0.5")}, "1—5分之间"),
        ("bonus_range", {}, {"points": D("0.3")}, "0.05—0.2分之间"),
        ("bonus_by_level", {"composite": None}, {"level": "综合"}, "单项"),
        ("deduct_unspecified", {}, {"holds": False, "points": D(1)}, "未发生"),
        ("requirement", {}, {"holds": False, "points": D(1)}, "未发生"),
        ("rate", {}, {"inputs": {"numerator": D(5), "denominator": D(4)}}, "处置数5超过应处置数4"),
        ("deduct_proportional", {}, {"inputs": {"unfinished": D(81), "base": D(80)}}, "超过全年基本分80"),
        ("deduct_proportional", {"base": None}, {"points": D("0.6")}, "超过0.5分"),
        ("grade", {}, {"level": "良好", "points": D("0.1")}, "已由规则确定"),
        ("base_points", {}, {"holds": True}, "不需要记录"),
        ("judged", {}, {"points": D("0.6")}, "超过可得的0.5分"),
    ],
)
def test_impossible_facts_are_named(kind, change, fields, said):
    problems = check_fact(parse_rule(example(kind) | change), fact(note="依据", **fields), available=D("0.5"))
    assert len(problems) == 1
    assert said in problems[0]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("deduct_per_event", {"count": D(0)}),
        ("deduct_missing", {"count": D(2)}),
        ("deduct_below", {"value": D(100)}),
        ("deduct_range", {"points": D(5)}),
        ("deduct_range", {"points": D(1)}),
        ("rate", {"inputs": {"numerator": D(4), "denominator": D(4)}}),
        ("deduct_proportional", {"inputs": {"unfinished": D(80), "base": D(80)}}),
        ("grade", {"level": "及格", "points": D("0.5")}),
        ("judged", {"points": D("0.5")}),
        ("deduct_unspecified", {"holds": True, "points": D(1)}),
        ("deduct_unspecified", {"holds": False}),
    ],
)
def test_boundaries_are_accepted(kind, fields):
    assert check_fact(parse_rule(example(kind)), fact(note="依据", **fields), available=D("0.5")) == []


def test_a_decided_amount_needs_its_basis():
    rule = parse_rule(example("deduct_range"))
    assert check_fact(rule, fact(points=D(2))) == ["人工认定的分值须写明依据"]
    assert check_fact(rule, fact(points=D(2), source="会议纪要3号")) == []
    assert check_fact(None, Fact(id="f", points=D(2), note=" ")) == ["人工认定的分值须写明依据"]
    assert check_fact(parse_rule(example("deduct_proportional", base=None)), fact(points=D("0.1")))
    assert check_fact(parse_rule(example("deduct_per_event")), fact(count=D(2))) == []
    assert check_fact(None, Fact(id="f")) == ["请填写评定分"]


def test_kinds_whose_amount_people_decide():
    decided = {kind for kind in EXAMPLES if parse_rule(example(kind)).needs_basis}
    assert decided == {
        *("deduct_range", "deduct_unspecified", "requirement", "external_method", "survey", "judged", "grade"),
        "bonus_range",
    }


def test_a_form_becomes_a_fact():
    rule = parse_rule(example("deduct_by_level"))
    made = fact_from_inputs(
        rule=rule,
        id="f1",
        values={"level": "一般干部", "count": "2"},
        date=date(2017, 9, 13),
        note="通报",
        source="3号",
    )
    assert made == Fact(
        id="f1", rule_id="r", level="一般干部", count=D(2), date=date(2017, 9, 13), note="通报", source="3号"
    )
    rate = parse_rule(example("rate"))
    made = fact_from_inputs(rule=rate, id="f2", values={"numerator": "389", "denominator": ""})
    assert made.inputs == {"numerator": D(389)}
    assert fact_from_inputs(rule=parse_rule(example("veto")), id="f3", values={"holds": False}).holds is False
    assert fact_from_inputs(rule=None, id="f4", values={"points": "0.5"}).rule_id is None
    with pytest.raises(FactError) as error:
        fact_from_inputs(rule=rate, id="f5", values={"numerator": "三", "denominator": "1e3"})
    assert len(error.value.problems) == 2
