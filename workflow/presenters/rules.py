"""The clause a task comes from: its words, its rules read back, why it is due when it is."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from deadlines.kinds import DeadlineError, parse_deadline
from deadlines.kinds import describe as describe_deadline
from schemes.models import ScoringRule
from scoring.rules import RuleError, parse_rule
from scoring.rules import describe as describe_rule
from tasks.models import Task


def highlighted(text: str, quote: str) -> list[tuple[str, bool]]:
    """The text in pieces; True marks the words that the task is about."""
    start = text.find(quote) if quote else -1
    if start < 0:
        return [(text, False)]
    end = start + len(quote)
    return [(part, hot) for part, hot in ((text[:start], False), (text[start:end], True), (text[end:], False)) if part]


@dataclass(frozen=True)
class RuleLine:
    quote: str
    words: str
    whole_row: bool


def rule_lines(rules: Iterable[ScoringRule], *, whole_row: bool) -> list[RuleLine]:
    """The rules read back in plain Chinese beside the words they come from."""
    found = []
    for rule in rules:
        try:
            words = describe_rule(parse_rule(rule.params))
        except RuleError:
            words = ""
        found.append(RuleLine(quote=rule.quote, words=words, whole_row=rule.clause_id is None and not whole_row))
    return found


def deadline_words(task: Task) -> str:
    """When it is due and why then, in a sentence."""
    if task.deadline_id:
        try:
            return describe_deadline(parse_deadline(task.deadline.params))
        except DeadlineError:
            return ""
    if task.by_cycle:
        return task.version.reporting_cycle.get("reading") or _("原文没有写明报送日期,按方案的申报周期办理。")
    if task.assigned_extra:
        return _("临时交办事项,期限由交办人指定。")
    return ""
