"""Deductions for counted or established events: 每起扣, 的扣, 缺一项扣, 按级别扣, 加倍扣分."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from scoring.fields import POSITIVE, TEXT, TEXTS, records_of
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
from scoring.points import ZERO, format_points


@register
@dataclass(frozen=True, kw_only=True)
class DeductPerEvent(Rule):
    """Minus `amount` points per counted event (R1, L270 每起扣0.1)."""

    amount: Annotated[Decimal, POSITIVE]
    unit: Annotated[str | None, TEXT] = None

    kind = "deduct_per_event"
    family = Family.DEDUCT

    def inputs(self) -> tuple[InputSpec, ...]:
        return (InputSpec("count", f"{self.asked}:数量", "count", unit=self.unit),)

    def evaluate(self, facts: Sequence[Fact], pot: Pot) -> Outcome:
        return count_cost(self.amount, total(facts, "count"), self.unit)

    def sentence(self) -> str:
        return f"{per(self.unit)}扣{format_points(self.amount)}分{self.limit()}"


@register
@dataclass(frozen=True, kw_only=True)
class DeductOnce(Rule):
    """Minus `amount` points once if the condition holds (R2, L648 未层层签订责任书的,扣0.5分)."""

    amount: Annotated[Decimal, POSITIVE]

    kind = "deduct_once"
    family = Family.DEDUCT

    def inputs(self) -> tuple[InputSpec, ...]:
        return (InputSpec("holds", f"{self.asked}:是否发生", "flag"),)

    def evaluate(self, facts: Sequence[Fact], pot: Pot) -> Outcome:
        if not holds(facts):
            return not_found()
        return Outcome(Effect.COST, self.amount, {"是否发生": "是"}, f"扣{format_points(self.amount)}")

    def sentence(self) -> str:
        return f"发生的,一次性扣{format_points(self.amount)}分"


@register
@dataclass(frozen=True, kw_only=True)
class DeductMissing(Rule):
    """Minus `amount` points per listed component missing (L840 缺一样扣0.05分)."""

    amount: Annotated[Decimal, POSITIVE]
    components: Annotated[tuple[str, ...], TEXTS]

    kind = "deduct_missing"
    family = Family.DEDUCT

    def inputs(self) -> tuple[InputSpec, ...]:
        return (InputSpec("count", f"{self.asked}:缺少的项数", "count", self.components, "项"),)

    def fact_problems(self, fact: Fact) -> list[str]:
        if fact.count is None or fact.count <= len(self.components):
            return []
        return [f"缺少{format_points(fact.count)}项,超过应有的{len(self.components)}项"]

    def evaluate(self, facts: Sequence[Fact], pot: Pot) -> Outcome:
        missing = total(facts, "count")
        if missing > len(self.components):
            return unresolved(f"各条记录合计缺少{format_points(missing)}项,超过应有的{len(self.components)}项")
        return count_cost(self.amount, missing, "项")

    def sentence(self) -> str:
        listed = "、".join(self.components)
        return f"应有{listed}共{len(self.components)}项,缺一项扣{format_points(self.amount)}分{self.limit()}"


@dataclass(frozen=True, kw_only=True)
class Level:
    """One level and what one event of it costs (points)."""

    level: Annotated[str, TEXT]
    amount: Annotated[Decimal, POSITIVE]


@register
@dataclass(frozen=True, kw_only=True)
class DeductByLevel(Rule):
    """Per event, an amount by level (R8, L676 每人次扣1分;副处级干部…每人次扣0.5分)."""

    unit: Annotated[str | None, TEXT] = None
    levels: Annotated[tuple[Level, ...], records_of(Level)]

    kind = "deduct_by_level"
    family = Family.DEDUCT

    def inputs(self) -> tuple[InputSpec, ...]:
        names = tuple(level.level for level in self.levels)
        return (
            InputSpec("level", f"{self.asked}:级别", "level", names),
            InputSpec("count", f"{self.asked}:数量", "count", unit=self.unit),
        )

    def problems(self) -> list[tuple[str, str]]:
        names = [level.level for level in self.levels]
        return [("levels", "级别名称有重复")] if len(set(names)) != len(names) else []

    def evaluate(self, facts: Sequence[Fact], pot: Pot) -> Outcome:
        cost, inputs, steps = ZERO, {}, []
        for level in self.levels:
            count = total([fact for fact in facts if fact.level == level.level], "count")
            if count:
                cost += level.amount * count
                inputs[level.level] = _with_unit(count, self.unit)
                steps.append(f"{format_points(level.amount)}×{format_points(count)}")
        return Outcome(Effect.COST, cost, inputs, f"{'+'.join(steps)}={format_points(cost)}") if steps else not_found()

    def sentence(self) -> str:
        listed = "、".join(f"{level.level}扣{format_points(level.amount)}分" for level in self.levels)
        return f"{per(self.unit)}按级别扣分:{listed}{self.limit()}"


@register
@dataclass(frozen=True, kw_only=True)
class DeductMultiplied(Rule):
    """Events of rule `of`, counted at `factor` times its amount (R9, L332 加倍扣分).

    An event is recorded once: either under `of` or here, never under both.
    """

    factor: Annotated[Decimal, POSITIVE]
    of: Annotated[str, TEXT]

    kind = "deduct_multiplied"
    family = Family.DEDUCT

    def inputs(self) -> tuple[InputSpec, ...]:
        return (InputSpec("count", f"{self.asked}:数量", "count"),)

    def evaluate(self, facts: Sequence[Fact], pot: Pot) -> Outcome:
        base = pot.rules.get(self.of)
        if not isinstance(base, DeductPerEvent):
            return unresolved(f"所指规则“{self.of}”不在此处,无法加倍")
        count = total(facts, "count")
        cost = base.amount * self.factor * count
        steps = (base.amount, self.factor, count)
        note = f"{'×'.join(format_points(step) for step in steps)}={format_points(cost)}"
        inputs = {"数量": _with_unit(count, base.unit), "倍数": format_points(self.factor)}
        return Outcome(Effect.COST, cost, inputs, note)

    def sentence(self) -> str:
        return f"按规则{self.of}的{format_points(self.factor)}倍扣分{self.limit()}"


def count_cost(amount: Decimal, count: Decimal, unit: str | None) -> Outcome:
    """amount × count, explained."""
    cost = amount * count
    note = f"{format_points(amount)}×{format_points(count)}={format_points(cost)}"
    return Outcome(Effect.COST, cost, {"数量": _with_unit(count, unit)}, note)


def not_found() -> Outcome:
    """Checked and not found: costs nothing, and says so."""
    return Outcome(Effect.COST, ZERO, {"是否发生": "否"}, "经查未发生,不扣分")


def _with_unit(count: Decimal, unit: str | None) -> str:
    return f"{format_points(count)}{unit or ''}"
