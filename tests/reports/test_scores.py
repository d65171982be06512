"""The score table on paper and as a workbook holds the figures of the page."""

import io
from datetime import date
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse
from openpyxl import load_workbook

from assessments.models import Scorecard, SignOff
from assessments.operations import digest_of, judge_full
from scoring.points import format_points
from tests.assessments.conftest import AT, Year, jiaxing  # noqa: F401
from workflow import operations as workflow
from workflow.score_presenters import view_of

OFFICE, OTHER = "登记管理处", "监督协调处"


@pytest.fixture
def year(jiaxing) -> Year:  # noqa: F811
    workflow.open_scorecards(version=jiaxing.version, actor=jiaxing.actor("coordinator"), at=AT)
    rule = next(rule for rule in jiaxing.clause("1.14/4").rules.all() if "上报" in rule.quote)
    jiaxing.find(OFFICE, rule.code, count=1, note="=1+1 未按时上报", source="@SUM(A1) 通报")
    jiaxing.judge(OFFICE, "1.14/3", "0.15")
    return jiaxing


def get(year: Year, name: str, address: str, *args):
    client = Client()
    client.force_login(year.people[name], backend="django.contrib.auth.backends.ModelBackend")
    return client.get(reverse(f"reports:{address}", args=args))


def book_of(answer):
    return load_workbook(io.BytesIO(b"".join(answer.streaming_content)))


def rows_of(sheet) -> list[dict]:
    """The rows below the header, by its labels."""
    rows = [list(row) for row in sheet.iter_rows(values_only=True)]
    start = next(n for n, row in enumerate(rows) if "编号" in row or "名次" in row)
    return [dict(zip(rows[start], row, strict=True)) for row in rows[start + 1 :]]


def as_shown(value) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def sign(year: Year, office: str) -> Scorecard:
    card = year.card(office)
    done = {"actor": year.actor("reviewer"), "at": AT}
    year_rows = [entry.indicator for entry in card.entries.select_related("indicator")]
    judge_full(scorecard=card, token="full", source="年终检查", indicators=year_rows, **done)
    workflow.finish_scorecard(scorecard_id=card.pk, revision=year.card(office).revision, **done)
    card = year.card(office)
    workflow.sign_scorecard(
        scorecard_id=card.pk,
        actor=year.actor("leader"),
        at=AT,
        revision=card.revision,
        digest=digest_of(card),
        password_ok=True,
        opinion="同意",
    )
    return year.card(office)


@pytest.mark.parametrize("office", [OFFICE, "综合处", "机关党支部"])
def test_the_workbook_holds_the_figures_of_the_page(year, office):
    card = year.card(office)
    book = book_of(get(year, "reviewer", "scores_xlsx", card.pk))
    view = view_of(card)
    rows = rows_of(book["得分表"])
    lines = [row for row in rows if row["编号"]]
    assert [row["编号"] for row in lines] == [line.label for line in view.lines]
    for row, line in zip(lines, view.lines, strict=True):
        assert as_shown(row["分值"]) == line.max_points, line.label
        assert as_shown(row["得分"]) == line.earned, line.label
        assert row["内容"] == "\n".join(line.content)
        assert line.reason in row["为什么"]
    total = next(row for row in rows if row["项目"] == "合计")
    assert as_shown(total["分值"]) == card.max_points
    assert as_shown(total["得分"]) == card.earned
    subtotals = [as_shown(row["得分"]) for row in rows if row["项目"] == "小计"]
    assert subtotals == [section.earned for section in view.sections]


def test_numbers_are_numbers_and_text_is_text(year):
    book = book_of(get(year, "reviewer", "scores_xlsx", year.card(OFFICE).pk))
    figures = [row["得分"] for row in rows_of(book["得分表"]) if row["得分"] is not None]
    assert figures
    assert all(isinstance(value, int | float) for value in figures)
    facts = rows_of(book["明细"])
    late = next(row for row in facts if row["编号"] == "1.14/4")
    assert late["事实"] == "=1+1 未按时上报"
    assert late["依据"] == "@SUM(A1) 通报"
    assert late["记录的数值"] == "数量 1次"
    assert late["日期"].date() == date(2017, 11, 3)
    for sheet in book:
        assert not [cell.coordinate for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]


def test_the_workbook_says_why(year):
    rows = rows_of(book_of(get(year, "reviewer", "scores_xlsx", year.card(OFFICE).pk))["得分表"])
    why = next(row["为什么"] for row in rows if row["编号"] == "1.14/4")
    for words in ("从满分起计 0.2", "−0.05", "每次扣0.05分", "@SUM(A1) 通报", "reviewer甲"):
        assert words in why, words


def test_paper_holds_the_figures_of_the_page(year):
    card = year.card(OFFICE)
    text = get(year, "coordinator", "scores_print", card.pk).content.decode()
    view = view_of(card)
    for line in view.lines:
        assert f'<td class="num">{line.points}</td><td class="num">{line.earned_words}' in text, line.label
    assert f"<strong>{format_points(card.earned)}</strong>" in text
    assert 'data-stamp="未签批"' in text
    assert "（盖章）" in text
    assert "style=" not in text


def test_the_stamp_goes_with_the_signature_and_comes_back_with_a_change(year):
    card = sign(year, OFFICE)
    text = get(year, "leader", "scores_print", card.pk).content.decode()
    assert "data-stamp" not in text
    assert "已签批(leader甲" in text
    assert digest_of(card)[:8] in text
    answer = get(year, "leader", "scores_xlsx", card.pk)
    assert "%EF%BC%88%E6%9C%AA" not in answer["Content-Disposition"]
    SignOff.objects.update(digest="0" * 64)
    assert 'data-stamp="签批后有变动"' in get(year, "leader", "scores_print", card.pk).content.decode()


def test_the_unit_on_paper_and_as_a_workbook(year):
    sign(year, OFFICE)
    answer = get(year, "coordinator", "scores_print_unit", year.version.pk)
    unit, text = answer.context["unit"], answer.content.decode()
    assert 'data-stamp="未签批"' in text
    book = book_of(get(year, "coordinator", "scores_xlsx_unit", year.version.pk))
    assert book.sheetnames == ["汇总", "综合处", "监督协调处", "登记管理处", "机关党支部", "明细"]
    rows = rows_of(book["汇总"])
    for row, standing in zip(rows, unit.rows, strict=False):
        assert row["处室"] == str(standing.result.office)
        assert as_shown(row["得分"]) == standing.result.earned
        assert f'<td class="num">{standing.earned}</td>' in text
    total = next(row for row in rows if row["处室"] == "合计")
    assert as_shown(total["得分"]) == unit.summary.earned
    assert as_shown(total["分值"]) == 100


@pytest.mark.parametrize("address", ["scores_print", "scores_xlsx"])
@pytest.mark.parametrize(
    ("name", "status"),
    [(f"clerk:{OFFICE}", 200), ("leader", 200), (f"clerk:{OTHER}", 404), ("administrator", 404), ("auditor", 404)],
)
def test_who_gets_a_score_table(year, address, name, status):
    assert get(year, name, address, year.card(OFFICE).pk).status_code == status


@pytest.mark.parametrize("address", ["scores_print_unit", "scores_xlsx_unit"])
@pytest.mark.parametrize(
    ("name", "status"), [("reviewer", 200), ("leader", 200), (f"clerk:{OFFICE}", 404), ("auditor", 404)]
)
def test_who_gets_the_unit(year, address, name, status):
    assert get(year, name, address, year.version.pk).status_code == status
