"""The overdue scan: what has come due since anybody looked is warned of, once (docs/decisions/0004).

Everything is derived from rows. Any number of scanners may run, and any may be killed at any instant: a chunk of tasks
is claimed, warned and moved to its next rung in one transaction, or not at all.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.db import OperationalError, transaction
from django.utils import timezone

from accounts.actors import Actor
from audit.operations import record
from deadlines.calendar import seeded_calendar
from deadlines.ladder import DEFAULT_LADDER, Fired, Step, next_step, schedule
from notifications import push
from notifications.models import Notification
from notifications.operations import Message, write
from notifications.rows import insert_missing
from tasks.models import OverdueWarning, Task, TaskState
from tasks.warnings import Audience, Row, Texts, is_late_step, step_label

logger = logging.getLogger("zeren.scan")
# Tasks per transaction. On SQLite a writing transaction holds up every other writer for as long as it lasts.
CHUNK = 500
LIMIT = 50_000
POISONED_FOR = timedelta(hours=1)
# above this many tasks per step and tick a coordinator reads one digest per chunk instead of one message per task
DIGEST_ABOVE = 20
SCANNER = Actor.system("逾期扫描")
COORDINATION_URL = "/work/coordination/"


@dataclass(frozen=True)
class ScanResult:
    """`rows` tasks were looked at; `warned` warnings were given; `notified` deliveries to people were written."""

    warned: int = 0
    notified: int = 0
    rows: int = 0


def scan(*, at: datetime, limit: int = LIMIT) -> ScanResult:
    """Give every warning that is due at `at` (at most `limit` tasks; the next tick goes on)."""
    tick = _Tick(at)
    rows = 0
    while rows < limit:
        # A look before the claim: an idle tick reads one index entry and takes no lock.
        if not Task.objects.filter(next_check_at__lte=at).exists():
            break
        done = tick.chunk(min(CHUNK, limit - rows))
        if not done:
            break  # what is left is in the hands of other scanners
        rows += done
    push.poke(tick.people, newest=tick.newest)
    return ScanResult(warned=tick.warned, notified=tick.notified, rows=rows)


@dataclass
class _Reached:
    """A task and the rungs that it has reached. People are told once, by the highest."""

    row: Row
    fired: Sequence[Fired]
    own: frozenset[int] = frozenset()
    coordinators: frozenset[int] = frozenset()
    title: str = ""
    body: str = ""

    @property
    def step(self) -> Step:
        return self.fired[-1][0]

    @property
    def warning_key(self) -> tuple[int, str]:
        return self.row.id, self.step.code


@dataclass
class _Plan:
    reached: list[_Reached] = field(default_factory=list)
    onward: dict[datetime | None, list[int]] = field(default_factory=lambda: defaultdict(list))
    poisoned: list[int] = field(default_factory=list)


class _Tick:
    """One call of scan: its instant, what it has read so far, and what it has done."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.tz = timezone.get_default_timezone()
        self.calendar = seeded_calendar()
        self.audience = Audience(on=timezone.localdate(at, self.tz))
        self.texts = Texts(at=at, calendar=self.calendar, tz=self.tz)
        self.warned = self.notified = self.newest = 0
        self.people: set[int] = set()
        self._coordinator_load: Counter[tuple[int, str]] = Counter()

    # -------------------------------------------------------------- a chunk, and what may go wrong with it

    def chunk(self, size: int) -> int:
        """Claim and handle up to `size` due tasks in one transaction. Returns how many were claimed."""
        claimed: list[int] = []
        try:
            self._transact(lambda due: due.order_by("next_check_at", "id")[:size], claimed)
        except OperationalError:
            raise  # a lock that was not had, a server that went away: nothing is wrong with the rows
        except Exception:
            logger.exception("a chunk of %d tasks could not be warned of; trying them one by one", len(claimed))
            for task_id in claimed:
                self._alone(task_id)
        return len(claimed)

    def _alone(self, task_id: int) -> None:
        try:
            self._transact(lambda due: due.filter(pk=task_id), [])
        except OperationalError:
            raise
        except Exception:
            logger.exception("task %s could not be warned of; it is tried again in an hour", task_id)
            Task.objects.filter(pk=task_id, next_check_at__lte=self.at).update(next_check_at=self.at + POISONED_FOR)

    def _transact(self, pick: Callable, claimed: list[int]) -> None:
        with transaction.atomic():
            # On SQLite the transaction is IMMEDIATE: from here on this is the only writer.
            due = Task.objects.filter(next_check_at__lte=self.at).select_for_update(skip_locked=True, no_key=True)
            rows = [Row(*values) for values in pick(due).values_list(*Row._fields)]
            claimed += [row.id for row in rows]
            if rows:
                warned, written = self._handle(rows)
            else:
                warned, written = 0, None
        # only what is committed counts
        self.warned += warned
        if written:
            self.notified += written.deliveries
            self.people |= written.people
            self.newest = max(self.newest, written.newest)

    def _handle(self, rows: list[Row]):
        plan = self._plan(rows)
        fresh = self._write_warnings(plan)
        for next_check_at, ids in plan.onward.items():
            Task.objects.filter(pk__in=ids).update(next_check_at=next_check_at)
        if plan.poisoned:
            Task.objects.filter(pk__in=plan.poisoned).update(next_check_at=self.at + POISONED_FOR)
        told = [reached for reached in plan.reached if reached.warning_key in fresh]
        # The audit head stays locked from here to the commit: last, so that it is short.
        written = write(messages=self._messages(told), at=self.at)
        labels = {step.code: step_label(step) for step in DEFAULT_LADDER}
        for code, count in sorted(Counter(code for _, code in fresh).items()):
            record(
                actor=SCANNER,
                at=self.at,
                verb="task.warned",
                subject=OverdueWarning(),
                detail={"count": count, "step": labels.get(code, code), "code": code},
            )
        return len(fresh), written

    # -------------------------------------------------------------- what is due

    def _plan(self, rows: list[Row]) -> _Plan:
        """Which rungs each task has reached. A task that cannot be worked out is set aside, the others go on."""
        plan = _Plan()
        self.audience.load({row.office_id for row in rows})
        self.texts.load(rows)
        given = self._given([row for row in rows if not self._on_a_rung(row)])
        for row in rows:
            try:
                fired = self._fired(row, given)
                onward = next_step(due_at=row.due_at, after=self.at, calendar=self.calendar, tz=self.tz)
                if fired:
                    plan.reached.append(self._reached(row, fired))
                plan.onward[onward and onward[1]].append(row.id)
            except Exception:
                logger.exception("task %s could not be worked out; it is tried again in an hour", row.id)
                plan.poisoned.append(row.id)
        return plan

    def _schedule(self, row: Row) -> Sequence[Fired]:
        return schedule(due_at=row.due_at, calendar=self.calendar, tz=self.tz)

    def _on_a_rung(self, row: Row) -> bool:
        try:
            return any(instant == row.next_check_at for _, instant in self._schedule(row))
        except Exception:
            return True  # poisoned: logged and set aside by _plan

    def _fired(self, row: Row, given: dict[int, set[tuple[str, datetime]]]) -> list[Fired]:
        """The rungs from the one that was waited for up to now.

        A task that was set aside, or whose calendar has changed since, waits for no rung: then every rung counts since
        the office has had the task that was not given yet.
        """
        reached = [pair for pair in self._schedule(row) if pair[1] <= self.at]
        if self._on_a_rung(row):
            return [pair for pair in reached if pair[1] >= row.next_check_at]
        since = row.held_since if row.state == TaskState.RETURNED else row.issued_at
        done = given.get(row.id, set())
        return [pair for pair in reached if pair[1] > since and (pair[0].code, row.due_at) not in done]

    def _given(self, rows: list[Row]) -> dict[int, set[tuple[str, datetime]]]:
        given: dict[int, set[tuple[str, datetime]]] = defaultdict(set)
        if rows:
            found = OverdueWarning.objects.filter(task__in=[row.id for row in rows]).order_by()
            for task_id, code, due_at in found.values_list("task_id", "step", "due_at"):
                given[task_id].add((code, due_at))
        return given

    def _reached(self, row: Row, fired: list[Fired]) -> _Reached:
        reached = _Reached(row, fired)
        roles = frozenset(role for step, _ in fired for role in step.audience)
        reached.own, reached.coordinators = self.audience.people(row.office_id, roles)
        reached.title = self.texts.title(row, reached.step)
        reached.body = self.texts.body(row, reached.step)
        return reached

    # -------------------------------------------------------------- what is written

    def _write_warnings(self, plan: _Plan) -> set[tuple[int, str]]:
        """A row per rung. `recipients` counts who is told by this rung; rungs that were overtaken tell nobody."""
        rows = [
            (
                reached.row.id,
                step.code,
                reached.row.due_at,
                self.at,
                len(reached.own) + len(reached.coordinators) if step is reached.step else 0,
            )
            for reached in plan.reached
            for step, _ in reached.fired
        ]
        columns = ("task_id", "step", "due_at", "fired_at", "recipients")
        return set(insert_missing(OverdueWarning, columns=columns, rows=rows, returning=("task_id", "step")))

    def _messages(self, told: list[_Reached]) -> list[Message]:
        digested = self._digested(told)
        messages = [
            Message(
                key=f"warn:{reached.row.id}:{reached.step.code}:{_stamp(reached.row.due_at)}",
                kind=f"warning.{reached.step.code}",
                level=Notification.Level.RED if is_late_step(reached.step) else Notification.Level.AMBER,
                title=reached.title,
                body=reached.body,
                url=f"/work/tasks/{reached.row.id}/",
                recipients=reached.own | (reached.coordinators - digested.get(reached.step.code, frozenset())),
                quiet=reached.coordinators & digested.get(reached.step.code, frozenset()),
            )
            for reached in told
        ]
        return messages + self._digests(told, digested)

    def _digested(self, told: list[_Reached]) -> dict[str, frozenset[int]]:
        """step → coordinators for whom this tick has become too much to be told one by one."""
        here = Counter((user_id, reached.step.code) for reached in told for user_id in reached.coordinators)
        self._coordinator_load.update(here)
        found: dict[str, set[int]] = defaultdict(set)
        for (user_id, code), count in here.items():
            if count > 1 and self._coordinator_load[user_id, code] > DIGEST_ABOVE:
                found[code].add(user_id)
        return {code: frozenset(people) for code, people in found.items()}

    def _digests(self, told: list[_Reached], digested: dict[str, frozenset[int]]) -> list[Message]:
        """One message per coordinator and step. Its key names the first task it covers: a task reaches a rung once,
        in one transaction, so that no two digests can have the same key and none can be written twice."""
        covered: dict[tuple[int, str], list[_Reached]] = defaultdict(list)
        for reached in told:
            for user_id in reached.coordinators & digested.get(reached.step.code, frozenset()):
                covered[user_id, reached.step.code].append(reached)
        messages = []
        for (user_id, code), tasks in covered.items():
            first = min(tasks, key=lambda reached: reached.row.id)
            per_office = Counter(reached.row.office_id for reached in tasks)
            title, body = self.texts.digest(first.step, per_office)
            messages.append(
                Message(
                    key=f"digest:{user_id}:{first.row.id}:{code}:{_stamp(first.row.due_at)}",
                    kind=f"digest.{code}",
                    level=Notification.Level.RED if is_late_step(first.step) else Notification.Level.AMBER,
                    title=title,
                    body=body,
                    url=COORDINATION_URL,
                    recipients=frozenset({user_id}),
                )
            )
        return messages


def _stamp(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat()
