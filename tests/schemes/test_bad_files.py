"""Every error of a scheme file is reported at once, each with its line, its place and what would be accepted."""

import copy
import time

import pytest

from schemes.importers import read_document
from schemes.importers.check import check
from schemes.importers.yaml_file import Source, read_yaml
from tests.notices import SMALL, read, spoilt

ROW = "sections[0].rows[0]"


def problems(raw):
    document, found = read_document(raw)
    assert (document is None) == bool(found)
    return found


def only(raw):
    found = problems(raw)
    assert len(found) == 1, "\n".join(map(str, found))
    return found[0]


def test_the_small_notice_has_nothing_wrong():
    document = read(SMALL)
    assert document.offices == ("一处", "二处", "三处")
    assert document.rows[0].clauses[0].no == 1  # the bare word no is not YAML's False


@pytest.mark.parametrize("points", ["0.5", ".nan", "3", "1e3", "true"])
def test_points_have_to_be_quoted(points):
    problem = only(spoilt(('points: "3"', f"points: {points}")))
    assert problem.path == f"{ROW}.clauses[0].points"
    assert "带引号的小数" in problem.message
    assert SMALL.split("\n")[problem.line - 1].strip() == 'points: "3"'


@pytest.mark.parametrize("points", ["二分", "NaN", "-1", "1,5", "0.5", "1e3", " 3", "0.1234567", "9999999"])
def test_points_have_to_be_decimal(points):
    found = problems(spoilt(('points: "3"', f'points: "{points}"')))
    assert {problem.path for problem in found} <= {f"{ROW}.clauses[0].points", f"{ROW}.points"}
    assert found


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        (("    title: 业务\n", ""), "sections[0].title", "缺少"),
        (("    title: 业务\n", "    titel: 业务\n"), "sections[0].titel", "没有“titel”这一项"),
        (("format: 1", "format: 2"), "format", "只认 format: 1"),
        (("key: small", "key: 小"), "key", "小写字母"),
        (("year: 2020\n", 'year: "2020"\n'), "year", "整数"),
        (('issued_on: "2020-03-01"', 'issued_on: "2020-02-30"'), "issued_on", "不是日期"),
        (("name: 一处, role: responsible", "name: 四处, role: responsible"), f"{ROW}.offices[0].name", "四处"),
        (("role: responsible, clauses: [1]", "role: lead, clauses: [1]"), f"{ROW}.offices[0].role", "responsible、"),
        (("clauses: [1]", "clauses: [1, 7]"), f"{ROW}.offices[0].clauses[1]", "没有第7条"),
        (("clauses: [1]", "clauses: [1, 1]"), f"{ROW}.offices[0].clauses", "两次"),
        (("clauses: [2]", "clauses: [1]"), f"{ROW}.offices", "第2条没有责任"),
        (("          - no: 2\n", "          - no: 1\n"), f"{ROW}.clauses[1].no", "出现两次"),
        (("          - no: 2\n", "          - no: 3\n"), f"{ROW}.clauses", "不连续"),
        (("quote: 每月5日前报送甲", "quote: 每月5日前报送乙"), f"{ROW}.clauses[0].deadlines[0].quote", "不在原文"),
        (("quote: 每少一次扣0.1分", "quote: 每少一次扣0.2分"), f"{ROW}.clauses[0].rules[0].quote", "不在原文"),
        (("kind: monthly, day: 5", "kind: monthly, day: 32"), f"{ROW}.clauses[0].deadlines[0].day", "1 到 31"),
        (("kind: monthly, day: 5", "kind: montly, day: 5"), f"{ROW}.clauses[0].deadlines[0].kind", "monthly"),
        (('amount: "0.1"', "amount: 0.1"), f"{ROW}.clauses[0].rules[0].amount", "带引号"),
        (("kind: deduct_per_event", "kind: deduct"), f"{ROW}.clauses[0].rules[0].kind", "deduct_per_event"),
        (("kind: year_end}", "kind: year_end, doubt: D9}"), "sections[0].rows[1].clauses[0].deadlines[0].doubt", "D9"),
        (("members: [二处, 三处]", "members: [二处, 五处]"), "groups[0].members[1]", "五处"),
        (("{id: D1, kind: undefined_term", "{id: D1, where: 9.01, kind: undefined_term"), "doubts[0].where", "加引号"),
        (("{id: D1, kind: undefined_term", '{id: D1, where: "9.01", kind: undefined_term'), "doubts[0].where", "9.01"),
        (
            ("settings: {head_confirmation: true}", "settings: {head_confirmation: 是}"),
            "settings.head_confirmation",
            "true",
        ),
        (("{kind: quarterly, reading", "{kind: vague, reading"), "reporting_cycle.kind", "申报周期"),
        (
            ('    points: "10"\n    line: 1', '    points: "9"\n    line: 1'),
            "sections[0].points",
            "合计10分,与所载9分不符",
        ),
        (('        points: "4"', '        points: "5"'), f"{ROW}.points", "合计4分,与所载5分不符"),
        (("issuer: 甲局\n", "issuer: 甲局\nissuer: 乙局\n"), "issuer", "写了两次"),
    ],
)
def test_each_error_names_its_place(change, path, words):
    found = problems(spoilt(change))
    match = [problem for problem in found if problem.path == path and words in problem.message]
    assert match, "\n".join(map(str, found))
    assert match[0].line
    assert str(match[0]).startswith(f"第{match[0].line}行 {path}: ")


def test_all_errors_at_once_in_the_order_of_the_file():
    found = problems(
        spoilt(
            ("key: small", "key: Small"),
            ('points: "3"', 'points: "三"'),
            ("kind: monthly, day: 5", "kind: monthly"),
            ("kind: deduct_per_event", "kind: unknown"),
            ("name: 一处, role: collect", "name: 无处, role: collect"),
        )
    )
    assert {problem.path for problem in found} >= {
        "key",
        f"{ROW}.clauses[0].points",
        f"{ROW}.clauses[0].deadlines[0].day",
        f"{ROW}.clauses[0].rules[0].kind",
        "sections[0].rows[1].offices[1].name",
    }
    assert [problem.line for problem in found] == sorted(problem.line for problem in found)


def test_repeated_rule_ids_and_doubts():
    rule = '{id: r1, quote: 每少一次扣0.1分, kind: deduct_per_event, amount: "0.1", unit: 次}'
    twice = spoilt((f"              - {rule}\n", f"              - {rule}\n              - {rule}\n"))
    assert "重复" in only(twice).message
    elsewhere = SMALL.replace(
        "            text: 2.做好乙(1)\n",
        f"            text: 2.做好乙,每少一次扣0.1分(1)\n            rules:\n              - {rule}\n",
    ).encode()
    assert "全文件中不得重复" in only(elsewhere).message
    doubt = "  - {id: D1, kind: undefined_term, question: 各处是哪些, reading: 二处和三处}\n"
    assert "存疑编号" in only((SMALL + doubt).encode()).message


def places(data, path=()):
    """Every path below the top of plain data."""
    inside = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in inside:
        yield (*path, key)
        yield from places(value, (*path, key))


STRANGE = (
    None,
    0,
    -1,
    1.5,
    True,
    "",
    "x",
    "0.5",
    [],
    {},
    [None],
    [[]],
    [{}],
    {"a": 1},
    ["x"],
    {"kind": "x"},
    "一" * 300,
)


def test_no_value_at_any_place_breaks_the_check():
    """Whatever stands anywhere, the answer is a document or problems with places, never a crash."""
    source = read_yaml(WITH_BONUS.encode())
    assert check(source)[1] == []
    for path in list(places(source.data)):
        for strange in STRANGE:
            data = copy.deepcopy(source.data)
            target = data
            for key in path[:-1]:
                target = target[key]
            target[path[-1]] = strange
            document, found = check(Source(data, source.lines))
            assert (document is None) == bool(found), (path, strange)
            if document is not None:
                assert document.digest


WITH_BONUS = SMALL.replace(
    "bonus: null",
    """\
bonus:
  cap: "0.5"
  window: {from: "01-01", to: "12-31", doubt: D1}
  offices: [{name: 各处, role: provide}]
  notes: [{line: 9, text: 只取最高1项}]
  rules: [{id: b0, quote: 只取最高1项, kind: highest_only, group: 奖}]
  rows:
    - path: [奖]
      line: 8
      text: 获奖。
      rules: [{id: b1, quote: 获奖, kind: bonus_by_level, single: "0.1", composite: "0.2"}]""",
)


# --- totals


def declared(where, stated, total, text=SMALL):
    entry = f'differences:\n  - {{where: {where}, stated: "{stated}", sum: "{total}", reason: 原文如此}}\n'
    return text.replace("reporting_cycle:", entry + "reporting_cycle:").encode()


@pytest.mark.parametrize(
    ("where", "old", "new", "stated", "total"),
    [
        ("total", '\npoints: "10"', '\npoints: "11"', "11", "10"),
        ("row 1.01", '            points: "3"', '            points: "2.5"', "4", "3.5"),
    ],
)
def test_a_declared_difference_is_accepted(where, old, new, stated, total):
    text = SMALL.replace(old, new)
    assert "不符" in problems(text.encode())[0].message
    assert problems(declared(where, stated, total, text)) == []
    assert "与实际不符" in only(declared(where, stated, "1", text)).message


def test_a_declared_difference_that_is_none_is_refused():
    assert only(declared("row 1.01", "4", "3")).path == "differences[0].where"


def test_figures_that_are_too_many_are_refused_although_one_is_missing():
    assert (
        "合计5分"
        in only(spoilt(('points: "3"', 'points: "5"'), ('            points: "1"', "            points: null"))).message
    )


def test_a_missing_number_can_be_declared():
    text = SMALL.replace("          - no: 2\n", "          - no: 3\n").replace("clauses: [2]", "clauses: [3]")
    assert "不连续" in only(text.encode()).message
    entry = "differences:\n  - {where: numbering 1.01, reason: 原文缺第2条}\n"
    assert problems(text.replace("reporting_cycle:", entry + "reporting_cycle:").encode()) == []


# --- files that are no YAML, or too much of it


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "文件是空的"),
        (b"- 1\n", "最外层须是键值对"),
        (b"a: [1\n", "不是有效的 YAML"),
        ("key: 甲".encode("gbk"), "UTF-8"),
        (b"a: 1\n--- \nb: 2\n", "一个文件只能有一份"),
        (b"a: \x07\n", "控制字符"),
        (b"a: *b\n", "没有可用的定义"),
        (b"a: &a [*a]\n", "没有可用的定义"),
        (b"[" * 100_000, "嵌套过深"),
        (b"x" * 5_000_001, "文件过大"),
    ],
)
def test_unreadable_files(raw, words):
    found = problems(raw)
    assert any(words in problem.message for problem in found), found


def test_tags_build_nothing():
    found = problems(spoilt(("title: 2020年度甲局考核责任分解", "title: !!python/object/apply:os.getcwd []")))
    assert any("不接受标签" in problem.message for problem in found)


def test_aliases_cannot_explode():
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
    began = time.perf_counter()
    assert any("展开后过大" in problem.message for problem in problems(bomb.encode()))
    assert time.perf_counter() - began < 2


def test_escaped_control_characters_and_surrogates():
    for text in (r'"a\0b"', r'"a\uD800b"'):
        found = problems(spoilt(("title: 2020年度甲局考核责任分解", f"title: {text}")))
        assert found


def test_words_that_yaml_would_bend_stay_words():
    document = read(SMALL.replace("title: 业务", "title: yes").replace("path: [丙]", "path: [off]"))
    assert (document.sections[0].title, document.rows[1].path) == ("yes", ("off",))
