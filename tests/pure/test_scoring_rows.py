"""Rows, sections, bonus and scheme: sums, conditions, partial sums, flags that travel upwards."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from scoring.breakdown import ENGINE_VERSION, Breakdown, BreakdownError
from scoring.evaluate import (
    BonusRow,
    ClauseInput,
    SectionInput,
    evaluate_bonus,
    evaluate_row,
    evaluate_scheme,
    evaluate_section,
    evaluate_sections,
    peer_average,
)
from scoring.facts import Fact, FactError
from scoring.rules import RuleError
from tests.pure.test_scoring_clause import EVENT, fact, rule

D = Decimal
ZERO_ROW = rule("zero", id="z", scope="row")
VETO = rule("veto", id="v")


def clause(key: str, points: str | None = None, rules=(), facts=(), **extra) -> ClauseInput:
    return ClauseInput(key=key, points=None if points is None else D(points), rules=rules, facts=facts, **extra)


def row(clauses, points="0.5", **extra) -> Breakdown:
    return evaluate_row(points=D(points), clauses=clauses, key="1.01", title="行", **extra)


def done(points: str, key: str = "1.01", **extra) -> Breakdown:
    return Breakdown(D(points), D(points), "scored", key=key, level="row", **extra)


def test_a_row_with_figures_is_the_sum_of_its_clauses():
    result = row(
        [
            clause("1", "0.2", [EVENT], [fact(count=D(3))]),
            clause("2", "0.3", [rule("deduct_once", id="o", amount="0.1")], [fact("o", id="g", holds=True)]),
        ]
    )
    assert (result.earned, result.state, result.level, result.key, result.title) == (
        D("0.2"),
        "scored",
        "row",
        "1.01",
        "行",
    )
    assert [child.earned for child in result.children] == [D(0), D("0.2")]
    assert [(line.kind, line.label, line.amount, line.running) for line in result.lines] == [
        ("clause", "1", D(0), D(0)),
        ("clause", "2", D("0.2"), D("0.2")),
    ]


def test_each_clause_has_its_own_floor_before_the_sum():
    result = row([clause("1", "0.2", [EVENT], [fact(count=D(9))]), clause("2", "0.3", [rule("base_points")])])
    assert result.earned == D("0.3")


def test_row_rules_apply_to_the_sum():
    own = rule("deduct_once", id="own", amount="0.4")
    judged = clause("1", "0.5", facts=[fact(None, points=D("0.3"))])
    result = row([judged], rules=[own], facts=[fact("own", holds=True)])
    assert (result.earned, result.lines[-1].bit) == (D(0), "floor")


def test_a_row_is_never_above_its_points():
    result = row([clause("1", "0.4", [EVENT]), clause("2", "0.4", [EVENT])])
    assert (result.earned, result.lines[-1].bit, result.lines[-1].amount) == (D("0.5"), "cap", D("-0.3"))
    exact = row([clause("1", "0.2", [EVENT]), clause("2", "0.3", [EVENT])])
    assert all(line.bit is None for line in exact.lines)


def test_a_missing_clause_makes_a_partial_sum():
    result = row([clause("1", "0.2", [EVENT]), clause("2", "0.3")])
    assert (result.earned, result.state) == (D("0.2"), "unresolved")
    assert result.unresolved == ("2:须人工评定,尚未评定",)
    assert result.lines[1].note == "须人工评定,尚未评定"
    nothing = row([clause("1", "0.5")])
    assert (nothing.earned, nothing.state) == (None, "unresolved")


def test_a_condition_without_a_figure_zeroes_the_row():
    clauses = [clause("1", "0.1", [EVENT]), clause("2", "0.2")]
    condition = clause("3", None, [ZERO_ROW, VETO], [fact("z", id="z", holds=True), fact("v", id="v", holds=True)])
    result = row([*clauses, condition])
    assert (result.earned, result.state, result.unresolved) == (D(0), "scored", ())
    (flag,) = result.flags
    assert (flag.kind, flag.where) == ("veto", "3")
    third = result.children[2]
    assert (third.earned, third.max_points, third.state) == (None, None, "scored")
    assert {line.rule_id for line in third.lines} == {"z", "v"}
    calm = row([*clauses, replace(condition, facts=[])])
    assert (calm.earned, calm.state) == (D("0.1"), "unresolved")


def test_a_clause_with_a_figure_may_zero_its_row():
    result = row([clause("1", "0.2", [EVENT, ZERO_ROW], [fact("z", holds=True)]), clause("2", "0.3", [EVENT])])
    assert (result.earned, result.flags) == (D(0), ())
    last = result.lines[-1]
    assert (last.label, last.kind, last.amount, last.rule_id) == ("本项不得分", "zero", D("-0.5"), "z")
    assert result.children[0].flags[0].kind == "zero_row"
    open_end = row([clause("1", "0.2", [EVENT, ZERO_ROW], [fact("z", holds=True)]), clause("2", "0.3")])
    assert (open_end.earned, open_end.state, open_end.unresolved) == (D(0), "scored", ())
    alone = row([clause("1", "0.2", [ZERO_ROW, rule("judged", id="j")], [fact("z", holds=True)])])
    assert (alone.earned, alone.lines[-1].amount) == (D(0), None)


def test_flags_of_clauses_say_where_they_come_from():
    result = row([clause("1", "0.5", [EVENT, VETO], [fact("v", holds=True)])])
    assert [(flag.kind, flag.where) for flag in result.flags] == [("veto", "1")]


def test_a_row_without_figures_is_one_pot():
    other = rule("deduct_per_event", id="o", amount="0.1")
    clauses = [
        clause("1", None, [EVENT], [fact(count=D(2))]),
        clause("2", None, [other, VETO], [fact("o", id="g", count=D(2)), fact("v", id="h", holds=True)]),
    ]
    result = row(clauses, rules=[rule("deduct_once", id="own", amount="0.1")])
    assert (result.earned, result.lines[-2].bit) == (D(0), "floor")
    assert [(line.rule_id, line.running) for line in result.children[1].lines] == [("o", None), ("v", None)]
    assert [flag.where for flag in result.flags] == ["2"]
    assert row([replace(c, facts=[]) for c in clauses]).earned == D("0.5")


def test_a_pot_without_rules_is_judged_as_a_row():
    clauses = [clause("1"), clause("2")]
    missing = row(clauses)
    assert (missing.earned, missing.state, missing.unresolved) == (
        None,
        "judged_missing",
        ("1.01:须人工评定,尚未评定",),
    )
    assert row(clauses, facts=[fact(None, points=D("0.4"))]).earned == D("0.4")
    with pytest.raises(FactError, match="须在本项评定"):
        row([clause("1", facts=[fact(None, points=D("0.4"))]), clause("2")])


def test_a_single_clause_is_its_row():
    assert row([clause("1", facts=[fact(None, points=D("0.4"))])]).earned == D("0.4")
    assert row([clause("1", None, [rule("survey")], [fact(points=D("0.45"))])]).earned == D("0.45")
    zero = rule("zero", id="z", scope="clause")
    assert row([clause("1", None, [zero], [fact("z", holds=True)])]).earned == 0
    tiers = rule("deduct_tiers", tiers=[{"below": "50", "zero": True}])
    assert row([clause("1", None, [tiers], [fact(value=D(40))])]).earned == 0
    other = rule("deduct_once", id="e", amount="0.1")
    two = row([clause("1", None, [tiers], [fact(value=D(40))]), clause("2", None, [other])])
    assert two.state == "unresolved"


def test_row_level_results_replace_the_sum():
    clauses = [clause("1", "0.2"), clause("2", "0.3", [EVENT])]
    mean = rule("average_of_peers", id="p")
    result = row(clauses, rules=[mean], facts=[fact("p", holds=True, inputs={"average": D("0.35")})])
    assert (result.earned, result.state) == (D("0.35"), "scored")
    scale = rule("scale_external", id="s", full_mark="100")
    assert row(clauses, rules=[scale], facts=[fact("s", value=D(90))]).earned == D("0.45")
    assert row(clauses, rules=[scale]).earned == D("0.3")


def test_a_row_with_figures_is_not_judged_as_a_whole():
    with pytest.raises(FactError, match="逐条评定"):
        row([clause("1", "0.5")], facts=[fact(None, points=D("0.4"))])


def test_an_undecided_row_rule_names_the_row():
    open_rule = rule("deduct_unspecified", id="u")
    result = row([clause("1", "0.5", [EVENT])], rules=[open_rule], facts=[fact("u", holds=True)])
    assert (result.earned, result.state) == (D("0.5"), "unresolved")
    assert result.unresolved[0].startswith("1.01:“原文u”")


def test_an_unscored_clause_takes_no_facts():
    silent = clause("n", None, [VETO], scored=False)
    result = row([clause("1", "0.5", [EVENT]), silent])
    assert (result.earned, result.children[1].lines[0].note) == (D("0.5"), "本条不计分")
    with pytest.raises(FactError, match="n不计分"):
        row([clause("1", "0.5", [EVENT]), replace(silent, facts=[fact("v", holds=True)])])


def test_sections_are_sums_and_may_be_zeroed():
    section = evaluate_section(key="一", points=D(2), rows=[done("1"), done("0.5", key="1.02")], title="部分")
    assert (section.earned, section.state, section.level, section.title) == (D("1.5"), "scored", "section", "部分")
    assert [(line.label, line.running) for line in section.lines] == [("1.01", D(1)), ("1.02", D("1.5"))]
    vetoed = row([clause("1", "0.5", [EVENT, VETO], [fact("v", holds=True)])])
    kept = evaluate_section(key="一", points=D("0.5"), rows=[vetoed])
    assert (kept.earned, [flag.kind for flag in kept.flags]) == (D("0.5"), ["veto"])
    assert [(line.label, line.bit) for line in kept.lines] == [("行", None)]
    zero = rule("zero", id="z", scope="section")
    zeroing = row([clause("1", "0.5", [EVENT, zero], [fact("z", holds=True)])])
    assert (zeroing.earned, zeroing.flags[0].kind) == (D("0.5"), "zero_section")
    emptied = evaluate_section(key="一", points=D(2), rows=[done("1"), zeroing, row([clause("1", "0.5")])])
    assert (emptied.earned, emptied.state, emptied.unresolved) == (D(0), "scored", ())
    assert (emptied.lines[-1].label, emptied.lines[-1].amount, emptied.flags) == ("本部分不得分", D("-1.5"), ())
    capped = evaluate_section(key="一", points=D(1), rows=[done("0.8"), done("0.4")])
    assert (capped.earned, capped.lines[-1].bit, capped.lines[-1].amount) == (D(1), "cap", D("-0.2"))


def test_totals_with_missing_children_are_partial_and_name_them():
    missing = row([clause("1.01/1", "0.5")])
    section = evaluate_section(key="一", points=D(2), rows=[done("1"), missing])
    assert (section.earned, section.state) == (D(1), "unresolved")
    assert section.unresolved == ("1.01/1:须人工评定,尚未评定",)
    assert section.lines[1].note == "尚缺1项"
    total = evaluate_scheme(points=D(2), sections=[section])
    assert (total.earned, total.state, total.unresolved) == (D(1), "unresolved", section.unresolved)
    nothing = evaluate_section(key="一", points=D(2), rows=[missing])
    assert nothing.earned is None
    assert evaluate_section(key="一", points=D(2), rows=[]).earned == 0


def test_the_ceiling_of_the_scheme():
    sections = evaluate_sections(
        sections=[SectionInput(key=key, points=D(p), rows=[done(p)]) for key, p in (("一", 42), ("二", 36), ("三", 22))]
    )
    bonus = bonus_of([award("国", id="a", level="综合")])
    total = evaluate_scheme(points=D(100), sections=sections, bonus=bonus, key="jiaxing-2017", title="方案")
    assert (total.earned, total.max_points, total.state) == (D("100.5"), D("100.5"), "scored")
    assert (total.level, total.key, len(total.children)) == ("scheme", "jiaxing-2017", 4)
    assert (total.lines[-1].label, total.lines[-1].running) == ("加分", D("100.5"))
    assert evaluate_scheme(points=D(100), sections=sections).earned == D(100)
    waiting = bonus_of([award("资", id="a")])
    assert evaluate_scheme(points=D(100), sections=sections, bonus=waiting).state == "unresolved"
    unknown = Breakdown(None, D("0.5"), "unresolved", unresolved=("b:待定",), level="bonus")
    without = evaluate_scheme(points=D(100), sections=sections, bonus=unknown)
    assert (without.earned, without.unresolved) == (D(100), ("b:待定",))
    empty = row([clause("1", "0.5")])
    only_bonus = evaluate_scheme(points=D(100), sections=[empty], bonus=bonus)
    assert (only_bonus.earned, only_bonus.state) == (D("0.5"), "unresolved")


RULES = {
    "国": rule("bonus_by_level", id="国", single="0.2", composite="0.5"),
    "省": rule("bonus_by_level", id="省", single="0.1", composite="0.25"),
    "资": rule("bonus_range", id="资", min="0.05", max="0.2"),
}
BONUS_ROWS = [
    BonusRow(key="b1", rules=[RULES["国"]], group="获奖"),
    BonusRow(key="b2", rules=[RULES["省"], rule("highest_only", id="h", group="获奖")]),
    BonusRow(key="b3", rules=[RULES["资"]], group="资源"),
]


def award(rule_id: str, id: str, on: date | None = date(2017, 6, 1), **fields) -> Fact:
    return Fact(id=id, rule_id=rule_id, date=on, **fields)


def bonus_of(facts, cap="0.5", window=None, rows=BONUS_ROWS, rules=()):
    return evaluate_bonus(cap=None if cap is None else D(cap), rows=rows, facts=facts, window=window, rules=rules)


def test_only_the_highest_of_a_bonus_group_counts():
    facts = [
        award("国", id="a", level="单项"),
        award("省", id="b", level="综合"),
        award("省", id="c", level="综合"),
        award("资", id="d", points=D("0.1")),
        award("资", id="e", points=D("0.1")),
    ]
    result = bonus_of(facts)
    assert (result.earned, result.state, result.level) == (D("0.45"), "scored", "bonus")
    assert [line.amount for line in result.lines] == [D(0), D("0.25"), D(0), D("0.1"), D("0.1")]
    assert "只计最高一项" in result.lines[0].note
    grouped = bonus_of(facts, rules=[rule("highest_only", id="x", group="资源")])
    assert grouped.earned == D("0.35")


def test_the_bonus_cap_is_on_its_line():
    facts = [award("国", id="a", level="综合"), award("资", id="b", points=D("0.05"))]
    result = bonus_of(facts)
    assert (result.earned, result.lines[1].amount, result.lines[1].bit) == (D("0.5"), D(0), "cap")
    assert bonus_of(facts, cap="0.55").lines[1].bit is None
    assert bonus_of(facts, cap=None).earned == D("0.55")


def test_the_window_includes_both_ends():
    window = (date(2017, 1, 1), date(2017, 12, 31))
    for day, earned in ((1, "0.5"), (-1, "0")):
        on = date(2017, 1, 1) if day == 1 else date(2016, 12, 31)
        assert bonus_of([award("国", id="a", on=on, level="综合")], window=window).earned == D(earned)
    outside = bonus_of([award("国", id="a", on=date(2018, 1, 1), level="综合")], window=window)
    assert "不在加分时间2017-01-01至2017-12-31内" in outside.lines[0].note
    assert outside.lines[0].inputs == {"日期": "2018-01-01"}
    undated = bonus_of([award("国", id="a", on=None, level="综合")], window=window)
    assert (undated.state, undated.unresolved) == ("unresolved", ("b1:记录a缺少日期,无法核对加分时间",))
    assert bonus_of([award("国", id="a", on=None, level="综合")]).earned == D("0.5")


def test_an_award_outside_the_window_does_not_block_its_group():
    facts = [award("国", id="a", on=date(2018, 1, 1), level="综合"), award("省", id="b", level="单项")]
    assert bonus_of(facts, window=(date(2017, 1, 1), date(2017, 12, 31))).earned == D("0.1")


def test_awards_that_are_open_or_do_not_apply():
    assert bonus_of([award("国", id="a")]).unresolved == ("b1:记录a缺少原文国:方式",)
    assert bonus_of([award("资", id="a")]).unresolved == ("b3:记录a尚未认定加分(0.05—0.2分)",)
    void = bonus_of([award("国", id="a", level="综合", applies=False, note="非主要职能")])
    assert (void.earned, void.state, void.lines[0].note) == (D(0), "scored", "不适用,不计:非主要职能")
    limited = rule("bonus_by_level", id="l", single="0.2", cap="0.1")
    capped = bonus_of([award("l", id="a", level="单项")], rows=[BonusRow(key="b", rules=[limited])])
    assert (capped.earned, capped.state) == (D("0.1"), "scored")
    assert capped.lines[0].note == "单项加0.2;超过上限,按0.1计"
    assert capped.lines[0].bit == "cap"


def test_impossible_awards_are_refused_together():
    facts = [award("国", id="a", level="全国"), award("x", id="b"), award("资", id="b", points=D("0.3"))]
    with pytest.raises(FactError) as error:
        bonus_of(facts)
    assert len(error.value.problems) == 4
    for rows in ([BonusRow(key="b", rules=[EVENT])], [BONUS_ROWS[0], BONUS_ROWS[0]]):
        with pytest.raises(RuleError):
            bonus_of([], rows=rows)
    with pytest.raises(TypeError):
        evaluate_bonus(cap=0.5, rows=[], facts=[])


def test_the_mean_of_peers_is_rounded_once():
    assert peer_average([D("0.5"), D("0.4"), D("0.4")], 3) == D("0.433")
    assert peer_average([D("0.5"), D("0.4")]) == D("0.45")
    with pytest.raises(ValueError, match="没有已考核的单位"):
        peer_average([])


def strings_only(data) -> bool:
    if isinstance(data, dict):
        return all(isinstance(key, str) and strings_only(value) for key, value in data.items())
    if isinstance(data, list):
        return all(strings_only(item) for item in data)
    return data is None or isinstance(data, str)


def test_a_breakdown_survives_storage():
    judged = row([clause("1", "0.1", [EVENT, VETO], [fact("v", holds=True)]), clause("2", "0.4")])
    total = evaluate_scheme(points=D(1), sections=[evaluate_section(key="一", points=D(1), rows=[judged])])
    data = total.to_json()
    assert strings_only(data)
    assert data["engine"] == ENGINE_VERSION
    assert data["children"][0]["children"][0]["earned"] == "0.1"
    assert Breakdown.from_json(data) == total


@pytest.mark.parametrize(
    "change",
    [{"engine": "0"}, {"earned": 0.5}, {"earned": "0,5"}, {"lines": None}, {"flags": [{}]}, {"children": ["x"]}],
)
def test_damaged_storage_is_refused(change):
    data = done("1").to_json() | change
    with pytest.raises(BreakdownError):
        Breakdown.from_json(data)
    for missing in ("state", "unresolved"):
        with pytest.raises(BreakdownError):
            Breakdown.from_json({key: value for key, value in done("1").to_json().items() if key != missing})
    with pytest.raises(BreakdownError):
        Breakdown.from_json("[]")
