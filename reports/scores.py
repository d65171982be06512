"""The score table on paper and as a workbook: the layout of the screen, in other clothes."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.grants import Scope
from assessments.digest import digest_of
from assessments.models import Scorecard, SignOff
from assessments.queries import scorecards_of, signature_of
from reports.xlsx import Book, Column, Sheet
from scoring.points import format_points
from workflow.score_presenters import (
    CardView,
    FindingView,
    LineView,
    UnitView,
    grouped_digest,
    short_digest,
    view_of,
)

WHY_WIDTH = 60


@dataclass(frozen=True)
class Sheetful:
    """A scorecard ready to be printed: what it shows, and whether a signature covers exactly that."""

    card: Scorecard
    view: CardView
    signature: SignOff | None
    digest: str

    @property
    def stands(self) -> bool:
        return self.signature is not None and self.signature.digest == self.digest

    @property
    def draft(self) -> str:
        """The word of the stamp; nothing where the signature stands."""
        if self.stands:
            return ""
        return _("签批后有变动") if self.signature else _("未签批")

    @property
    def state_words(self) -> str:
        if self.stands:
            at = timezone.localtime(self.signature.at)
            return _("已签批({who} {at})").format(who=self.signature.signer, at=f"{at:%Y-%m-%d %H:%M}")
        return _("{state}({draft})").format(state=self.card.get_state_display(), draft=self.draft)

    @property
    def title(self) -> str:
        return _("{office}{year}年度得分表").format(office=self.card.office, year=self.card.version.year)

    @property
    def digest_words(self) -> str:
        return grouped_digest(self.digest)

    @property
    def seals(self) -> list[dict[str, str]]:
        card, seals = self.card, [{"role": _("被考核处室"), "name": str(self.card.office), "date": ""}]
        scorer = {"role": _("评分人"), "name": str(card.finished_by or ""), "date": ""}
        if card.finished_at:
            scorer["date"] = f"{timezone.localtime(card.finished_at):%Y-%m-%d}"
        signer = {"role": _("分管领导"), "name": "", "date": ""}
        if self.stands:
            signer |= {
                "name": str(self.signature.signer),
                "date": f"{timezone.localtime(self.signature.at):%Y-%m-%d}",
            }
        return [*seals, scorer, signer]


def sheetful(card: Scorecard) -> Sheetful:
    # the digest first: what changes meanwhile takes the signature away, it never slips under it
    digest = digest_of(card)
    signature = signature_of(card) if card.state == Scorecard.State.SIGNED else None
    return Sheetful(card, view_of(card), signature, digest)


def exact(points: Decimal | None) -> Decimal | None:
    """The figure with as many places as it has."""
    return None if points is None else Decimal(format_points(points))


# ------------------------------------------------------------------ the workbook


def card_workbook(paper: Sheetful) -> bytes:
    book = Book(paper.title)
    _card_sheet(book, paper, _("得分表"))
    _findings_sheet(book, [paper], _("明细"))
    return book.content()


def unit_workbook(unit: UnitView, papers: list[Sheetful]) -> bytes:
    """The ranking and the sections, each office's table, and every finding."""
    title = _("{year}年度得分汇总").format(year=unit.version.year)
    book = Book(title)
    _unit_sheet(book, unit, title)
    for paper in papers:
        _card_sheet(book, paper, str(paper.card.office))
    _findings_sheet(book, papers, _("明细"))
    return book.content()


def line_state(line: LineView) -> str:
    words = [_("待定") if line.open else _("计入本项") if line.earned is None else _("已定")]
    if line.shared:
        words.append(_("共同承担,不计入处室合计"))
    if line.veto:
        words.append(_("一票否决:{effect}").format(effect=";".join(line.veto)))
    return ";".join(words)


def _head(sheet: Sheet, paper: Sheetful) -> None:
    words = _("{title}　分值 {points}　得分 {earned}　待定 {open} 条　{state}　内容指纹 {digest}").format(
        title=paper.card.version.title,
        points=paper.view.points,
        earned=paper.view.earned_words,
        open=paper.card.unresolved,
        state=paper.state_words,
        digest=short_digest(paper.digest),
    )
    sheet.banner(words, border=0)
    if paper.draft:
        sheet.banner(_("【{draft}】不是正式结果").format(draft=paper.draft), border=0, bold=True, font_color="#A3201E")


def _card_sheet(book: Book, paper: Sheetful, name: str) -> None:
    columns = [
        Column(_("部分"), 16),
        Column(_("编号"), 10),
        Column(_("项目"), 22),
        Column(_("内容"), 48),
        Column(_("分值"), 8, "right"),
        Column(_("得分"), 8, "right"),
        Column(_("状态"), 14),
        Column(_("为什么"), WHY_WIDTH),
    ]
    sheet = book.sheet(name, columns, title=paper.title)
    _head(sheet, paper)
    sheet.header()
    for section in paper.view.sections:
        for row in section.rows:
            for line in row.lines:
                sheet.line(
                    [
                        section.title,
                        line.label,
                        row.title,
                        "\n".join(line.content),
                        exact(line.max_points),
                        exact(line.earned),
                        line_state(line),
                        "\n".join(part for part in (line.reason, line.why_text) if part),
                    ]
                )
        sheet.line(
            [section.title, "", _("小计"), "", exact(section.max_points), exact(section.earned), "", ""], bold=True
        )
    card = paper.card
    sheet.line(["", "", _("合计"), "", exact(card.max_points), exact(card.earned), paper.state_words, ""], bold=True)


def _findings_sheet(book: Book, papers: Sequence[Sheetful], name: str) -> None:
    columns = [
        Column(_("处室"), 14),
        Column(_("编号"), 10),
        Column(_("日期"), 12),
        Column(_("规则(原文)"), 36),
        Column(_("记录的数值"), 26),
        Column(_("事实"), 36),
        Column(_("依据"), 36),
        Column(_("记录人"), 12),
        Column(_("记录时间"), 18),
        Column(_("状态"), 24),
    ]
    sheet = book.sheet(name, columns, title=_("考核事实"))
    sheet.header()
    for paper in papers:
        for item in paper.view.findings:
            if item.foreign and _listed_elsewhere(item, papers):
                continue
            finding = item.finding
            sheet.line(
                [
                    str(finding.scorecard.office),
                    item.label,
                    finding.occurred_on,
                    item.quote,
                    item.words,
                    finding.note,
                    _("、").join(part["label"] for part in item.evidence),
                    str(finding.recorded_by),
                    finding.recorded_at,
                    finding_state(item),
                ]
            )


def _listed_elsewhere(item: FindingView, papers: Sequence[Sheetful]) -> bool:
    """A fact about a shared row is on several tables; among several it is listed once, at its own."""
    return any(paper.card.pk == item.finding.scorecard_id for paper in papers)


def finding_state(item: FindingView) -> str:
    if item.voided:
        return _("已撤销:{why}").format(why=item.finding.void_reason)
    return _("已被后来的评定取代") if item.superseded else _("计分")


def _unit_sheet(book: Book, unit: UnitView, title: str) -> None:
    columns = [
        Column(_("名次"), 12),
        Column(_("处室"), 30),
        Column(_("得分"), 10, "right"),
        Column(_("分值"), 10, "right"),
        Column(_("得分率(%)"), 12, "right"),
        Column(_("距上一名(百分点)"), 18, "right"),
        Column(_("待定"), 8, "right"),
        Column(_("状态"), 24),
    ]
    sheet = book.sheet(_("汇总"), columns, landscape=False, title=title)
    sheet.banner(unit.version.title, border=0)
    if unit.unsigned:
        sheet.banner(_("【未签批】有得分表尚未签批,不是正式结果"), border=0, bold=True, font_color="#A3201E")
    sheet.header()
    for row in unit.rows:
        result = row.result
        place = result.place if result.place is not None and not row.tied else row.place
        state = result.card.get_state_display() + (_(";签批后有变动") if row.changed else "")
        sheet.line(
            [
                place,
                str(result.office),
                exact(result.earned),
                exact(result.max_points),
                exact(result.percent),
                exact(row.distance),
                result.unresolved,
                state,
            ]
        )
    sheet.banner(_("全单位各部分(每条只计一次,不含加分)"), bold=True)
    for line in unit.sections:
        sheet.line(["", line.title, exact(line.earned), exact(line.max_points), None, None, line.open, ""])
    sheet.line(
        ["", _("合计"), exact(unit.summary.earned), exact(unit.summary.points), None, None, unit.open, ""], bold=True
    )


def papers_of(unit: UnitView, scope: Scope) -> list[Sheetful]:
    return [sheetful(card) for card in scorecards_of(version=unit.version, scope=scope)]
