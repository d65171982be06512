"""Reading scorecards, results and reviews. Whoever looks is handed in as a scope: a foreign scorecard is not there."""

from assessments.digest import digest_of
from assessments.queries.attempts import Attempts, attempts_of
from assessments.queries.cards import (
    findings_of,
    get_card,
    get_finding,
    linkable,
    reviews_of,
    scorecard_for,
    scorecards_of,
    signature_of,
    signatures_of,
    to_score,
    to_sign,
    versions_for,
)
from assessments.queries.page import ClauseView, RowView, SectionView, entries_of
from assessments.queries.unit import Missing, OfficeResult, SectionSum, UnitSummary, offices_ranking, unit_summary
from assessments.queries.verify import Difference, verify_scores

__all__ = [
    "Attempts",
    "ClauseView",
    "Difference",
    "Missing",
    "OfficeResult",
    "RowView",
    "SectionSum",
    "SectionView",
    "UnitSummary",
    "attempts_of",
    "digest_of",
    "entries_of",
    "findings_of",
    "get_card",
    "get_finding",
    "linkable",
    "offices_ranking",
    "reviews_of",
    "scorecard_for",
    "scorecards_of",
    "signature_of",
    "signatures_of",
    "to_score",
    "to_sign",
    "unit_summary",
    "verify_scores",
    "versions_for",
]
