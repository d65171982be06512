"""Rules as data: read a rule of a scheme file, write it back, digest it, and say it in plain Chinese."""

import hashlib
import json
from collections.abc import Mapping, Sequence

from scoring.fields import Problems, join, read_record, write_record
from scoring.kinds import bonus, decided, earned, events, marks, measured
from scoring.kinds.base import KINDS, Family, Lookback, Part, Rule

#: The modules whose kinds are known; importing them registers the kinds.
KIND_MODULES = (bonus, decided, earned, events, marks, measured)

__all__ = [
    "KINDS",
    "Family",
    "Lookback",
    "Part",
    "Rule",
    "RuleError",
    "describe",
    "parse_part",
    "parse_rule",
    "parse_rules",
    "rule_digest",
    "to_data",
]


class RuleError(ValueError):
    """A rule that cannot be used: `problems` lists every (path, Chinese message) at once."""

    def __init__(self, problems: Problems) -> None:
        self.problems = list(problems)
        super().__init__(";".join(f"{path}:{message}" if path else message for path, message in self.problems))


def parse_rule(data: Mapping, *, path: str = "") -> Rule:
    """Read one rule of a scheme file; RuleError lists every problem with its path below `path`."""
    problems: Problems = []
    rule = _read_rule(data, path, problems)
    if rule is None:
        raise RuleError(problems)
    return rule


def parse_rules(items: Sequence[Mapping], *, path: str = "rules") -> tuple[Rule, ...]:
    """Read the rules that work on one pot (a clause, or a whole row) and check what they say about each other."""
    problems: Problems = []
    if not isinstance(items, list | tuple):
        raise RuleError([(path, "规则须是列表")])
    read = [(f"{path}[{index}]", _read_rule(item, f"{path}[{index}]", problems)) for index, item in enumerate(items)]
    rules = [(where, rule) for where, rule in read if rule is not None]
    problems += set_problems(rules)
    if problems:
        raise RuleError(problems)
    return tuple(rule for _, rule in rules)


def set_problems(rules: Sequence[tuple[str, Rule]]) -> Problems:
    """What is wrong between rules of one pot: repeated ids, a multiple of a rule that is not there."""
    problems: Problems = []
    by_id: dict[str, Rule] = {}
    for where, rule in rules:
        if rule.id in by_id:
            problems.append((join(where, "id"), f"规则编号“{rule.id}”重复"))
        by_id[rule.id] = rule
    countable = [rule.id for rule in by_id.values() if rule.kind == "deduct_per_event"]
    for where, rule in rules:
        if rule.kind == "deduct_multiplied" and rule.of not in countable:
            listed = "、".join(countable) or "(无)"
            problems.append((join(where, "of"), f"“{rule.of}”不是同一处的 deduct_per_event 规则,可用:{listed}"))
    return problems


def parse_part(data: Mapping, *, path: str = "") -> Part:
    """Read one inner figure of a clause: {quote, points}."""
    problems: Problems = []
    part = read_record(Part, data, path, problems)
    if part is None:
        raise RuleError(problems)
    return part


def _read_rule(data: object, path: str, problems: Problems) -> Rule | None:
    if not isinstance(data, Mapping):
        problems.append((path, "规则须是键值对"))
        return None
    name = data.get("kind")
    known = "、".join(sorted(KINDS))
    if not isinstance(name, str) or name not in KINDS:
        said = "缺少 kind" if name is None else f"没有“{name}”这种规则"
        problems.append((join(path, "kind"), f"{said},可用:{known}"))
        return None
    fields = {key: value for key, value in data.items() if key != "kind"}
    rule = read_record(KINDS[name], fields, path, problems)
    if rule is None:
        return None
    contradictions = [(join(path, field), message) for field, message in rule.problems()]
    problems += contradictions
    return None if contradictions else rule


def to_data(rule: Rule) -> dict[str, object]:
    """The rule as plain data (decimals as canonical strings); parse_rule(to_data(rule)) == rule."""
    return {"kind": rule.kind, **write_record(rule)}


def rule_digest(rule: Rule) -> str:
    """SHA-256 (hex) of the canonical JSON of the rule: the same for "0.50" and "0.5", else different."""
    canonical = json.dumps(to_data(rule), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def describe(rule: Rule) -> str:
    """The rule read back as a plain Chinese sentence, e.g. 每起扣0.1分,扣完为止."""
    text = rule.sentence()
    if rule.applies_to:
        text = f"仅适用于{rule.applies_to}:{text}"
    if rule.exclusive:
        text += f";同组(“{rule.exclusive}”)只计最重的一项"
    if rule.attribution:
        text += f";归属:{rule.attribution}"
    if rule.lookback:
        text += f";追溯:{rule.lookback.reading or rule.lookback.quote}"
    return text
