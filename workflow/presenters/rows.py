"""A task as a row of a list, with the one thing to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from accounts.grants import Scope
from deadlines.calendar import seeded_calendar
from tasks.models import WITH_OFFICE, Task, TaskState
from workflow.presenters.bars import due_bar, due_html, steps_html
from workflow.presenters.words import clause_words, period_words, points_words


@dataclass(frozen=True)
class Action:
    """The one thing to do about a row: `post` is a button, otherwise a link."""

    label: str
    url: str
    post: bool = False
    primary: bool = True

    def html(self, described_by: int) -> SafeString:
        """The button or link, described by the row's title."""
        url, label = escape(self.url), escape(self.label)
        if self.post:
            return mark_safe(  # noqa: S308  (escaped)
                f'<button class="btn btn-primary" type="submit" formaction="{url}" aria-describedby="t-{described_by}">'
                f"{label}</button>"
            )
        return mark_safe(f'<a class="btn btn-{"primary" if self.primary else "outline"}" href="{url}">{label}</a>')  # noqa: S308


@dataclass(frozen=True)
class Row:
    id: int
    url: str
    title: str
    clause: str
    office: str
    period: str
    points: str
    stage: str
    state: str
    due: SafeString
    steps: SafeString
    action: Action
    note: str = ""
    selectable: bool = False

    @property
    def act(self) -> SafeString:
        return self.action.html(self.id)

    @property
    def meta(self) -> SafeString:
        """The line under the title. Here and not in the template, which needs three times as long for it."""
        words = (self.clause, self.office, self.period, self.points, self.note)
        return mark_safe("".join(f"<span>{escape(word)}</span>" for word in words if word))  # noqa: S308  (escaped)


@lru_cache(maxsize=16)
def _around_id(name: str) -> tuple[str, str]:
    before, after = reverse(name, args=[0]).rsplit("/0/", 1)
    return f"{before}/", f"/{after}"


def task_url(name: str, pk: int) -> str:
    """An address with nothing but a task's id in it: taken apart once, not reversed for each row."""
    before, after = _around_id(name)
    return f"{before}{pk}{after}"


def action_for(task: Task, *, member: bool, head: bool, reviews: bool) -> Action:
    """What this person can do about the task now."""
    url = task_url("workflow:task", task.pk)
    if member and task.state == TaskState.ISSUED:
        return Action(_("签收"), task_url("workflow:task_accept", task.pk), post=True)
    if member and task.state == TaskState.ACCEPTED:
        return Action(_("填报"), url)
    if member and task.state == TaskState.RETURNED:
        return Action(_("修改"), url)
    if head and task.state == TaskState.CONFIRMING:
        return Action(_("确认"), url)
    if reviews and task.state == TaskState.REVIEWING:
        return Action(_("审核"), task_url("workflow:task_review", task.pk))
    return Action(_("查看"), url, primary=False)


class Pictures:
    """The due bars of one page. Most rows of a page share a handful of them."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self._drawn: dict[tuple, tuple[SafeString, str]] = {}

    def of(self, task: Task) -> tuple[SafeString, str]:
        """The drawn bar, and the stage it shows."""
        with_office = task.state in WITH_OFFICE
        # what the picture depends on, and nothing else
        if with_office:
            key = (task.due_at, task.issued_at, task.due_before_issue)
        else:
            filed = task.first_submitted_at
            key = (task.due_date, task.state, filed and timezone.localdate(filed), bool(filed and filed > task.due_at))
        if key not in self._drawn:
            bar = due_bar(task, self.at)
            self._drawn[key] = (due_html(bar), bar["stage"] if with_office else "done")
        return self._drawn[key]


def waiting_words(task: Task, at: datetime) -> str:
    """How long it has been with whoever decides; nothing while it is with the office."""
    if task.state not in (TaskState.CONFIRMING, TaskState.REVIEWING):
        return ""
    since = timezone.localdate(task.held_since)
    days = seeded_calendar().workdays_between(since, max(timezone.localdate(at), since))
    who = _("处室负责人") if task.state == TaskState.CONFIRMING else _("审核人")
    if not days:
        return _("在{who}处,今天送到").format(who=who)
    return _("在{who}处已 {n} 个工作日").format(who=who, n=days)


def rows_of(tasks: Iterable[Task], *, scope: Scope, at: datetime) -> list[Row]:
    """Rows of the home lists and of the task list."""
    pictures = Pictures(at)
    found = []
    for task in tasks:
        due, stage = pictures.of(task)
        member = task.office_id in scope.member
        action = action_for(
            task,
            member=member,
            head=task.office_id in scope.head,
            reviews=task.office_id in scope.review and not member,
        )
        found.append(
            Row(
                id=task.pk,
                url=task_url("workflow:task", task.pk),
                title=task.title,
                clause=clause_words(task),
                office=str(task.office),
                period=period_words(task.period),
                points=points_words(task.points),
                stage=stage,
                state=task.state,
                due=due,
                steps=steps_html(task.state),
                action=action,
                note=waiting_words(task, at),
                selectable=member and task.state == TaskState.ISSUED,
            )
        )
    return found
