"""Kinds of the bonus section: 按单项/综合加分, 区间加分, 只计最高一项 (L1024–L1074)."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from scoring.fields import DECIMAL, POSITIVE, TEXT
from scoring.kinds.base import Effect, Fact, Family, InputSpec, Outcome, Pot, Rule, register, unresolved
from scoring.kinds.decided import outside_range, range_problems
from scoring.points import format_points

SINGLE, COMPOSITE = "单项", "综合"


@register
@dataclass(frozen=True, kw_only=True)
class BonusByLevel(Rule):
    """Award points by 单项 / 综合 (L1040: 0.2 / 0.5); each fact is one award."""

    single: Annotated[Decimal | None, POSITIVE] = None
    composite: Annotated[Decimal | None, POSITIVE] = None

    kind = "bonus_by_level"
    family = Family.BONUS

    def _amounts(self) -> dict[str, Decimal]:
        pairs = ((SINGLE, self.single), (COMPOSITE, self.composite))
        return {level: amount for level, amount in pairs if amount is not None}

    def inputs(self) -> tuple[InputSpec, ...]:
        return (InputSpec("level", f"{self.asked}:方式", "level", tuple(self._amounts())),)

    def problems(self) -> list[tuple[str, str]]:
        return [] if self._amounts() else [("single", "single 与 composite 至少写一个")]

    def evaluate(self, facts: Sequence[Fact], pot: Pot | None = None) -> Outcome:
        (fact,) = facts
        gain = self._amounts()[fact.level]
        return Outcome(Effect.GAIN, gain, {"方式": fact.level}, f"{fact.level}加{format_points(gain)}")

    def sentence(self) -> str:
        return "加分:" + "、".join(f"{level}{format_points(value)}分" for level, value in self._amounts().items())


@register
@dataclass(frozen=True, kw_only=True)
class BonusRange(Rule):
    """A bonus within [min, max] points, decided by people (L1064 0.05-0.2)."""

    min: Annotated[Decimal, DECIMAL]
    max: Annotated[Decimal, POSITIVE]

    kind = "bonus_range"
    family = Family.BONUS
    needs_basis = True

    def inputs(self) -> tuple[InputSpec, ...]:
        return (InputSpec("points", f"{self.asked}:认定加分", "points", unit="分", required=False),)

    def problems(self) -> list[tuple[str, str]]:
        return range_problems(self.min, self.max)

    def fact_problems(self, fact: Fact) -> list[str]:
        return outside_range(fact.points, self.min, self.max, "加分")

    def evaluate(self, facts: Sequence[Fact], pot: Pot | None = None) -> Outcome:
        (fact,) = facts
        if fact.points is None:
            return unresolved(f"尚未认定加分({format_points(self.min)}—{format_points(self.max)}分)")
        shown = format_points(fact.points)
        return Outcome(Effect.GAIN, fact.points, {"认定加分": shown}, f"人工认定{shown}")

    def sentence(self) -> str:
        return f"加{format_points(self.min)}—{format_points(self.max)}分,由人认定"


@register
@dataclass(frozen=True, kw_only=True)
class HighestOnly(Rule):
    """Only the highest of the group counts (R32, L1072 获最高奖等级1项)."""

    group: Annotated[str, TEXT]

    kind = "highest_only"
    family = Family.NOTE

    def sentence(self) -> str:
        return f"“{self.group}”只计最高一项"
