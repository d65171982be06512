"""What a signature covers: one digest of everything a scorecard shows."""

import hashlib
import json
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Q

from assessments.models import Finding, Scorecard
from scoring.points import format_points


def shown(points: Decimal | None) -> str | None:
    return None if points is None else format_points(points)


def facts_of(finding: Finding) -> dict[str, Any]:
    """A finding as plain data: everything that was recorded."""
    day = finding.occurred_on
    return {
        "id": finding.pk,
        "indicator": finding.indicator_id,
        "clause": finding.clause_id,
        "rule": finding.rule_id,
        "task": finding.task_id,
        "evidence": finding.evidence_id,
        "occurred_on": day.isoformat() if isinstance(day, date) else day,
        "count": shown(finding.count),
        "value": shown(finding.value),
        "level": finding.level,
        "inputs": dict(finding.inputs),
        "holds": finding.holds,
        "points": shown(finding.points),
        "note": finding.note,
        "source": finding.source,
    }


def findings_shown(scorecard: Scorecard):
    """The standing findings behind a scorecard: its own, and those of others about what it shares with them."""
    shared = scorecard.entries.filter(shared=True).values("indicator_id")
    return Finding.objects.filter(
        Q(scorecard=scorecard) | Q(scorecard__version_id=scorecard.version_id, indicator_id__in=shared),
        voided_at=None,
    ).order_by("id")


def content_of(scorecard: Scorecard) -> dict[str, Any]:
    """Everything a scorecard shows, as plain data."""
    entries = scorecard.entries.select_related("indicator", "clause").order_by(
        "indicator__section__position", "indicator__position", "clause__position", "id"
    )
    return {
        "office": {"id": scorecard.office_id, "name": scorecard.office.name},
        "version": scorecard.version.digest,
        "max_points": shown(scorecard.max_points),
        "earned": shown(scorecard.earned),
        "unresolved": scorecard.unresolved,
        "entries": [
            {
                "code": entry.indicator.code,
                "clause": None if entry.clause is None else entry.clause.position,
                "shared": entry.shared,
                "points": shown(entry.max_points),
                "earned": shown(entry.earned),
                "state": entry.state,
                "breakdown": entry.breakdown,
                "rules": entry.rule_digest,
                "engine": entry.engine_version,
            }
            for entry in entries
        ],
        "findings": [facts_of(finding) for finding in findings_shown(scorecard)],
    }


def digest_of(scorecard: Scorecard) -> str:
    """SHA-256 of the canonical JSON of what the database holds for this scorecard now."""
    fresh = Scorecard.objects.select_related("office", "version").get(pk=scorecard.pk)
    text = json.dumps(content_of(fresh), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
