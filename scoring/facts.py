"""Facts: what was found about one unit, as exact values that a rule can be applied to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date as Date
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from scoring.points import PointsError, format_points, parse_points, size_problem

if TYPE_CHECKING:
    from scoring.kinds.base import Rule

InputType = Literal["count", "value", "level", "flag", "points", "amount"]

#: Input names which are fields of `Fact` itself; every other name is a key of `Fact.inputs`.
FACT_FIELDS = frozenset({"count", "value", "level", "points", "holds"})


class FactError(ValueError):
    """Facts which cannot be what happened: `problems` lists every reason in Chinese."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = list(problems)
        super().__init__(";".join(self.problems))


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One finding. Numbers are Decimal or None; None means *not recorded*, never zero.

    `rule_id=None` with `points` is a judged score (评定分) for the clause. `points` under a rule is what a person
    decided: points earned (judged, grade …) or an amount deducted (range, unspecified …), as the rule's inputs say.
    `applies=False` keeps the finding visible but without effect (the note says why).
    """

    id: str
    rule_id: str | None = None
    count: Decimal | None = None
    value: Decimal | None = None
    level: str | None = None
    inputs: Mapping[str, Decimal] = field(default_factory=dict)
    points: Decimal | None = None
    holds: bool | None = None
    date: Date | None = None
    note: str = ""
    applies: bool = True
    source: str = ""

    def __post_init__(self) -> None:
        for name in ("count", "value", "points"):
            _require_decimal(getattr(self, name), name)
        for name, value in self.inputs.items():
            _require_decimal(value, name)
            if value is None:
                raise TypeError(f"{name}: leave an input out instead of giving None")
        if self.holds is not None and not isinstance(self.holds, bool):
            raise TypeError(f"holds must be bool, not {type(self.holds).__name__}")
        object.__setattr__(self, "inputs", dict(self.inputs))


def _require_decimal(value: object, name: str) -> None:
    if value is not None and not isinstance(value, Decimal):
        raise TypeError(f"{name} must be Decimal, not {type(value).__name__}")


@dataclass(frozen=True)
class InputSpec:
    """One thing to ask for. `name` is a field of Fact (count, value, level, points, holds) or a key of Fact.inputs.

    `required=False`: may be left open and decided later; the result is unresolved (or full) until then.
    """

    name: str
    label: str
    type: InputType
    choices: tuple[str, ...] = ()
    unit: str | None = None
    required: bool = True

    def read(self, fact: Fact) -> Decimal | str | bool | None:
        """The fact's value of this input, None when not recorded."""
        return getattr(fact, self.name) if self.name in FACT_FIELDS else fact.inputs.get(self.name)


#: What a clause without a rule asks for.
JUDGED_INPUT = InputSpec("points", "评定分", "points", unit="分")


def required_inputs(rule: Rule | None) -> tuple[InputSpec, ...]:
    """What has to be asked so that a fact of this rule can be computed; None = a clause judged without a rule."""
    return (JUDGED_INPUT,) if rule is None else rule.inputs()


def missing_inputs(rule: Rule | None, fact: Fact) -> list[str]:
    """Labels of the required inputs which the fact does not have."""
    return [spec.label for spec in required_inputs(rule) if spec.required and spec.read(fact) is None]


def invalid_inputs(rule: Rule | None, fact: Fact, *, available: Decimal | None = None) -> list[str]:
    """Chinese problems of the values that are there; `available` = points (分) a judged score may reach."""
    specs = required_inputs(rule)
    problems: list[str] = []
    for spec in specs:
        value = spec.read(fact)
        if value is not None:
            problems += _value_problems(spec, value)
    if rule is not None and not specs:
        problems.append("本规则不需要记录")
    if fact.inputs:
        known = {spec.name for spec in specs}
        problems += [f"本规则不需要“{name}”" for name in sorted(fact.inputs) if name not in known]
    if problems:
        return problems
    if rule is not None:
        problems = rule.fact_problems(fact)
    judged = rule is None or any(spec.name == "points" and spec.type == "points" for spec in specs)
    if judged and available is not None and fact.points is not None and fact.points > available:
        problems.append(f"评定分{format_points(fact.points)}超过可得的{format_points(available)}分")
    return problems


def check_fact(rule: Rule | None, fact: Fact, *, available: Decimal | None = None) -> list[str]:
    """Every reason, in Chinese, why the fact cannot be accepted as recorded; empty when it can."""
    problems = [f"请填写{label}" for label in missing_inputs(rule, fact)]
    problems += invalid_inputs(rule, fact, available=available)
    decided = fact.points is not None and (rule is None or rule.needs_basis)
    if decided and not (fact.note.strip() or fact.source.strip()):
        problems.append("人工认定的分值须写明依据")
    return problems


def _value_problems(spec: InputSpec, value: Decimal | str | bool) -> list[str]:
    if isinstance(value, bool):
        return []
    if isinstance(value, str):
        return [] if value in spec.choices else [f"{spec.label}“{value}”不在可选范围:{'、'.join(spec.choices)}"]
    size = size_problem(value)
    if size:
        return [f"{spec.label}{size}"]
    problems = []
    if value < 0:
        problems.append(f"{spec.label}不能是负数")
    if spec.type == "count" and value != value.to_integral_value():
        problems.append(f"{spec.label}须是整数")
    if spec.unit == "%" and value > 100:
        problems.append(f"{spec.label}不能超过100%")
    return problems


def fact_from_inputs(
    *,
    rule: Rule | None,
    id: str,
    values: Mapping[str, str | bool | None],
    date: Date | None = None,
    note: str = "",
    source: str = "",
) -> Fact:
    """Build a fact from form texts keyed by InputSpec.name; raises FactError listing every unreadable value."""
    fields: dict[str, object] = {}
    inputs: dict[str, Decimal] = {}
    problems: list[str] = []
    for spec in required_inputs(rule):
        raw = values.get(spec.name)
        if raw is None or raw == "":
            continue
        value: object = raw
        if spec.type not in ("level", "flag"):
            try:
                value = parse_points(raw)
            except PointsError as error:
                problems.append(f"{spec.label}:{error}")
                continue
        if spec.name in FACT_FIELDS:
            fields[spec.name] = value
        else:
            inputs[spec.name] = value
    if problems:
        raise FactError(problems)
    rule_id = None if rule is None else rule.id
    return Fact(id=id, rule_id=rule_id, inputs=inputs, date=date, note=note, source=source, **fields)
