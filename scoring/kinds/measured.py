"""Deductions from a measured value or count against what is required: 少一次扣, 每低1个百分点扣, 低于…扣."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction
from typing import Annotated

from scoring.fields import COUNT, DECIMAL, FLAG, POSITIVE, TEXT, choice, records_of
from scoring.kinds.base import Effect, Fact, Family, InputSpec, Outcome, Pot, Rule, register, total, unresolved
from scoring.points import ZERO, format_points, is_rounded, quotient

MEASURED = "测得值"


@register
@dataclass(frozen=True, kw_only=True)
class DeductShortfall(Rule):
    """Minus `amount` points per unit below the required count (R4, L410 不少于6次,每少一次扣0.02分).

    With `required` printed, the counts of several facts add up and are compared once. With `required: null` (L800)
    each fact carries its own required count and is compared by itself.
    """

    amount: Annotated[Decimal, POSITIVE]
    required: Annotated[int | None, COUNT] = None
    unit: Annotated[str | None, TEXT] = None

    kind = "deduct_shortfall"
    family = Family.DEDUCT

    def inputs(self) -> tuple[InputSpec, ...]:
        done = InputSpec("count", f"{self.asked}:实际完成数", "count", unit=self.unit)
        if self.required is not None:
            return (done,)
        return (done, InputSpec("required", f"{self.asked}:应完成数(原文未写)", "count", unit=self.unit))

    def evaluate(self, facts: Sequence[Fact], pot: Pot) -> Outcome:
        done = total(facts, "count")
        if self.required is None:
            required = total(facts, "required")
            short = sum((max(ZERO, fact.inputs["required"] - fact.count) for fact in facts), ZERO)
        else:
            required = Decimal(self.required)
            short = max(ZERO, required - done)
        cost = self.amount * short
        inputs = {"应完成": format_points(required), "实际完成": format_points(done), "少": format_points(short)}
        note = f"{format_points(self.amount)}×{format_points(short)}={format_points(cost)}"
        return Outcome(Effect.COST, cost, inputs, note)

    def sentence(self) -> str:
        unit = self.unit or ""
        needed = "应完成数由记录填写" if self.required is None else f"应完成{self.required}{unit}"
        return f"{needed},每少1{unit}扣{format_points(self.amount)}分{self.limit()}"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One measured rate; `threshold` only where it differs from the rule's (L930: 95 beside 100)."""

    name: Annotated[str, TEXT]
    threshold: Annotated[Decimal | None, DECIMAL] = None


@register
@dataclass(frozen=True, kw_only=True)
class DeductPerStep(Rule):
    """Minus `amount` points per `step` below the threshold (R5, L252, L586, L930).

    `steps`: whole steps only, each started step, or linear. `pool`: shortfalls of all metrics are added first.
    A metric that is not recorded counts as nothing found.
    """

    amount: Annotated[Decimal, POSITIVE]
    step: Annotated[Decimal, POSITIVE]
    threshold: Annotated[Decimal, POSITIVE]
    unit: Annotated[str, TEXT] = "%"
    steps: Annotated[str, choice("whole", "started", "linear")] = "whole"
    metrics: Annotated[tuple[Metric, ...], records_of(Metric, shorthand="name")] = ()
    pool: Annotated[bool, FLAG] = False

    kind = "deduct_per_step"
    family = Family.DEDUCT

    def inputs(self) -> tuple[InputSpec, ...]:
        if not self.metrics:
            return (InputSpec("value", f"{self.asked}:实际值", "value", unit=self.unit),)
        return tuple(InputSpec(m.name, m.name, "value", unit=self.unit, required=False) for m in self.metrics)

    def problems(self) -> list[tuple[str, str]]:
        names = [metric.name for metric in self.metrics]
        return [("metrics", "指标名称有重复")] if len(set(names)) != len(names) else []

    def evaluate(self, facts: Sequence[Fact], pot: Pot) -> Outcome:
        shortfalls, inputs = [], {}
        for name, threshold, value in self._worst_values(facts):
            shortfalls.append(max(ZERO, threshold - value))
            inputs[name] = f"{format_points(value)}/{format_points(threshold)}{self.unit}"
        if not inputs:
            return unresolved("没有任何一项指标的数值")
        if self.pool:
            shortfalls = [sum(shortfalls, ZERO)]
        if self.steps == "linear":
            return self._linear(sum(shortfalls, ZERO), inputs)
        rounding = ROUND_FLOOR if self.steps == "whole" else ROUND_CEILING
        counts = [_steps(short, self.step, rounding) for short in shortfalls]
        cost = self.amount * sum(counts, ZERO)
        listed = "+".join(format_points(count) for count in counts)
        if len(counts) > 1:
            listed = f"({listed})"
        return Outcome(Effect.COST, cost, inputs, f"{format_points(self.amount)}×{listed}={format_points(cost)}")

    def _worst_values(self, facts: Sequence[Fact]) -> list[tuple[str, Decimal, Decimal]]:
        if not self.metrics:
            return [(MEASURED, self.threshold, min(fact.value for fact in facts))]
        found = []
        for metric in self.metrics:
            values = [fact.inputs[metric.name] for fact in facts if metric.name in fact.inputs]
            if values:
                threshold = self.threshold if metric.threshold is None else metric.threshold
                found.append((metric.name, threshold, min(values)))
        return found

    def _linear(self, short: Decimal, inputs: dict[str, str]) -> Outcome:
        cost = quotient(self.amount * short, self.step)
        shown = f"{format_points(self.amount)}×{format_points(short)}÷{format_points(self.step)}={format_points(cost)}"
        return Outcome(Effect.COST, cost, inputs, shown + rounding_note(self.amount * short, self.step, cost))

    def sentence(self) -> str:
        words = {"whole": "不足一档不扣", "started": "不足一档按一档扣", "linear": "按比例扣"}
        pooled = ",各项缺口合并计算" if self.pool else ""
        names = "、".join(metric.name for metric in self.metrics)
        return (
            f"{names}低于{format_points(self.threshold)}{self.unit}的,每低{format_points(self.step)}{self.unit}"
            f"扣{format_points(self.amount)}分({words[self.steps]}{pooled}){self.limit()}"
        )


def _steps(short: Decimal, step: Decimal, rounding: str) -> Decimal:
    exact = Fraction(short) / Fraction(step)
    return Decimal(-(-exact // 1) if rounding == ROUND_CEILING else exact // 1)


def rounding_note(numerator: Decimal, denominator: Decimal, result: Decimal) -> str:
    """Says that a division was rounded, where it was."""
    return "(四舍五入)" if is_rounded(numerator, denominator, result) else ""


@register
@dataclass(frozen=True, kw_only=True)
class DeductBelow(Rule):
    """Minus `amount` points once if the value is below the threshold (R6, L376 低于90%的,扣0.2分)."""

    amount: Annotated[Decimal, POSITIVE]
    threshold: Annotated[Decimal, POSITIVE]
    unit: Annotated[str, TEXT] = "%"

    kind = "deduct_below"
    family = Family.DEDUCT

    def inputs(self) -> tuple[InputSpec, ...]:
        return (InputSpec("value", f"{self.asked}:实际值", "value", unit=self.unit),)

    def evaluate(self, facts: Sequence[Fact], pot: Pot) -> Outcome:
        value = min(fact.value for fact in facts)
        inputs = {MEASURED: f"{format_points(value)}{self.unit}"}
        line = f"{format_points(self.threshold)}{self.unit}"
        if value >= self.threshold:
            return Outcome(Effect.COST, ZERO, inputs, f"达到{line},不扣分")
        return Outcome(Effect.COST, self.amount, inputs, f"低于{line},扣{format_points(self.amount)}")

    def sentence(self) -> str:
        return f"低于{format_points(self.threshold)}{self.unit}的,一次性扣{format_points(self.amount)}分"


@dataclass(frozen=True, kw_only=True)
class Tier:
    """Below `below`: minus `amount` points, or nothing left at all (`zero`)."""

    below: Annotated[Decimal, POSITIVE]
    amount: Annotated[Decimal | None, POSITIVE] = None
    zero: Annotated[bool, FLAG] = False


@register
@dataclass(frozen=True, kw_only=True)
class DeductTiers(Rule):
    """Only the deepest tier reached counts (R7, L434 低于60%的扣0.05分,低于55%的扣0.1分,低于50%的不得分)."""

    unit: Annotated[str, TEXT] = "%"
    tiers: Annotated[tuple[Tier, ...], records_of(Tier)]

    kind = "deduct_tiers"
    family = Family.DEDUCT

    def inputs(self) -> tuple[InputSpec, ...]:
        return (InputSpec("value", f"{self.asked}:实际值", "value", unit=self.unit),)

    def problems(self) -> list[tuple[str, str]]:
        found = []
        for index, tier in enumerate(self.tiers):
            if tier.zero == (tier.amount is not None):
                found.append((f"tiers[{index}]", "每档须写 amount 或 zero: true,二者取一"))
        for index, (upper, lower) in enumerate(zip(self.tiers, self.tiers[1:], strict=False), 1):
            if lower.below >= upper.below:
                found.append((f"tiers[{index}].below", "各档须由高到低排列"))
            if upper.zero or (lower.amount is not None and upper.amount is not None and lower.amount < upper.amount):
                found.append((f"tiers[{index}]", "更低的一档不能扣得更少"))
        return found

    def evaluate(self, facts: Sequence[Fact], pot: Pot) -> Outcome:
        value = min(fact.value for fact in facts)
        inputs = {MEASURED: f"{format_points(value)}{self.unit}"}
        reached = [tier for tier in self.tiers if value < tier.below]
        if not reached:
            return Outcome(Effect.COST, ZERO, inputs, "未低于任何一档,不扣分")
        tier = reached[-1]
        note = f"低于{format_points(tier.below)}{self.unit}"
        if not tier.zero:
            return Outcome(Effect.COST, tier.amount, inputs, f"{note},扣{format_points(tier.amount)}")
        if "clause" in pot.zeroed_by:
            return Outcome(Effect.ZERO, ZERO, inputs, f"{note},不得分")
        return unresolved(f"{note}不得分,但本条没有分值,须认定扣分", inputs=inputs)

    def sentence(self) -> str:
        listed = "、".join(
            f"低于{format_points(tier.below)}{self.unit}"
            + ("不得分" if tier.zero else f"扣{format_points(tier.amount)}分")
            for tier in self.tiers
        )
        return f"按最低一档扣分,不累加:{listed}"


@register
@dataclass(frozen=True, kw_only=True)
class DeductProportional(Rule):
    """`full` points × unfinished ÷ base (R12, L954 按未完成比例相应扣减分数).

    `base` names the input; null = the notice gives no base (L702): the deduction is decided by people.
    """

    of: Annotated[str, TEXT]
    full: Annotated[Decimal, POSITIVE]
    base: Annotated[str | None, TEXT] = None

    kind = "deduct_proportional"
    family = Family.DEDUCT

    @property
    def needs_basis(self) -> bool:
        return self.base is None

    def inputs(self) -> tuple[InputSpec, ...]:
        if self.base is None:
            return (InputSpec("points", f"{self.asked}:认定扣分(原文未给基数)", "amount", unit="分", required=False),)
        return (
            InputSpec("unfinished", f"未完成数({self.of})", "value"),
            InputSpec("base", self.base, "value"),
        )

    def fact_problems(self, fact: Fact) -> list[str]:
        if self.base is None:
            over = fact.points is not None and fact.points > self.full
            return [f"认定扣分超过{format_points(self.full)}分"] if over else []
        unfinished, base = fact.inputs.get("unfinished"), fact.inputs.get("base")
        if unfinished is not None and base is not None and unfinished > base:
            return [f"未完成数{format_points(unfinished)}超过{self.base}{format_points(base)}"]
        return []

    def evaluate(self, facts: Sequence[Fact], pot: Pot) -> Outcome:
        if self.base is None:
            if any(fact.points is None for fact in facts):
                return unresolved("按比例扣分但原文未给基数,须认定扣分")
            cost = total(facts, "points")
            return Outcome(Effect.COST, cost, {"认定扣分": format_points(cost)}, "人工认定")
        if len(facts) > 1:
            return unresolved("有多条完成情况记录,只能保留一条")
        unfinished, base = facts[0].inputs["unfinished"], facts[0].inputs["base"]
        if not base:
            return unresolved(f"{self.base}为0,无法计算比例")
        cost = quotient(self.full * unfinished, base)
        inputs = {"未完成": format_points(unfinished), self.base: format_points(base)}
        shown = f"{format_points(self.full)}×{format_points(unfinished)}÷{format_points(base)}={format_points(cost)}"
        return Outcome(Effect.COST, cost, inputs, shown + rounding_note(self.full * unfinished, base, cost))

    def sentence(self) -> str:
        if self.base is None:
            return f"按{self.of}的比例扣分,最多{format_points(self.full)}分;原文未给基数,扣分由人认定"
        return f"扣分={format_points(self.full)}分×未完成数({self.of})÷{self.base}"
