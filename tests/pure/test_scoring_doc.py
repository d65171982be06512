"""The worked tables of docs/algorithms/scoring.md, computed; and the rule table of docs/scheme-format.md."""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from scoring.evaluate import BonusRow, ClauseInput, evaluate_bonus, evaluate_clause, evaluate_row
from scoring.facts import Fact, check_fact
from scoring.rules import KINDS, parse_part, parse_rule, parse_rules

ROOT = Path(__file__).resolve().parents[2]
DOC = (ROOT / "docs/algorithms/scoring.md").read_text(encoding="utf-8")
FORMAT = (ROOT / "docs/scheme-format.md").read_text(encoding="utf-8")
POTS = yaml.safe_load(re.search(r"```yaml\n(.*?)```", DOC, re.DOTALL)[1])
FACT = re.compile(
    r"(?P<rule>\w+?)(?:@(?P<level>[^×:{ ]+))?(?:×(?P<count>\d+))?(?:=(?P<value>[^{ ]+))?"
    r"(?:\{(?P<inputs>[^}]*)\})?(?::(?P<points>[\d.]+))?(?: (?P<date>\d{4}-\d\d-\d\d))?"
)


def table(text: str, first: str) -> list[list[str]]:
    lines = text.split("\n")
    start = next(index for index, line in enumerate(lines) if line.startswith(first))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows


def read_fact(text: str, id: str, rules: dict) -> Fact:
    found = FACT.fullmatch(text)
    assert found, text
    said = found.groupdict()
    fields = {"level": said["level"]}
    if said["count"] is not None:
        fields["count"] = Decimal(said["count"])
    if said["value"] in ("是", "否"):
        fields["holds"] = said["value"] == "是"
    elif said["value"] is not None:
        fields["value"] = Decimal(said["value"])
    if said["inputs"]:
        fields["inputs"] = {k: Decimal(v) for k, v in (pair.split("=") for pair in said["inputs"].split(","))}
    if said["points"] is not None:
        fields["points"] = Decimal(said["points"])
    if said["date"]:
        fields["date"] = date.fromisoformat(said["date"])
    rule_id = said["rule"] if said["rule"] in rules else None
    return Fact(id=id, rule_id=rule_id, note="依据", **fields)


def read_facts(text: str, rules: dict) -> list[tuple[str, Fact]]:
    """(name, fact); two entries of one deciding rule (`u=是; u:0.5`) are one fact."""
    facts: list[tuple[str, Fact]] = []
    for index, item in enumerate(part.strip() for part in text.split(";") if part.strip()):
        name = FACT.fullmatch(item)["rule"]
        fact = read_fact(item, f"f{index}", rules)
        if facts and facts[-1][0] == name and facts[-1][1].holds and fact.points is not None:
            last = facts.pop()[1]
            fact = Fact(id=last.id, rule_id=name, holds=last.holds, points=fact.points, note="依据")
        facts.append((name, fact))
    return facts


def compute(pot: dict, said: str):
    facts_text, _, unit_class = said.partition("‖")
    classes = frozenset({unit_class.strip()}) if unit_class else frozenset()
    points = Decimal(pot["points"])
    clauses = pot.get("clauses", [])
    own = parse_rules(pot.get("rules", []))
    rules = {r.id: r for r in own}
    parsed = [parse_rules(clause.get("rules", [])) for clause in clauses]
    rules |= {rule.id: rule for found in parsed for rule in found}
    facts = read_facts(facts_text, rules)
    for name, fact in facts:
        rule = rules.get(name)
        problems = [p for p in check_fact(rule, fact) if not p.startswith("请填写")]
        assert not problems
    if not clauses:
        return evaluate_clause(points=points, rules=own, facts=[fact for _, fact in facts], unit_classes=classes)
    inputs = []
    for number, (clause, found) in enumerate(zip(clauses, parsed, strict=True), 1):
        ids = {rule.id for rule in found}
        inputs.append(
            ClauseInput(
                key=str(number),
                points=Decimal(clause["points"]) if clause["points"] else None,
                rules=found,
                parts=[parse_part(part) for part in clause.get("parts", [])],
                facts=[fact for name, fact in facts if name in ids or name == f"条{number}"],
            )
        )
    row_facts = [fact for name, fact in facts if name in {rule.id for rule in own} or name == "评定"]
    return evaluate_row(points=points, clauses=inputs, rules=own, facts=row_facts, unit_classes=classes)


@pytest.mark.parametrize("row", table(DOC, "| B | pot |"), ids=lambda row: f"{row[0]} {row[1]} {row[2]}")
def test_worked_case(row):
    _, pot, facts, score, state, _ = row
    result = compute(POTS[pot], facts)
    assert result.earned == (None if score == "–" else Decimal(score))
    assert result.state == state
    assert bool(result.unresolved) == (state != "scored")


BONUS_ROWS = [
    ("中央", "获奖", {"kind": "bonus_by_level", "single": "0.2", "composite": "0.5"}),
    ("省", "获奖", {"kind": "bonus_by_level", "single": "0.1", "composite": "0.25"}),
    ("资源", "争取资源", {"kind": "bonus_range", "min": "0.05", "max": "0.2"}),
]


@pytest.mark.parametrize("row", table(DOC, "| B | awards |"), ids=lambda row: f"{row[0]} {row[1]}")
def test_worked_bonus(row):
    _, awards, score, state, _ = row
    rules = {name: parse_rule({"id": name, "quote": name, **data}) for name, _, data in BONUS_ROWS}
    result = evaluate_bonus(
        cap=Decimal("0.5"),
        rows=[BonusRow(key=name, rules=[rules[name]], group=group) for name, group, _ in BONUS_ROWS],
        rules=parse_rules(
            [
                {"id": "b7", "quote": "1项", "kind": "highest_only", "group": "获奖"},
                {"id": "b8", "quote": "1项", "kind": "highest_only", "group": "争取资源"},
            ]
        ),
        facts=[fact for _, fact in read_facts(awards, rules)],
        window=(date(2017, 1, 1), date(2017, 12, 31)),
    )
    assert (result.earned, result.state) == (Decimal(score), state)


def test_every_odd_worked_case_of_the_catalogue_is_in_the_tables():
    worked = {row[0] for row in table(DOC, "| B | pot |")} | {row[0] for row in table(DOC, "| B | awards |")}
    assert {str(number) for number in range(37, 72, 2)} <= worked


def test_every_pot_of_the_page_is_used():
    assert {row[1] for row in table(DOC, "| B | pot |")} == set(POTS)


def test_kinds_are_exactly_those_of_the_format():
    printed = {row[0].strip("`") for row in table(FORMAT, "| kind | fields | meaning |")}
    assert printed == set(KINDS)


def test_fields_of_each_kind_are_those_of_the_format():
    for kind, fields, _ in table(FORMAT, "| kind | fields | meaning |"):
        top_level = re.sub(r"\{[^}]*\}", "", fields)
        printed = {name for code in re.findall(r"`([^`]*)`", top_level) for name in re.findall(r"^[a-z_]+", code)}
        known = set(KINDS[kind.strip("`")].__dataclass_fields__) | {"null"}
        assert printed <= known, kind
