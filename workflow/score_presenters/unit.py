"""A year of a unit: the ranking of its offices and its sections, as far as somebody may see them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.grants import Scope
from assessments import operations as assessments
from assessments.queries import Missing, OfficeResult, UnitSummary, offices_ranking, unit_summary
from schemes.models import SchemeVersion
from scoring.points import format_points
from workflow.score_presenters.words import badge, points_words

# what assessments.queries.unit_summary says about an item without a scorecard
NOT_OPENED = gettext_lazy("尚未建立得分表")


@dataclass(frozen=True)
class Standing:
    """A line of the ranking."""

    result: OfficeResult
    url: str
    badge: dict[str, str]
    changed: bool
    tied: bool
    distance: Decimal | None

    @property
    def earned(self) -> str:
        return points_words(self.result.earned)

    @property
    def points(self) -> str:
        return points_words(self.result.max_points)

    @property
    def percent(self) -> str:
        return "—" if self.result.percent is None else f"{format_points(self.result.percent)}%"

    @property
    def place(self) -> str:
        if self.result.place is None:
            return "—"
        return _("并列第 {n}").format(n=self.result.place) if self.tied else str(self.result.place)

    @property
    def behind(self) -> str:
        return "" if self.distance is None else _("{n} 个百分点").format(n=format_points(self.distance))


def standings(results: Iterable[OfficeResult]) -> list[Standing]:
    """The ranking with ties and the distance to the place before; only what is signed has a place."""
    results = list(results)
    placed = [r for r in results if r.place is not None]
    found = []
    for result in results:
        better = [r.percent for r in placed if result.place is not None and r.percent > result.percent]
        found.append(
            Standing(
                result=result,
                url=reverse("workflow:scorecard", args=[result.card.pk]),
                badge=badge(result.card),
                changed=result.signed and not assessments.signature_stands(result.card),
                tied=sum(r.place == result.place for r in placed) > 1 if result.place else False,
                distance=min(better) - result.percent if better else None,
            )
        )
    return found


@dataclass(frozen=True)
class SectionLine:
    title: str
    max_points: Decimal
    earned: Decimal | None
    open: int

    @property
    def points_text(self) -> str:
        return points_words(self.max_points)

    @property
    def earned_text(self) -> str:
        return points_words(self.earned)


@dataclass(frozen=True)
class UnitView:
    """A year of a unit, as far as this person may see it. `whole`: all of it, with the ranking and the sections."""

    version: SchemeVersion
    rows: list[Standing]
    whole: bool
    summary: UnitSummary | None

    @property
    def points(self) -> str:
        return points_words(self.summary.points)

    @property
    def earned(self) -> str:
        return points_words(self.summary.earned)

    @property
    def sections(self) -> list[SectionLine]:
        return [
            SectionLine(
                f"{s.section.no}、{s.section.title}" if s.section.no else s.section.title, s.points, s.earned, s.missing
            )
            for s in self.summary.sections
        ]

    @property
    def missing(self) -> list[Missing]:
        return self.summary.missing

    @property
    def open(self) -> int:
        return sum(section.missing for section in self.summary.sections)

    @property
    def vetoes(self) -> list[dict[str, str]]:
        return [
            {"code": code, "quote": flag.quote, "effect": flag.effect or _("原文未写明后果")}
            for code, flag in self.summary.flags
            if flag.kind == "veto"
        ]

    @property
    def signed(self) -> int:
        return sum(row.result.signed for row in self.rows)

    @property
    def unsigned(self) -> bool:
        """Whether anything shown here is not signed, or no longer as it was signed."""
        return any(not row.result.signed or row.changed for row in self.rows)

    @property
    def unopened(self) -> bool:
        return self.summary is not None and any(item.reason == NOT_OPENED for item in self.missing)


def read_unit(version: SchemeVersion, scope: Scope) -> UnitView:
    """The year as this person may see it. Who does not see every office is told no place among them."""
    everything = offices_ranking(version)
    visible = [result for result in everything if result.card.office_id in scope.readable]
    judges = bool(scope.coordinate | scope.sign | scope.review)
    whole = judges and bool(everything) and len(visible) == len(everything)
    if not whole:
        visible = [replace(result, place=None) for result in visible]
    return UnitView(version, standings(visible), whole, unit_summary(version) if whole else None)
