"""Notices for tests: the real one of the library with its source text, and a small one to be spoilt."""

import functools
from pathlib import Path

from schemes.document import Document
from schemes.importers import read_document

ROOT = Path(__file__).resolve().parent.parent
JIAXING = ROOT / "schemes" / "library" / "jiaxing-2017.yaml"
SOURCE = ROOT / "tests" / "data" / "jiaxing-2017.txt"


def read(text: str) -> Document:
    """The document of a text that has nothing wrong with it."""
    document, problems = read_document(text.encode())
    assert document is not None, "\n".join(map(str, problems))
    return document


@functools.cache
def jiaxing() -> Document:
    return read(JIAXING.read_text())


@functools.cache
def source_lines() -> tuple[str, ...]:
    """The lines of the notice as published; line n is [n - 1]."""
    return tuple(SOURCE.read_text().split("\n"))


SMALL = """\
format: 1
key: small
title: 2020年度甲局考核责任分解
year: 2020
issuer: 甲局
issued_on: "2020-03-01"
points: "10"
reporting_cycle: {kind: quarterly, reading: 按季度报送}
offices:
  - {name: 一处}
  - {name: 二处}
  - {name: 三处}
groups:
  - {name: 各处, members: [二处, 三处], doubt: D1}
settings: {head_confirmation: true}
sections:
  - no: 一
    title: 业务
    points: "10"
    line: 1
    rows:
      - path: [甲, 乙]
        line: 2
        points: "4"
        offices:
          - {name: 一处, role: responsible, clauses: [1]}
          - {name: 二处, role: responsible, clauses: [2]}
        clauses:
          - no: 1
            line: 3
            text: 1.每月5日前报送甲,每少一次扣0.1分(3)
            points: "3"
            deadlines:
              - {quote: 每月5日前报送甲, kind: monthly, day: 5}
            rules:
              - {id: r1, quote: 每少一次扣0.1分, kind: deduct_per_event, amount: "0.1", unit: 次}
          - no: 2
            line: 4
            text: 2.做好乙(1)
            points: "1"
      - path: [丙]
        line: 5
        points: "6"
        offices:
          - {name: 各处, role: provide}
          - {name: 一处, role: collect}
        clauses:
          - no: null
            line: 6
            text: 年底前完成丙。
            points: null
            deadlines:
              - {quote: 年底前, kind: year_end}
bonus: null
doubts:
  - {id: D1, kind: undefined_term, question: 各处是哪些, reading: 二处和三处}
"""


def spoilt(*changes: tuple[str, str]) -> bytes:
    """The small notice with some of its words replaced; each has to stand in it exactly once."""
    text = SMALL
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the small notice"
        text = text.replace(old, new)
    return text.encode()
