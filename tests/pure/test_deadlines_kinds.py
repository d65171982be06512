import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deadlines import kinds
from deadlines.kinds import KINDS, AfterEvent, CountInPeriod, DeadlineError, FixedDate, MonthEnd, Monthly

TABLE = {  # docs/scheme-format.md, "Deadlines", in its order
    "month_end": {"month": 9},
    "date": {"month": 11, "day": 20},
    "year_end": {},
    "monthly": {"day": 5},
    "monthly_next": {"day": 5},
    "quarterly": {"day": None},
    "half_yearly": {},
    "yearly": {},
    "count_in_period": {"count": 6, "period": "year", "unit": "次"},
    "after_event": {"amount": 30, "unit": "minutes", "event": "接到指令", "applies_to": "一级联动单位"},
    "immediate": {"limit_hours": 24},
    "continuous": {},
    "set_elsewhere": {},
    "by_plan": {},
    "measuring_period": {"period": "month"},
    "vague": {},
    "scope": {},
}

days = st.integers(1, 31)
# A small alphabet: the whole of Unicode takes a second to set up, and says nothing more here.
words = st.text("接警报送9 :#“”", min_size=1, max_size=10).filter(str.strip)
deadlines = st.one_of(
    st.builds(MonthEnd, month=st.integers(1, 12)),
    st.dates().map(lambda day: FixedDate(month=day.month, day=day.day)),
    st.builds(Monthly, day=days),
    st.builds(kinds.MonthlyNext, day=days),
    st.builds(kinds.Quarterly, day=st.none() | days),
    st.builds(
        CountInPeriod,
        count=st.integers(1, 99),
        period=st.none() | st.sampled_from(list(kinds.PERIOD_WORDS)),
        unit=st.none() | words,
    ),
    st.builds(
        AfterEvent,
        amount=st.integers(1, 999),
        unit=st.sampled_from(list(kinds.UNIT_WORDS)),
        event=words,
        applies_to=st.none() | words,
    ),
    st.builds(kinds.Immediate, limit_hours=st.none() | st.integers(1, 99)),
    st.builds(kinds.MeasuringPeriod, period=st.none() | words),
    st.sampled_from([KINDS[name]() for name, fields in TABLE.items() if not fields]),
)


def problems(data, *, path=""):
    with pytest.raises(DeadlineError) as refused:
        kinds.parse_deadline(data, path=path)
    return refused.value.problems


def test_kinds_are_those_of_the_table():
    assert list(KINDS) == list(TABLE)
    assert {name: {item.name for item in dataclasses.fields(cls)} for name, cls in KINDS.items()} == {
        name: set(fields) for name, fields in TABLE.items()
    }
    assert {name for name, cls in KINDS.items() if cls.fixed} == {"month_end", "date", "year_end"}
    assert {name for name, cls in KINDS.items() if cls.makes_tasks} == set(list(TABLE)[:8])


@pytest.mark.parametrize("kind", TABLE)
def test_words_of_the_row_are_left_to_the_row(kind):
    row = {"quote": "9月底实现", "doubt": "D01", "what": "报告", "line": 76, "id": 3, "reading": "按年"}
    found = kinds.parse_deadline({"kind": kind, **TABLE[kind], **row})
    assert type(found) is KINDS[kind]
    assert kinds.to_data(found) == {"kind": kind, **TABLE[kind]}


@given(deadline=deadlines)
def test_data_round_trips(deadline):
    assert kinds.parse_deadline(kinds.to_data(deadline)) == deadline


@given(deadline=deadlines)
def test_one_sentence_each(deadline):
    sentence = kinds.describe(deadline)
    assert sentence.endswith("。")
    assert "None" not in sentence


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"kind": "month_end", "month": 9}, "9月底"),
        ({"kind": "date", "month": 11, "day": 20}, "11月20日"),
        ({"kind": "date", "month": 2, "day": 29}, "平年为2月28日"),
        ({"kind": "year_end"}, "12月31日"),
        ({"kind": "monthly", "day": 5}, "每月5日前"),
        ({"kind": "monthly", "day": 31}, "没有31日的月份以当月最后一天为限"),
        ({"kind": "monthly_next", "day": 5}, "次年1月5日前"),
        ({"kind": "quarterly"}, "季度最后一天"),
        ({"kind": "quarterly", "day": 25}, "25日前"),
        ({"kind": "half_yearly"}, "6月30日、12月31日"),
        ({"kind": "count_in_period", "count": 6, "period": "year", "unit": "次"}, "全年不少于6次"),
        ({"kind": "count_in_period", "count": 2, "period": None}, "原文未写周期"),
        (
            {"kind": "after_event", "amount": 30, "unit": "minutes", "event": "接警", "applies_to": "一级联动单位"},
            "“接警”发生后30分钟内完成（适用于一级联动单位）",
        ),
        ({"kind": "after_event", "amount": 3, "unit": "workdays", "event": "交办"}, "3个工作日内"),
        ({"kind": "immediate", "limit_hours": 24}, "最迟不超过24小时"),
        ({"kind": "measuring_period", "period": "month"}, "每月"),
        ({"kind": "measuring_period", "period": "月平均"}, "月平均"),
    ],
    ids=lambda value: value if isinstance(value, str) else value["kind"],
)
def test_sentences(data, words):
    assert words in kinds.describe(kinds.parse_deadline(data))


@pytest.mark.parametrize(
    ("data", "path", "said"),
    [
        ({"kind": "month_end", "month": 13}, "month", ["月份", "1 到 12", "13"]),
        ({"kind": "month_end", "month": 0}, "month", ["1 到 12"]),
        ({"kind": "month_end", "month": "9"}, "month", ["不加引号", "文字 9"]),
        ({"kind": "month_end", "month": True}, "month", ["整数", "真假值"]),
        ({"kind": "month_end", "month": 9.0}, "month", ["整数", "小数 9.0"]),
        ({"kind": "month_end", "month": None}, "month", ["整数", "空值"]),
        ({"kind": "date", "month": 13, "day": 1}, "month", ["月份", "1 到 12"]),
        ({"kind": "date", "month": 1, "day": 32}, "day", ["日期", "1 到 31"]),
        ({"kind": "monthly", "day": 32}, "day", ["日期", "1 到 31", "32"]),
        ({"kind": "monthly"}, "day", ["缺少字段 day", "1 到 31"]),
        ({"kind": "monthly", "day": 5, "month": 3}, "month", ["不接受字段 month", "可用字段：day"]),
        ({"kind": "yearly", "day": 5}, "day", ["不接受字段 day", "可用字段：无"]),
        ({"kind": "date", "month": 9, "day": 31}, "day", ["9月没有31日", "1 到 30"]),
        ({"kind": "date", "month": 2, "day": 30}, "day", ["2月没有30日", "1 到 29"]),
        ({"kind": "quarterly", "day": 0}, "day", ["1 到 31", "null"]),
        ({"kind": "count_in_period", "count": 0}, "count", ["不小于 1"]),
        ({"kind": "count_in_period", "count": 1, "period": "week"}, "period", ["half_year（每半年）", "week"]),
        ({"kind": "after_event", "amount": 5, "unit": "分钟", "event": "接警"}, "unit", ["minutes（分钟）"]),
        ({"kind": "after_event", "amount": 5, "unit": "hours", "event": " "}, "event", ["非空文字"]),
        ({"kind": "monthy", "day": 5}, "kind", ["monthy", "是否为 monthly", *KINDS]),
        ({"kind": None}, "kind", ["空值", *KINDS]),
        ({"kind": ["monthly"]}, "kind", ["列表", *KINDS]),
        ({"day": 5}, "kind", ["缺少时限种类", *KINDS]),
        ("每月5日前", "", ["应为映射", "每月5日前"]),
        (None, "", ["应为映射", "空值"]),
    ],
    ids=str,
)
def test_what_is_wrong_is_said(data, path, said):
    [(where, message)] = problems(data)
    assert where == path
    assert [word for word in said if word not in message] == []


def test_all_problems_at_once_under_their_path():
    data = {"kind": "after_event", "amount": "5", "unit": "secs", "evnt": "接警", 7: 1}
    path = "sections[0].rows[2].clauses[1].deadlines[0]"
    found = problems(data, path=path)
    assert {where.removeprefix(path + ".") for where, _ in found} == {"amount", "unit", "event", "evnt", "7"}
    with pytest.raises(DeadlineError) as refused:
        kinds.parse_deadline(data, path=path)
    assert str(refused.value).count(path) == len(str(refused.value).splitlines()) == 5


@given(
    data=st.dictionaries(
        st.sampled_from(["kind", "month", "day", "count", "period", "amount", "unit", "quote", "other"]),
        st.none() | st.booleans() | st.integers() | words | st.sampled_from(list(KINDS)) | st.lists(st.none()),
    )
)
def test_any_input_is_read_or_refused_with_problems(data):
    problems = []
    try:
        found = kinds.parse_deadline(data)
    except DeadlineError as refused:
        found, problems = None, refused.problems
    assert problems if found is None else type(found) is KINDS[data["kind"]]


def test_no_wrong_deadline_can_be_built():
    with pytest.raises(DeadlineError, match="月份"):
        MonthEnd(month=13)
    with pytest.raises(DeadlineError, match="9月没有31日"):
        FixedDate(month=9, day=31)
    with pytest.raises(dataclasses.FrozenInstanceError):
        Monthly(day=5).day = 6


def test_the_room_is_pure():
    code = (
        "import sys, deadlines.kinds, deadlines.recurrence, deadlines.calendar, deadlines.ladder;"
        "sys.exit('django' in sys.modules)"
    )
    root = Path(kinds.__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=root).returncode == 0
