"""The overdue scan: what has come due since anybody looked is warned of, once (docs/decisions/0004).

Everything is derived from rows. Any number of scanners may run, and any may be killed at any instant: a chunk of tasks
is claimed, warned and moved to its next rung in one transaction, or not at all.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from django.db import OperationalError, connection, transaction
from django.utils import timezone

from accounts.actors import Actor
from audit.operations import record
from deadlines.calendar import seeded_calendar
from deadlines.ladder import DEFAULT_LADDER, Fired, Step, next_step, schedule
from notifications import push
from notifications.operations import Message, write
from notifications.rows import insert_missing
from tasks.models import OverdueWarning, Task, TaskState
from tasks.warnings import Audience, Row, Texts, is_late_step, step_label

logger = logging.getLogger("zeren.scan")
# Tasks per transaction: about 50 and 100 ms. On SQLite it holds up every other writer, on PostgreSQL whoever has
# something to record in the audit trail.
CHUNK = {"sqlite": 500, "postgresql": 1000}
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
        if not _something_due(at):
            break
        done = tick.chunk(min(CHUNK[connection.vendor], limit - rows))
        if not done:
            break  # what is left is in the hands of other scanners
        rows += done
    push.poke(tick.people, newest=tick.newest)
    return ScanResult(warned=tick.warned, notified=tick.notified, rows=rows)


def _something_due(at: datetime) -> bool:
    """A look before the claim: an idle tick reads one index entry and takes no lock.

    In the index's order: right after a wave PostgreSQL would believe that any row will do, and read the whole table.
    """
    return bool(Task.objects.filter(next_check_at__lte=at).order_by("next_check_at").values_list("id")[:1])


@dataclass
class _Reached:
    """A task and the rungs that it has reached. People are told once, by the highest."""

    row: Row
    fired: Sequence[Fired]
    step: Step  # the highest
    own: frozenset[int]
    coordinators: frozenset[int]
    title: str
    body: str

    @property
    def warning_key(self) -> tuple[int, str]:
        return self.row.id, self.step.code


@dataclass(frozen=True)
class _Ladder:
    """The rungs of one due instant, as seen at the tick's."""

    instants: frozenset[datetime]
    reached: tuple[Fired, ...]
    onward: datetime | None


_Given = dict[int, tuple[datetime, set[tuple[str, datetime]]]]


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
        # ten thousand tasks share a few dozen due instants
        self._ladders: dict[datetime, _Ladder] = {}
        self._fired_from: dict[tuple[datetime, datetime], tuple[Fired, ...]] = {}

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
                if fired:
                    plan.reached.append(self._reached(row, fired))
                plan.onward[self._ladder(row.due_at).onward].append(row.id)
            except Exception:
                logger.exception("task %s could not be worked out; it is tried again in an hour", row.id)
                plan.poisoned.append(row.id)
        return plan

    def _ladder(self, due_at: datetime) -> _Ladder:
        if due_at not in self._ladders:
            rungs = schedule(due_at=due_at, calendar=self.calendar, tz=self.tz)
            onward = next_step(due_at=due_at, after=self.at, calendar=self.calendar, tz=self.tz)
            self._ladders[due_at] = _Ladder(
                instants=frozenset(instant for _, instant in rungs),
                reached=tuple(pair for pair in rungs if pair[1] <= self.at),
                onward=onward and onward[1],
            )
        return self._ladders[due_at]

    def _on_a_rung(self, row: Row) -> bool:
        try:
            return row.next_check_at in self._ladder(row.due_at).instants
        except Exception:
            return True  # poisoned: logged and set aside by _plan

    def _fired(self, row: Row, given: _Given) -> Sequence[Fired]:
        """The rungs from the one that was waited for up to now.

        A task that was set aside, or whose calendar has changed since, waits for no rung: then every rung counts since
        the office has had the task that was not given yet.
        """
        ladder = self._ladder(row.due_at)
        if row.next_check_at in ladder.instants:
            key = (row.due_at, row.next_check_at)
            if key not in self._fired_from:
                self._fired_from[key] = tuple(pair for pair in ladder.reached if pair[1] >= row.next_check_at)
            return self._fired_from[key]
        since, done = given[row.id]
        return [pair for pair in ladder.reached if pair[1] > since and (pair[0].code, row.due_at) not in done]

    def _given(self, rows: list[Row]) -> _Given:
        """task → (since when the office has it, what it was warned of)."""
        if not rows:
            return {}
        ids = [row.id for row in rows]
        held = Task.objects.filter(pk__in=ids).values_list("id", "state", "issued_at", "held_since")
        given: _Given = {
            pk: (held_since if state == TaskState.RETURNED else issued_at, set())
            for pk, state, issued_at, held_since in held
        }
        found = OverdueWarning.objects.filter(task__in=ids).order_by()
        for task_id, code, due_at in found.values_list("task_id", "step", "due_at"):
            given[task_id][1].add((code, due_at))
        return given

    def _reached(self, row: Row, fired: Sequence[Fired]) -> _Reached:
        step = fired[-1][0]
        if len(fired) == 1:
            roles = frozenset(step.audience)
        else:
            roles = frozenset(role for missed, _ in fired for role in missed.audience)
        own, coordinators = self.audience.people(row.office_id, roles)
        title, body = self.texts.told(row, step)
        return _Reached(row, fired, step, own, coordinators, title, body)

    # -------------------------------------------------------------- what is written

    def _write_warnings(self, plan: _Plan) -> set[tuple[int, str]]:
        """A row per rung. `recipients` counts who is told by this rung; rungs that were overtaken tell nobody."""
        rows = [
            (
                reached.row.id,
                step.code,
                reached.row.due_at,
                len(reached.own) + len(reached.coordinators) if step is reached.step else 0,
            )
            for reached in plan.reached
            for step, _ in reached.fired
        ]
        return set(
            insert_missing(
                OverdueWarning,
                columns=("task_id", "step", "due_at", "recipients"),
                rows=rows,
                constants={"fired_at": self.at},
                returning=("task_id", "step"),
            )
        )

    def _messages(self, told: list[_Reached]) -> list[Message]:
        digested = self._digested(told)
        messages = []
        for reached in told:
            step, task_id = reached.step, reached.row.id
            quiet = reached.coordinators & digested.get(step.code, frozenset())
            messages.append(
                Message(
                    key=f"warn:{task_id}:{step.code}:{_stamp(reached.row.due_at)}",
                    kind=f"warning.{step.code}",
                    level=_level(step),
                    title=reached.title,
                    body=reached.body,
                    url=f"/work/tasks/{task_id}/",
                    recipients=reached.own | (reached.coordinators - quiet),
                    quiet=quiet,
                )
            )
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
                    level=_level(first.step),
                    title=title,
                    body=body,
                    url=COORDINATION_URL,
                    recipients=frozenset({user_id}),
                )
            )
        return messages


def _level(step: Step) -> str:
    return "red" if is_late_step(step) else "amber"


@lru_cache(maxsize=4096)
def _stamp(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat()
