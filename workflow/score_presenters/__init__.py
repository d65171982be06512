"""A scorecard as it is shown: sections, rows, lines, and why each figure is what it is.

The screen, the paper and the spreadsheet are made from this one layout, so that they cannot differ.
"""

from workflow.score_presenters.card import view_of
from workflow.score_presenters.layout import CardView, FindingView, LineView
from workflow.score_presenters.unit import UnitView, read_unit
from workflow.score_presenters.words import grouped_digest, short_digest

__all__ = [
    "CardView",
    "FindingView",
    "LineView",
    "UnitView",
    "grouped_digest",
    "read_unit",
    "short_digest",
    "view_of",
]
