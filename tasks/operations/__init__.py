"""What an office does to its tasks, and what happens to them when somebody has decided.

Every write: check → change → audit → notify, in the caller's flow step and transaction. The decisions themselves
(confirm, review) are operations of assessments; the steps of the flow are in workflow.
"""

from tasks.operations.common import lock, url_of
from tasks.operations.deciding import approve, pass_to_review, return_to_office
from tasks.operations.drafting import accept, add_evidence, draft, remove_evidence, save_draft
from tasks.operations.filing import announce_review, submit

__all__ = [
    "accept",
    "add_evidence",
    "announce_review",
    "approve",
    "draft",
    "lock",
    "pass_to_review",
    "remove_evidence",
    "return_to_office",
    "save_draft",
    "submit",
    "url_of",
]
