"""Whether what is stored is what the findings say."""

from dataclasses import dataclass

from assessments.digest import shown
from assessments.models import Finding, Scorecard, ScoreEntry
from assessments.operations.recompute import COMPUTED, computed, totals_of
from assessments.rows import Row, load_rows
from schemes.models import SchemeVersion
from scoring.facts import FactError
from scoring.rules import RuleError


@dataclass(frozen=True)
class Difference:
    """Where what is stored is not what the findings say."""

    office: str
    where: str  # 1.13/4, or 合计
    field: str
    stored: str | None
    computed: str | None

    def __str__(self) -> str:
        return f"{self.office} {self.where} {self.field}:存为{self.stored},应为{self.computed}"


def verify_scores(version: SchemeVersion) -> list[Difference]:
    """Compute every scorecard again from its findings and compare it with what is stored. Empty: all agrees."""
    cards = {card.office_id: card for card in Scorecard.objects.filter(version=version).select_related("office")}
    if not cards:
        return []
    entries: dict[tuple[int, int, int | None], ScoreEntry] = {}
    by_card: dict[int, list[ScoreEntry]] = {}
    for entry in ScoreEntry.objects.filter(scorecard__version=version).select_related("indicator").order_by("id"):
        entries[entry.scorecard_id, entry.indicator_id, entry.clause_id] = entry
        by_card.setdefault(entry.scorecard_id, []).append(entry)
    findings: dict[int, list[Finding]] = {}
    for finding in Finding.objects.filter(scorecard__version=version, voided_at=None).order_by("id"):
        findings.setdefault(finding.indicator_id, []).append(finding)
    differences: list[Difference] = []
    for row in load_rows(version):
        differences += _verify_row(row, findings.get(row.indicator.pk, []), cards, entries)
    for (card_id, _indicator, _clause), entry in entries.items():
        office = next(str(card.office) for card in cards.values() if card.pk == card_id)
        differences.append(Difference(office, entry.indicator.code, "entry", "有", None))
    for card in cards.values():
        points, earned, unresolved = totals_of(by_card.get(card.pk, []))
        differences += _compare(str(card.office), "合计", "max_points", shown(card.max_points), shown(points))
        differences += _compare(str(card.office), "合计", "earned", shown(card.earned), shown(earned))
        differences += _compare(str(card.office), "合计", "unresolved", str(card.unresolved), str(unresolved))
    return differences


def _verify_row(
    row: Row,
    findings: list[Finding],
    cards: dict[int, Scorecard],
    entries: dict[tuple[int, int, int | None], ScoreEntry],
) -> list[Difference]:
    """Compare one row's entries; those that were expected are taken out of `entries`."""
    try:
        results = row.results(findings) if row.slots() else {}
    except (FactError, RuleError) as error:
        results, problem = {}, str(error)
    differences = []
    for slot in row.slots():
        for card in (cards[pk] for pk in slot.offices if pk in cards):
            office, label = str(card.office), row.label(slot.clause)
            entry = entries.pop((card.pk, row.indicator.pk, slot.clause_id), None)
            if entry is None:
                differences.append(Difference(office, label, "entry", None, "有"))
                continue
            if slot.clause_id not in results:
                differences.append(Difference(office, label, "findings", "无法计分", problem))
                continue
            fresh = computed(results[slot.clause_id])
            differences += _compare(office, label, "max_points", shown(entry.max_points), shown(slot.max_points))
            differences += _compare(office, label, "shared", str(entry.shared), str(slot.shared))
            for name in COMPUTED:
                stored, now = getattr(entry, name), fresh[name]
                if name == "earned":
                    stored, now = shown(stored), shown(now)
                elif name == "breakdown":
                    stored, now = ("一致", "一致") if stored == now else ("明细", "另一明细")
                differences += _compare(office, label, name, stored, now)
    return differences


def _compare(office: str, where: str, name: str, stored: str | None, now: str | None) -> list[Difference]:
    return [] if stored == now else [Difference(office, where, name, stored, now)]
