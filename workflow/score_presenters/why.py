"""Why a figure is what it is: a stored result explained line by line, with its rules, facts and doubts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from assessments.models import Finding, ScoreEntry
from schemes.models import Clause, Doubt, ScoringRule
from scoring.breakdown import Breakdown, BreakdownError, Line
from scoring.points import ZERO, format_points
from workflow.score_presenters.layout import OPEN_STATES, LineView
from workflow.score_presenters.words import fact_words, label_of, parsed, points_words, rule_line, signed


@dataclass
class LineBuilder:
    entry: ScoreEntry
    rules: Mapping[tuple[int, str], ScoringRule]
    by_place: Mapping[tuple[int, int | None], list[ScoringRule]]
    by_where: Mapping[str, list[Doubt]]
    facts: Mapping[str, Finding]
    beside_figures: bool

    def line(self) -> LineView:
        entry, clause = self.entry, self.clause
        try:
            breakdown = Breakdown.from_json(entry.breakdown)
        except BreakdownError:
            breakdown = None
        label = label_of(entry.indicator, clause)
        doubts = list(self.by_where.get(label, ()))
        if clause is None:
            for other in self._covered():
                place = label_of(entry.indicator, other)
                doubts += [doubt for doubt in self.by_where.get(place, ()) if doubt not in doubts]
        reason = self.reason(breakdown)
        flags = [flag for flag in breakdown.flags if flag.kind == "veto"] if breakdown else []
        return LineView(
            label=_("{code} 整项").format(code=label) if self.whole_row else label,
            content=self.content(),
            max_points=entry.max_points,
            earned=entry.earned,
            state=entry.state,
            shared=entry.shared,
            reason=reason,
            why=self.why(breakdown, reason),
            doubts=doubts,
            whole_row=self.whole_row,
            # a row beside its clauses repeats their flags: each is said once
            veto=[
                flag.effect or _("原文未写明后果") for flag in flags if not self.whole_row or not self._of_clause(flag)
            ],
            zeroed=entry.earned == ZERO and bool(entry.max_points) and entry.state == ScoreEntry.State.SCORED,
            indicator_id=entry.indicator_id,
            clause_id=entry.clause_id,
        )

    @property
    def clause(self) -> Clause | None:
        if self.entry.clause_id is None:
            return None
        return next((c for c in self.entry.indicator.clauses.all() if c.pk == self.entry.clause_id), None)

    @property
    def whole_row(self) -> bool:
        return self.entry.clause_id is None and self.beside_figures

    def _of_clause(self, flag) -> bool:
        rule = self.rules.get((self.entry.indicator_id, flag.rule_id))
        return rule is not None and rule.clause_id not in {None, *(c.pk for c in self._covered())}

    def _covered(self) -> list[Clause]:
        """The clauses that the entry of a row speaks for."""
        clauses = list(self.entry.indicator.clauses.all())
        if self.whole_row:
            return [clause for clause in clauses if clause.points is None and not clause.unscored]
        return clauses

    def content(self) -> list[str]:
        if self.clause is not None:
            return [self.clause.text]
        texts = [clause.text for clause in self._covered()]
        return texts or [_("整项规定:对本项各条合计后的得分再作调整")]

    def own_rules(self) -> list[ScoringRule]:
        pk = self.entry.indicator_id
        if self.clause is not None:
            return self.by_place.get((pk, self.clause.pk), [])
        found = list(self.by_place.get((pk, None), ()))
        for clause in self._covered():
            found += self.by_place.get((pk, clause.pk), ())
        return found

    # -------------------------------------------------------- why

    def reason(self, breakdown: Breakdown | None) -> str:
        """Why, in a few words."""
        if breakdown is None:
            return _("计分明细由旧版本引擎生成,请重新计算")
        entry = self.entry
        if entry.state in OPEN_STATES:
            start = f"{breakdown.key}:"
            missing = [text.removeprefix(start) for text in self._missing(breakdown)]
            return ";".join(dict.fromkeys(missing)) or _("尚未评定")
        lines = breakdown.lines
        if self.whole_row:
            lines = tuple(line for line in lines if line.kind != "clause")
        if entry.state == ScoreEntry.State.IN_ROW and lines:
            return lines[-1].note
        said = [f"{signed(line.amount)} {line.label}" for line in lines if line.amount is not None and line.amount < 0]
        if not said:
            said = [line.note or line.label for line in lines if line.kind != "clause" and (line.note or line.label)][
                :2
            ]
        flags = [_("一票否决") for flag in breakdown.flags if flag.kind == "veto"]
        return ";".join(dict.fromkeys([*flags[:1], *said])) or _("按规定计分")

    def _missing(self, breakdown: Breakdown) -> list[str]:
        if not self.whole_row:
            return list(breakdown.unresolved)
        theirs = {f"{child.key}:{reason}" for child in breakdown.children for reason in child.unresolved}
        return [reason for reason in breakdown.unresolved if reason not in theirs]

    def why(self, breakdown: Breakdown | None, reason: str) -> dict[str, Any]:
        entry = self.entry
        value = points_words(entry.earned) if entry.earned is not None else _("待定")
        node: dict[str, Any] = {
            "label": _("为什么是 {value}").format(value=value),
            "value": "",
            "of": None,
            "children": [],
        }
        if breakdown is None:
            return node | {"warning": reason}
        if entry.state in OPEN_STATES:
            node["warning"] = _("尚不能定分:{why}").format(why=reason)
        if entry.shared:
            node["note"] = _("由几个处室共同承担,原文没有划分;不计入处室合计,全单位计一次。")
        node["children"] = [self._node(line) for line in breakdown.lines]
        said = {line.rule_id for line in breakdown.lines}
        unused = [rule_line(rule) for rule in self.own_rules() if rule.code not in said]
        if unused:
            node["children"].append({"label": _("没有触发的规则"), "value": "", "of": None, "rule": ";\n".join(unused)})
        return node

    def _node(self, line: Line) -> dict[str, Any]:
        rule = self.rules.get((self.entry.indicator_id, line.rule_id)) if line.rule_id else None
        found = [self.facts[pk] for pk in line.fact_ids if pk in self.facts]
        node = _line_node(line, rule)
        if rule is not None and (doubt := self._doubt(rule)):
            words = _("存疑 {code}:{question}。读作:{reading}").format(
                code=doubt.code, question=doubt.question, reading=doubt.reading
            )
            node["warning"] = ";".join(filter(None, [node["warning"], words]))
        if len(found) == 1:
            node |= self._finding(found[0], rule)
        else:
            node["children"] = [
                {"label": f"{f.occurred_on:%Y-%m-%d}", "value": "", "of": None} | self._finding(f, rule, child=True)
                for f in found
            ]
        return node

    def _doubt(self, rule: ScoringRule) -> Doubt | None:
        code = rule.params.get("doubt")
        if not code:
            return None
        return next((d for found in self.by_where.values() for d in found if d.code == code), None)

    @staticmethod
    def _finding(finding: Finding, rule: ScoringRule | None, *, child: bool = False) -> dict[str, Any]:
        day = "" if child else f"{finding.occurred_on:%Y-%m-%d}"
        said = [day, fact_words(finding, parsed(rule) if rule else None), finding.note]
        return {
            "fact": ";".join(part for part in said if part),
            "evidence": evidence_of(finding),
            "person": str(finding.recorded_by),
            "at": timezone.localtime(finding.recorded_at),
        }


def breakdown_node(breakdown: Breakdown, rules: Iterable[ScoringRule]) -> dict[str, Any]:
    """A result that is not stored yet, explained like those that are."""
    by_code = {rule.code: rule for rule in rules}
    children = []
    for line in breakdown.lines:
        rule = by_code.get(line.rule_id) if line.rule_id else None
        children.append(_line_node(line, rule))
    value = _("待定") if breakdown.earned is None else format_points(breakdown.earned)
    return {
        "label": _("为什么是 {value}").format(value=value),
        "value": "",
        "of": None,
        "children": children,
        "open": True,
    }


def _line_node(line: Line, rule: ScoringRule | None) -> dict[str, Any]:
    absolute = line.kind in ("start", "clause", "judged")
    value = _("待定") if line.amount is None else format_points(line.amount) if absolute else signed(line.amount)
    warning = ""
    if line.bit == "floor":
        warning = _("扣完为止:扣到 0 分,不再多扣")
    elif line.bit == "cap":
        warning = _("已到上限,超出部分不计")
    return {
        "label": line.label,
        "value": value,
        "of": None,
        "negative": line.amount is not None and line.amount < 0,
        "rule": rule_line(rule) if rule else "",
        "note": line.note if line.note != line.label else "",
        "warning": warning,
        "children": [],
    }


def evidence_of(finding: Finding) -> list[dict[str, str]]:
    """The basis, and where it can be looked at."""
    found = [{"label": finding.source, "url": ""}]
    if finding.task_id:
        found.append({"label": _("任务 {n}").format(n=finding.task_id), "url": f"/work/tasks/{finding.task_id}/"})
    if finding.evidence_id:
        url = reverse("tasks:evidence", args=[finding.evidence_id])
        found.append({"label": finding.evidence.name, "url": url})
    return found
