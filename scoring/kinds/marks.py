"""Kinds that empty a pot, mark it, or say how others combine: 不得分, 一票否决, 得基本分, 合计."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from scoring.fields import TEXT, choice
from scoring.kinds.base import Effect, Fact, Family, InputSpec, Outcome, Pot, Rule, holds, register, unresolved
from scoring.kinds.decided import decided_cost
from scoring.kinds.events import not_found
from scoring.points import format_points


@register
@dataclass(frozen=True, kw_only=True)
class Zero(Rule):
    """Scores nothing if the condition holds: a part (L252), the clause (L238), the row (L346) or the section."""

    scope: Annotated[str, choice("part", "clause", "row", "section")]
    part: Annotated[str | None, TEXT] = None
    exempt: Annotated[str | None, TEXT] = None

    kind = "zero"
    family = Family.ZERO

    def inputs(self) -> tuple[InputSpec, ...]:
        flag = InputSpec("holds", f"{self.asked}:是否发生", "flag")
        if self.scope not in ("part", "clause"):
            return (flag,)
        return (flag, InputSpec("points", "认定扣分(所指部分没有分值时)", "amount", unit="分", required=False))

    def problems(self) -> list[tuple[str, str]]:
        if self.scope == "part" and self.part is None:
            return [("part", "scope 为 part 时须写 part(引用该部分原文)")]
        return [("part", "只有 scope 为 part 时才写 part")] if self.scope != "part" and self.part is not None else []

    def evaluate(self, facts: Sequence[Fact], pot: Pot) -> Outcome:
        if not holds(facts):
            return not_found()
        inputs = {"是否发生": "是"}
        if self.scope in pot.zeroed_by:
            return Outcome(Effect.ZERO, inputs=inputs, note="不得分")
        if self.scope in ("row", "section"):
            note = "本项不得分" if self.scope == "row" else "本部分不得分"
            return Outcome(Effect.FLAG, inputs=inputs, note=note, flag=(f"zero_{self.scope}", note))
        for part in pot.parts:
            if self.scope == "part" and part.quote == self.part:
                note = f"该部分{format_points(part.points)}分不得分"
                return Outcome(Effect.COST, part.points, inputs, note, once=self.part)
        decided = decided_cost([fact for fact in facts if fact.holds], "")
        if decided.unresolved is None:
            return decided
        return unresolved("不得分,但所指部分没有分值,须认定扣分", inputs=inputs)

    def sentence(self) -> str:
        where = {"part": f"“{self.part}”这一部分", "clause": "本条", "row": "本项", "section": "本部分"}[self.scope]
        exempt = f"({self.exempt}除外)" if self.exempt else ""
        return f"发生的,{where}不得分{exempt}"


@register
@dataclass(frozen=True, kw_only=True)
class Veto(Rule):
    """一票否决 (R21, L346, L672, L834): a flag of its own, the score is kept. `effect: null` = not stated."""

    effect: Annotated[str | None, TEXT] = None

    kind = "veto"
    family = Family.FLAG

    def inputs(self) -> tuple[InputSpec, ...]:
        return (InputSpec("holds", f"{self.asked}:是否发生", "flag"),)

    def evaluate(self, facts: Sequence[Fact], pot: Pot) -> Outcome:
        if not holds(facts):
            return Outcome(Effect.NONE, inputs={"是否发生": "否"}, note="经查未发生")
        note = f"一票否决:{self.effect or '原文未写明后果'};得分保留"
        return Outcome(Effect.FLAG, inputs={"是否发生": "是"}, note=note, flag=("veto", self.effect))

    def sentence(self) -> str:
        return f"发生的,一票否决({self.effect or '原文未写明后果'}),得分照计"


@register
@dataclass(frozen=True, kw_only=True)
class BasePoints(Rule):
    """Full points as long as nothing is found (R24, L700 得基本分, L846 不扣分)."""

    kind = "base_points"
    family = Family.CLEAN

    def sentence(self) -> str:
        return "未发现问题的,得满分"


@register
@dataclass(frozen=True, kw_only=True)
class SumParts(Rule):
    """The parts add up to the final score (R17, L468 三项合计为最终得分)."""

    kind = "sum_parts"
    family = Family.NOTE

    def sentence(self) -> str:
        return "各分项得分相加为最终得分"
