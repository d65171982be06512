"""What an office filed for a task, attempt by attempt, with the decisions."""

from dataclasses import dataclass

from assessments.models import Review
from tasks.models import Submission, Task


@dataclass
class Attempts:
    """Everything filed for a task: the open draft (for the office only), what was submitted, and the decisions."""

    draft: Submission | None
    submitted: list[Submission]
    reviews: dict[int, list[Review]]

    @property
    def last(self) -> Submission | None:
        return self.submitted[-1] if self.submitted else None

    @property
    def returned(self) -> Review | None:
        """The decision that sent the last submission back."""
        decisions = self.reviews.get(self.last.pk, []) if self.last else []
        return next((r for r in reversed(decisions) if r.outcome == Review.Outcome.RETURNED), None)


def attempts_of(task: Task) -> Attempts:
    """What was filed for a task and decided about it, in a constant number of queries."""
    rows = list(
        task.submissions.select_related("submitted_by", "confirmed_by", "saved_by")
        .prefetch_related("evidence__blob")
        .order_by("number")
    )
    reviews: dict[int, list[Review]] = {}
    if any(row.submitted_at for row in rows):
        for review in Review.objects.filter(submission__in=rows).select_related("reviewer").order_by("id"):
            reviews.setdefault(review.submission_id, []).append(review)
    return Attempts(
        draft=next((row for row in rows if row.submitted_at is None), None),
        submitted=[row for row in rows if row.submitted_at is not None],
        reviews=reviews,
    )
