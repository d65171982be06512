"""Kinds that add points or compute them from an outside result: 加分至最高值, 达到得分, 比率, 折算, 等次, 平均分."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from scoring.fields import DECIMAL, PLACES, POSITIVE, TEXT, choice, records_of
from scoring.kinds.base import (
    Effect,
    Fact,
    Family,
    InputSpec,
    Outcome,
    Pot,
    Rule,
    holds,
    per,
    register,
    total,
    unresolved,
)
from scoring.kinds.measured import MEASURED, rounding_note
from scoring.points import QUOTIENT_PLACES, ZERO, format_points, quotient


@register
@dataclass(frozen=True, kw_only=True)
class AwardPer(Rule):
    """Plus `amount` points per event up to `cap`, from 0 (R15, L468 每次主动处置一次加0.01分,最高值0.1分)."""

    amount: Annotated[Decimal, POSITIVE]
    unit: Annotated[str | None, TEXT] = None

    kind = "award_per"
    family = Family.EARN

    def inputs(self) -> tuple[InputSpec, ...]:
        return (InputSpec("count", f"{self.asked}:数量", "count", unit=self.unit),)

    def evaluate(self, facts: Sequence[Fact], pot: Pot) -> Outcome:
        count = total(facts, "count")
        gain = self.amount * count
        note = f"{format_points(self.amount)}×{format_points(count)}={format_points(gain)}"
        return Outcome(Effect.GAIN, gain, {"数量": f"{format_points(count)}{self.unit or ''}"}, note)

    def sentence(self) -> str:
        top = f",最高{format_points(self.cap)}分" if self.cap is not None else ",最高为本条分值"
        return f"从0分起,{per(self.unit)}加{format_points(self.amount)}分{top}"


@register
@dataclass(frozen=True, kw_only=True)
class ComponentPoints(Rule):
    """Earns `points` if the condition holds or the value reaches the threshold (R16, L440 年检率达100%0.1分)."""

    points: Annotated[Decimal, POSITIVE]
    condition: Annotated[str, TEXT]
    threshold: Annotated[Decimal | None, DECIMAL] = None
    unit: Annotated[str | None, TEXT] = None

    kind = "component_points"
    family = Family.EARN
    needs_fact = True

    def earnable(self) -> Decimal:
        return self.points

    def inputs(self) -> tuple[InputSpec, ...]:
        if self.threshold is None:
            return (InputSpec("holds", f"{self.condition}:是否做到", "flag"),)
        return (InputSpec("value", f"{self.condition}:实际值", "value", unit=self.unit),)

    def evaluate(self, facts: Sequence[Fact], pot: Pot) -> Outcome:
        if len(facts) > 1:
            return unresolved("有多条记录,只能保留一条")
        if self.threshold is None:
            reached = bool(facts[0].holds)
            inputs = {"是否做到": "是" if reached else "否"}
        else:
            reached = facts[0].value >= self.threshold
            value, threshold, unit = format_points(facts[0].value), format_points(self.threshold), self.unit or ""
            inputs = {MEASURED: f"{value}{unit}", "应达到": f"{threshold}{unit}"}
        if reached:
            return Outcome(Effect.GAIN, self.points, inputs, f"得{format_points(self.points)}")
        return Outcome(Effect.GAIN, ZERO, inputs, "未做到,不得分")

    def sentence(self) -> str:
        reach = "" if self.threshold is None else f"(达到{format_points(self.threshold)}{self.unit or ''})"
        return f"{self.condition}{reach}的,得{format_points(self.points)}分,否则此项不得分"


@register
@dataclass(frozen=True, kw_only=True)
class Rate(Rule):
    """points × numerator ÷ denominator (R14, L462 处置率=处置数/应处置数), the score rounded half-up to `places`.

    Several facts (months) add up before dividing. Without printed places: QUOTIENT_PLACES.
    """

    points: Annotated[Decimal, POSITIVE]
    numerator: Annotated[str, TEXT]
    denominator: Annotated[str, TEXT]
    places: Annotated[int | None, PLACES] = None
    rounding: Annotated[str, choice("half_up")] = "half_up"

    kind = "rate"
    family = Family.EARN
    needs_fact = True

    def earnable(self) -> Decimal:
        return self.points

    def inputs(self) -> tuple[InputSpec, ...]:
        return (InputSpec("numerator", self.numerator, "value"), InputSpec("denominator", self.denominator, "value"))

    def fact_problems(self, fact: Fact) -> list[str]:
        numerator, denominator = fact.inputs.get("numerator"), fact.inputs.get("denominator")
        if numerator is not None and denominator is not None and numerator > denominator:
            return [f"{self.numerator}{format_points(numerator)}超过{self.denominator}{format_points(denominator)}"]
        return []

    def evaluate(self, facts: Sequence[Fact], pot: Pot) -> Outcome:
        numerator, denominator = total(facts, "numerator"), total(facts, "denominator")
        if not denominator:
            return unresolved(f"{self.denominator}为0,无法计算比率")
        places = QUOTIENT_PLACES if self.places is None else self.places
        gain = quotient(self.points * numerator, denominator, places)
        inputs = {self.numerator: format_points(numerator), self.denominator: format_points(denominator)}
        shown = (
            f"{format_points(self.points)}×{format_points(numerator)}÷{format_points(denominator)}"
            f"={format_points(gain)}"
        )
        return Outcome(Effect.GAIN, gain, inputs, shown + rounding_note(self.points * numerator, denominator, gain))

    def sentence(self) -> str:
        kept = "" if self.places is None else f",四舍五入保留{self.places}位小数"
        return f"得分={format_points(self.points)}分×{self.numerator}÷{self.denominator}{kept}"


@register
@dataclass(frozen=True, kw_only=True)
class ScaleExternal(Rule):
    """points × external score ÷ full mark (R13, L58 考核最终得分按比例折算; L948 按完成比例进行折算).

    `full_mark: null` = the notice does not print it: it is asked for. A score above the mark earns the points, no more.
    """

    full_mark: Annotated[Decimal | None, POSITIVE] = None

    kind = "scale_external"
    family = Family.SET

    def inputs(self) -> tuple[InputSpec, ...]:
        score = InputSpec("value", f"{self.asked}:外部考核得分", "value", unit="分")
        if self.full_mark is not None:
            return (score,)
        return (score, InputSpec("full_mark", f"{self.asked}:外部考核满分(原文未写)", "value", unit="分"))

    def evaluate(self, facts: Sequence[Fact], pot: Pot) -> Outcome:
        if len(facts) > 1:
            return unresolved("有多条外部考核得分,只能保留一条")
        score = facts[0].value
        mark = facts[0].inputs["full_mark"] if self.full_mark is None else self.full_mark
        if not mark:
            return unresolved("外部考核满分为0,无法折算")
        inputs = {"外部得分": format_points(score), "外部满分": format_points(mark)}
        if score > mark:
            return Outcome(Effect.BASE, pot.rest, inputs, f"超过外部满分,得满分{format_points(pot.rest)}", bit="cap")
        base = quotient(pot.rest * score, mark)
        shown = f"{format_points(pot.rest)}×{format_points(score)}÷{format_points(mark)}={format_points(base)}"
        return Outcome(Effect.BASE, base, inputs, shown + rounding_note(pot.rest * score, mark, base))

    def sentence(self) -> str:
        mark = "外部满分(由记录填写)" if self.full_mark is None else f"外部满分{format_points(self.full_mark)}"
        return f"得分=本条分值×外部考核得分÷{mark}"


@dataclass(frozen=True, kw_only=True)
class GradeEffect:
    """What an external grade does: full, zero, proportional (base not printed) or unresolved."""

    grade: Annotated[str, TEXT]
    effect: Annotated[str, choice("full", "zero", "proportional", "unresolved")]


@register
@dataclass(frozen=True, kw_only=True)
class Grade(Rule):
    """Points by an external grade (R25, L702 良好以上得基本分…及格以上按比例…不及格不得分)."""

    grades: Annotated[tuple[GradeEffect, ...], records_of(GradeEffect)]

    kind = "grade"
    family = Family.SET
    needs_basis = True

    def inputs(self) -> tuple[InputSpec, ...]:
        names = tuple(item.grade for item in self.grades)
        return (
            InputSpec("level", f"{self.asked}:等次", "level", names),
            InputSpec("points", "认定得分(原文未给算法的等次)", "points", unit="分", required=False),
        )

    def problems(self) -> list[tuple[str, str]]:
        names = [item.grade for item in self.grades]
        return [("grades", "等次名称有重复")] if len(set(names)) != len(names) else []

    def fact_problems(self, fact: Fact) -> list[str]:
        if fact.points is None or self._effect(fact.level) in (None, "proportional", "unresolved"):
            return []
        return [f"等次“{fact.level}”的得分已由规则确定,不能另行认定"]

    def _effect(self, level: str | None) -> str | None:
        return next((item.effect for item in self.grades if item.grade == level), None)

    def evaluate(self, facts: Sequence[Fact], pot: Pot) -> Outcome:
        if len(facts) > 1:
            return unresolved("有多条等次记录,只能保留一条")
        level, decided = facts[0].level, facts[0].points
        effect, inputs = self._effect(level), {"等次": level}
        if effect == "full":
            return Outcome(Effect.BASE, pot.rest, inputs, f"{level}:得满分{format_points(pot.rest)}")
        if effect == "zero":
            return Outcome(Effect.BASE, ZERO, inputs, f"{level}:不得分")
        if decided is None:
            return unresolved(f"{level}:原文未给计算基数,须认定得分", inputs=inputs)
        return Outcome(Effect.BASE, decided, inputs, f"{level}:人工认定{format_points(decided)}")

    def sentence(self) -> str:
        words = {"full": "得满分", "zero": "不得分", "proportional": "按比例(原文未给基数,由人认定)"}
        words["unresolved"] = "由人认定"
        return "按等次计分:" + "、".join(f"{item.grade}{words[item.effect]}" for item in self.grades)


@register
@dataclass(frozen=True, kw_only=True)
class AverageOfPeers(Rule):
    """A unit that was not checked gets the mean of the checked units (R18, L468, L846).

    The mean replaces what the unit would earn; deductions found all the same are still taken from it.
    """

    kind = "average_of_peers"
    family = Family.PEERS

    def inputs(self) -> tuple[InputSpec, ...]:
        return (
            InputSpec("holds", "本单位是否未列入考核(未检查到)", "flag"),
            InputSpec("average", "已考核单位的平均分", "value", unit="分", required=False),
        )

    def evaluate(self, facts: Sequence[Fact], pot: Pot) -> Outcome:
        if not holds(facts):
            return Outcome(Effect.NONE, inputs={"未列入考核": "否"}, note="已列入考核,按本单位得分计")
        averages = {fact.inputs["average"] for fact in facts if fact.holds and "average" in fact.inputs}
        if len(averages) != 1:
            return unresolved("未列入考核,等待其他单位的平均分" if not averages else "有多个平均分,只能保留一个")
        average = averages.pop()
        inputs = {"未列入考核": "是", "平均分": format_points(average)}
        if average > pot.points:
            return unresolved(f"平均分{format_points(average)}超过分值{format_points(pot.points)}", inputs=inputs)
        return Outcome(Effect.BASE, average, inputs, "按其他单位平均分计")

    def sentence(self) -> str:
        return "未列入考核(未检查到)的单位,按已考核单位得分的平均值计"


def peer_average(scores: Sequence[Decimal], places: int = QUOTIENT_PLACES) -> Decimal:
    """The mean of the checked units' points (分), rounded half-up once; ValueError when nobody was checked."""
    if not scores:
        raise ValueError("没有已考核的单位,无法计算平均分")
    return quotient(sum(scores, ZERO), Decimal(len(scores)), places)
