"""Judging what was filed: decisions on submissions, findings and what they cost, scorecards and signatures.

Every write: check → change → audit → notify, in one transaction. Keyword-only, the actor and the instant are arguments.
"""

from assessments.digest import digest_of
from assessments.operations.cards import finish, open_scorecards, reopen, send_back, sign_off, signature_stands
from assessments.operations.decisions import confirm, review
from assessments.operations.findings import Preview, judge_full, preview_finding, record_finding, void_finding
from assessments.operations.recompute import recompute

__all__ = [
    "Preview",
    "confirm",
    "digest_of",
    "finish",
    "judge_full",
    "open_scorecards",
    "preview_finding",
    "recompute",
    "record_finding",
    "reopen",
    "review",
    "send_back",
    "sign_off",
    "signature_stands",
    "void_finding",
]
