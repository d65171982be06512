"""The notice of Jiaxing 2017 with the people who score it; and a small scheme for what that notice does not have."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from itertools import count
from zoneinfo import ZoneInfo

import pytest

from accounts.actors import Actor
from accounts.grants import Power, fresh_scope, grant
from accounts.models import Membership, Office, User
from assessments import operations
from assessments.models import Finding, Scorecard, ScoreEntry
from schemes.importers import read_document
from schemes.models import Clause, Indicator, Scheme, SchemeVersion, ScoringRule, Section
from schemes.operations import import_document
from schemes.queries import library_file
from scoring.rules import parse_rule, rule_digest
from tests.world import world  # noqa: F401

AT = datetime(2017, 12, 20, 10, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
DAY = date(2017, 11, 3)
SOURCE = "市平安办通报〔2017〕8号"


def someone(username: str, name: str) -> User:
    return User.objects.create(username=username, name=name)


@dataclass
class Year:
    """A version with its unit, its people and, once opened, its scorecards."""

    version: SchemeVersion
    people: dict[str, User] = field(default_factory=dict)
    tokens: count = field(default_factory=lambda: count(1))

    @property
    def unit(self) -> Office:
        return self.version.unit

    def office(self, name: str) -> Office:
        return Office.objects.get(name=name)

    def user(self, name: str) -> User:
        return User.objects.get(pk=self.people[name].pk)

    def actor(self, name: str) -> Actor:
        return Actor.person(self.user(name), ip="127.0.0.1")

    def scope(self, name: str):
        return fresh_scope(self.user(name))

    def open(self, by: str = "coordinator") -> list[Scorecard]:
        return operations.open_scorecards(version=self.version, actor=self.actor(by), at=AT)

    def card(self, office: str) -> Scorecard:
        return Scorecard.objects.get(version=self.version, office__name=office)

    def row(self, code: str) -> Indicator:
        return Indicator.objects.get(version=self.version, code=code)

    def clause(self, label: str) -> Clause:
        code, no = label.split("/")
        return Clause.objects.get(indicator__version=self.version, indicator__code=code, no=int(no))

    def rule(self, code: str) -> ScoringRule:
        return ScoringRule.objects.get(indicator__version=self.version, code=code)

    def entry(self, office: str, label: str) -> ScoreEntry:
        code, _slash, no = label.partition("/")
        entries = ScoreEntry.objects.filter(scorecard=self.card(office), indicator__code=code)
        return entries.get(clause__no=int(no)) if no else entries.get(clause=None)

    def find(self, office: str, rule: str, *, by: str = "reviewer", token: str = "", **facts) -> Finding:
        """A finding under a rule."""
        stored = self.rule(rule)
        return self._record(office, stored.indicator, by, token, rule=stored, clause=stored.clause, **facts)

    def judge(self, office: str, label: str, points: str, *, by: str = "reviewer", token: str = "", **facts) -> Finding:
        """A judged score of a clause, or of a row without figures."""
        clause = self.clause(label) if "/" in label else None
        row = clause.indicator if clause else self.row(label)
        return self._record(office, row, by, token, clause=clause, points=Decimal(points), **facts)

    def _record(self, office: str, indicator: Indicator, by: str, token: str, **facts) -> Finding:
        given = {"occurred_on": DAY, "source": SOURCE, "at": AT} | facts
        return operations.record_finding(
            scorecard=self.card(office),
            indicator=indicator,
            actor=self.actor(by),
            token=token or f"token-{next(self.tokens)}",
            **given,
        )

    def finished(self, office: str, by: str = "reviewer") -> Scorecard:
        """Everything judged with full marks, and finished."""
        card = self.card(office)
        operations.judge_full(scorecard=card, actor=self.actor(by), at=AT, token=f"full-{card.pk}", source="年终检查")
        return operations.finish(scorecard=card, actor=self.actor(by), at=AT, revision=card.revision)

    def signed(self, office: str, by: str = "leader") -> Scorecard:
        card = self.finished(office)
        operations.sign_off(
            scorecard=card,
            actor=self.actor(by),
            at=AT,
            revision=card.revision,
            digest=operations.digest_of(card),
            password_ok=True,
            opinion="同意",
        )
        return card


def staff(year: Year) -> Year:
    """Powers over the whole unit, and a clerk and a head in each office."""
    for name, power in (
        ("coordinator", Power.COORDINATE),
        ("reviewer", Power.REVIEW),
        ("reviewer2", Power.REVIEW),
        ("leader", Power.SIGN),
        ("leader2", Power.SIGN),
        ("administrator", Power.ADMINISTER),
        ("auditor", Power.AUDIT),
        ("stranger", None),
    ):
        year.people[name] = someone(f"year-{name}", f"{name}甲")
        if power:
            grant(user=year.people[name], power=power, office=year.unit)
    for office in Office.objects.filter(parent=year.unit).order_by("position"):
        for role in ("clerk", "head"):
            name = f"{role}:{office.name}"
            year.people[name] = someone(f"year-{role}{office.pk}", f"{office.name}{role}")
            Membership.objects.create(user=year.people[name], office=office, role=role)
    return year


def issue(version: SchemeVersion) -> None:
    version.status, version.issued_at = SchemeVersion.Status.ISSUED, AT
    version.save()


@cache
def notice():
    document, problems = read_document(library_file("jiaxing-2017").read_bytes())
    assert not problems
    return document


@pytest.fixture
def jiaxing(db) -> Year:
    """The issued notice; no scorecard yet."""
    version = import_document(document=notice(), actor=Actor.system("test"), at=AT)
    issue(version)
    return staff(Year(version))


@pytest.fixture
def opened(jiaxing) -> Year:
    jiaxing.open()
    return jiaxing


# ------------------------------------------------------------------ a small scheme


def small(rows: dict, *, settings: dict | None = None, groups: list | None = None, offices=("甲处", "乙处")) -> Year:
    """A scheme of one section. `rows`: code → {points, offices: [(name, role, numbers)], clauses, rules}."""
    unit = Office.objects.create(name="小局")
    named = {name: Office.objects.create(name=name, parent=unit, position=n) for n, name in enumerate(offices)}
    version = SchemeVersion.objects.create(
        scheme=Scheme.objects.create(key="small", title="小方案"),
        year=2017,
        number=1,
        title="小方案",
        digest="d" * 64,
        unit=unit,
        settings=settings or {},
        groups=groups or [],
        imported_at=AT,
    )
    section = Section.objects.create(version=version, position=1, no="一", title="工作", line=1)
    for position, (code, data) in enumerate(rows.items()):
        row = Indicator.objects.create(
            version=version,
            section=section,
            position=position,
            code=code,
            path=["工作", code],
            points=Decimal(data["points"]) if data.get("points") else None,
            line=position + 2,
        )
        for place, (name, role, clauses) in enumerate(data["offices"]):
            row.responsibilities.create(
                position=place, name=name, office=named.get(name), role=role, clause_numbers=clauses
            )
        serial = count(1)
        for place, item in enumerate(data["clauses"]):
            clause = row.clauses.create(
                position=place,
                no=item.get("no", place + 1),
                line=place + 10,
                text=f"{place + 1}.条款",
                points=Decimal(item["points"]) if item.get("points") else None,
                unscored=item.get("unscored", False),
            )
            for params in item.get("rules", ()):
                _rule(row, clause, next(serial), params)
        for params in data.get("rules", ()):
            _rule(row, None, next(serial), params)
    issue(version)
    return staff(Year(version))


def _rule(row: Indicator, clause: Clause | None, position: int, params: dict) -> None:
    params = {"quote": f"引文{params['id']}"} | params
    ScoringRule.objects.create(
        indicator=row,
        clause=clause,
        position=position,
        code=params["id"],
        kind=params["kind"],
        quote=params["quote"],
        params=params,
        digest=rule_digest(parse_rule(params)),
    )


def each(rule_id: str, amount: str, **more) -> dict:
    return {"id": rule_id, "kind": "deduct_per_event", "amount": amount, "unit": "次"} | more
