"""Kinds whose amount a person decides, with its basis: 区间扣分, 酌情扣分, 要求, 外部办法, 测评, 评定."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from scoring.fields import DECIMAL, POSITIVE, TEXT
from scoring.kinds.base import Effect, Fact, Family, InputSpec, Outcome, Pot, Rule, register, total, unresolved
from scoring.kinds.events import not_found
from scoring.points import format_points


@register
@dataclass(frozen=True, kw_only=True)
class DeductRange(Rule):
    """An amount within [min, max] points per fact, decided by people."""

    min: Annotated[Decimal, DECIMAL]
    max: Annotated[Decimal, POSITIVE]

    kind = "deduct_range"
    family = Family.DEDUCT
    needs_basis = True

    def inputs(self) -> tuple[InputSpec, ...]:
        return (InputSpec("points", f"{self.asked}:认定扣分", "amount", unit="分", required=False),)

    def problems(self) -> list[tuple[str, str]]:
        return range_problems(self.min, self.max)

    def fact_problems(self, fact: Fact) -> list[str]:
        return outside_range(fact.points, self.min, self.max, "扣分")

    def evaluate(self, facts: Sequence[Fact], pot: Pot) -> Outcome:
        return decided_cost(facts, f"尚未认定扣分({format_points(self.min)}—{format_points(self.max)}分)")

    def sentence(self) -> str:
        return f"扣{format_points(self.min)}—{format_points(self.max)}分,由人认定{self.limit()}"


@register
@dataclass(frozen=True, kw_only=True)
class DeductUnspecified(Rule):
    """A deduction without a printed amount (R11, L672 和扣分, L846 酌情扣分): a person decides, with basis."""

    kind = "deduct_unspecified"
    family = Family.OPEN
    needs_basis = True

    def inputs(self) -> tuple[InputSpec, ...]:
        return conditional_inputs(self, "是否发生")

    def fact_problems(self, fact: Fact) -> list[str]:
        return contradiction(fact)

    def evaluate(self, facts: Sequence[Fact], pot: Pot) -> Outcome:
        return conditional_cost(facts, "原文未写扣多少,须认定扣分")

    def sentence(self) -> str:
        return f"发生的扣分,原文未写扣多少,由人认定{self.limit()}"


@register
@dataclass(frozen=True, kw_only=True)
class Requirement(Rule):
    """Something that must (not) occur, with no amount printed (R27, L606); `holds` = the requirement is violated."""

    condition: Annotated[str, TEXT]

    kind = "requirement"
    family = Family.OPEN
    needs_basis = True

    def inputs(self) -> tuple[InputSpec, ...]:
        return conditional_inputs(self, f"{self.condition}:是否违反")

    def fact_problems(self, fact: Fact) -> list[str]:
        return contradiction(fact)

    def evaluate(self, facts: Sequence[Fact], pot: Pot) -> Outcome:
        return conditional_cost(facts, "违反要求,原文未写扣多少,须认定扣分")

    def sentence(self) -> str:
        return f"要求:{self.condition};违反时原文未写扣多少,由人评定"


@register
@dataclass(frozen=True, kw_only=True)
class ExternalMethod(Rule):
    """Scored by a method printed elsewhere (R30, L342 根据《…考核办法》考核计分): entered with its basis."""

    document: Annotated[str, TEXT]

    kind = "external_method"
    family = Family.JUDGED
    needs_basis = True

    def inputs(self) -> tuple[InputSpec, ...]:
        return entered_inputs(f"按{self.document}计得的分")

    def evaluate(self, facts: Sequence[Fact], pot: Pot) -> Outcome:
        return entered(facts)

    def sentence(self) -> str:
        return f"按{self.document}计分,录入得分并附依据"


@register
@dataclass(frozen=True, kw_only=True)
class Survey(Rule):
    """Polled: the score is entered from the poll (section 三, L988–L1018)."""

    kind = "survey"
    family = Family.JUDGED
    needs_basis = True

    def inputs(self) -> tuple[InputSpec, ...]:
        return entered_inputs("测评得分")

    def evaluate(self, facts: Sequence[Fact], pot: Pot) -> Outcome:
        return entered(facts)

    def sentence(self) -> str:
        return "由测评得出,录入测评得分"


@register
@dataclass(frozen=True, kw_only=True)
class Judged(Rule):
    """Explicit judgement without a formula (R36)."""

    kind = "judged"
    family = Family.JUDGED
    needs_basis = True

    def inputs(self) -> tuple[InputSpec, ...]:
        return entered_inputs("评定分")

    def evaluate(self, facts: Sequence[Fact], pot: Pot) -> Outcome:
        return entered(facts)

    def sentence(self) -> str:
        return "无计算公式,由人评定"


def entered_inputs(label: str) -> tuple[InputSpec, ...]:
    """A score that a person enters."""
    return (InputSpec("points", label, "points", unit="分"),)


def entered(facts: Sequence[Fact]) -> Outcome:
    """One entered score; two of them contradict each other."""
    if len(facts) > 1:
        return unresolved("有多个评定分,只能保留一个")
    points = facts[0].points
    return Outcome(Effect.BASE, points, {"评定分": format_points(points)}, "人工评定")


def conditional_inputs(rule: Rule, question: str) -> tuple[InputSpec, ...]:
    """Whether it happened, and the amount once decided."""
    return (
        InputSpec("holds", question, "flag"),
        InputSpec("points", "认定扣分", "amount", unit="分", required=False),
    )


def contradiction(fact: Fact) -> list[str]:
    """An amount for something that did not happen."""
    return ["未发生的不能认定扣分"] if fact.holds is False and fact.points else []


def conditional_cost(facts: Sequence[Fact], waiting: str) -> Outcome:
    """The decided amounts of what happened; unresolved while one is not decided."""
    found = [fact for fact in facts if fact.holds]
    return decided_cost(found, waiting) if found else not_found()


def decided_cost(facts: Sequence[Fact], waiting: str) -> Outcome:
    """The sum of the decided amounts; unresolved while one is not decided."""
    if any(fact.points is None for fact in facts):
        return unresolved(waiting)
    cost = total(facts, "points")
    return Outcome(Effect.COST, cost, {"认定扣分": format_points(cost)}, "人工认定")


def range_problems(low: Decimal, high: Decimal) -> list[tuple[str, str]]:
    """The range must not be upside down."""
    return [("max", "上限不能小于下限")] if high < low else []


def outside_range(points: Decimal | None, low: Decimal, high: Decimal, word: str) -> list[str]:
    """A decided amount outside the printed range."""
    if points is None or low <= points <= high:
        return []
    return [f"认定{word}{format_points(points)}不在{format_points(low)}—{format_points(high)}分之间"]
