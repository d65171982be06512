"""Issuing a notice: what it would give to whom (preview), the tasks (issue), and an extra matter (临时交办)."""

from tasks.issuing.extra import assign_extra
from tasks.issuing.making import IssueResult, issue
from tasks.issuing.previewing import Preview, PreviewWarning, preview
from tasks.planning import plan

__all__ = ["IssueResult", "Preview", "PreviewWarning", "assign_extra", "issue", "plan", "preview"]
