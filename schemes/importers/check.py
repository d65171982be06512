"""From the plain data of a scheme file to a Document, collecting every problem with its place on the way.

The form of each level is here; whether the whole hangs together (totals, references, offices) is in closing.py.
"""

import contextlib
import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from deadlines.kinds import KINDS as DEADLINE_KINDS
from deadlines.kinds import DeadlineError, parse_deadline
from schemes.document import (
    ROLES,
    Clause,
    DeadlineEntry,
    Document,
    Doubt,
    Group,
    Responsibility,
    Row,
    RuleEntry,
    Section,
)
from schemes.importers import closing
from schemes.importers.problems import Problem
from schemes.importers.yaml_file import Source
from scoring.points import PointsError, parse_points
from scoring.rules import RuleError, parse_part, parse_rules

KEY = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
CODE = re.compile(r"[A-Za-z][A-Za-z0-9.-]*", re.ASCII)
SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
MONTH_DAY = re.compile(r"\d\d-\d\d", re.ASCII)
DOUBT_KINDS = (
    "lost_characters",
    "missing_amount",
    "missing_scope",
    "undefined_term",
    "tension",
    "ambiguous",
    "inherited_office",
    "missing_date",
)
SETTINGS = {"head_confirmation": "处室负责人确认"}
MAX_POINTS = Decimal(1_000_000)  # what the database column holds
MAX_LINE = 1_000_000

HEADER = ("format", "key", "title", "year", "issuer", "reporting_cycle", "offices", "sections")
HEADER_OPTIONAL = ("issued_on", "source", "points", "differences", "groups", "settings", "bonus", "doubts")


def _shown(value: object) -> str:
    if value is None:
        return "空值"
    if isinstance(value, Mapping | list):
        return "列表" if isinstance(value, list) else "键值对"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"“{text[:40]}…”" if len(text) > 40 else f"“{text}”"


def _mappings(value: object) -> list[Mapping[str, Any]]:
    """The items of a list, an empty mapping standing for what cannot be read (it was reported)."""
    if not isinstance(value, list):
        return []
    return [item if isinstance(item, Mapping) and isinstance(item.get("name", ""), str) else {} for item in value]


def join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


class Checker:
    """Reads values; what cannot be accepted becomes a problem and None."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Problem] = list(source.problems)

    def problem(self, path: str, message: str) -> None:
        self.problems.append(Problem(path, self.source.line_of(path), message))

    # --- values

    def mapping(
        self, value: object, path: str, *, required: tuple[str, ...], optional: tuple[str, ...] = ()
    ) -> Mapping[str, Any]:
        """The mapping (empty if it is none), with its unknown and missing keys reported."""
        if not isinstance(value, Mapping):
            self.problem(path, f"{_shown(value)}须是键值对,可用的键:{'、'.join((*required, *optional))}")
            return {}
        for key in value:
            if key not in required and key not in optional:
                self.problem(join(path, key), f"没有“{key}”这一项,可用:{'、'.join((*required, *optional))}")
        for key in required:
            if key not in value:
                self.problem(join(path, key), f"缺少“{key}”")
        return value

    def items(self, value: object, path: str, *, empty: bool = True) -> list[tuple[str, Any]]:
        """(path, item) of a list; null counts as empty."""
        if value is None and empty:
            return []
        if not isinstance(value, list) or (not value and not empty):
            self.problem(path, f"{_shown(value)}须是{'' if empty else '至少一项的'}列表")
            return []
        return [(f"{path}[{index}]", item) for index, item in enumerate(value)]

    def text(self, value: object, path: str, *, limit: int = 20_000) -> str:
        if isinstance(value, str) and value.strip():
            if len(value) > limit:
                self.problem(path, f"文字过长:{len(value)}字,最多{limit}字")
            return value
        hint = ",数字和日期须加引号" if isinstance(value, int | float) and not isinstance(value, bool) else ""
        self.problem(path, f"{_shown(value)}须是非空文字{hint}")
        return ""

    def points(self, value: object, path: str) -> Decimal | None:
        """Points: null (the text gives none) or a quoted decimal."""
        if value is None:
            return None
        if not isinstance(value, str):
            self.problem(path, f'{_shown(value)}须写成带引号的小数文字,例如 "0.5";原文没有的写 null')
            return None
        try:
            points = parse_points(value)
        except PointsError as error:
            self.problem(path, str(error))
            return None
        if points >= MAX_POINTS:
            self.problem(path, f"“{value}”过大,须小于{MAX_POINTS}")
            return None
        return points

    def number(self, value: object, path: str, *, low: int, high: int) -> int | None:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.problem(path, f"{_shown(value)}须是{low}到{high}之间的整数(不加引号)")
            return None
        return value

    def line(self, value: object, path: str) -> int | None:
        return self.number(value, path, low=1, high=MAX_LINE)

    def optional_line(self, value: object, path: str) -> int | None:
        return None if value is None else self.line(value, path)

    def flag(self, value: object, path: str) -> bool:
        if value is not None and not isinstance(value, bool):
            self.problem(path, f"{_shown(value)}须是 true 或 false")
        return value is True

    def choice(self, value: object, path: str, allowed: tuple[str, ...] | list[str]) -> str:
        if isinstance(value, str) and value in allowed:
            return value
        self.problem(path, f"{_shown(value)}不可用,可用:{'、'.join(allowed)}")
        return ""

    def matching(self, value: object, path: str, pattern: re.Pattern, expects: str, *, limit: int) -> str:
        if isinstance(value, str) and pattern.fullmatch(value) and len(value) <= limit:
            return value
        self.problem(path, f"{_shown(value)}不可用,须是{expects},最多{limit}个字符")
        return ""

    def day(self, value: object, path: str) -> date | None:
        if value is None:
            return None
        if isinstance(value, str) and len(value) == 10:
            with contextlib.suppress(ValueError):
                return date.fromisoformat(value)
        self.problem(path, f'{_shown(value)}不是日期,须写成 "2017-09-13"')
        return None

    def quoted(self, quote: object, path: str, *texts: str | None) -> None:
        """A quote has to stand in the text it belongs to, letter by letter."""
        if isinstance(quote, str) and quote and not any(quote in text for text in texts if text):
            self.problem(join(path, "quote"), f"引文{_shown(quote)}不在原文中,须逐字照录")

    # --- rules and times

    def rules(self, value: object, path: str, *texts: str | None) -> tuple[RuleEntry, ...]:
        """The rules that work on one pot; their quotes stand in one of `texts`."""
        found = self.items(value, path)
        try:
            parse_rules([item for _, item in found], path=path)
        except RuleError as error:
            for where, message in error.problems:
                self.problem(where, message)
        for where, item in found:
            if isinstance(item, Mapping):
                self.quoted(item.get("quote"), where, *texts)
                if isinstance(item.get("id"), str) and item["id"].strip():
                    self.matching(item["id"], join(where, "id"), CODE, "字母开头的编号", limit=40)
        # what cannot be read keeps its place, so that later problems name the right one
        return tuple(RuleEntry(item if isinstance(item, Mapping) else {}) for _, item in found)

    def deadlines(self, value: object, path: str, *texts: str | None) -> tuple[DeadlineEntry, ...]:
        found = []
        for where, item in self.items(value, path):
            self.deadline(item, where)
            if isinstance(item, Mapping):
                self.text(item.get("quote"), join(where, "quote"))
                self.quoted(item.get("quote"), where, *texts)
                if item.get("what") is not None:
                    self.text(item["what"], join(where, "what"), limit=200)
            found.append(DeadlineEntry(item if isinstance(item, Mapping) else {}))
        return tuple(found)

    def deadline(self, value: object, path: str) -> bool:
        try:
            parse_deadline(value, path=path)
        except DeadlineError as error:
            for where, message in error.problems:
                self.problem(where, message)
            return False
        return True

    # --- sections, rows, clauses

    def section(self, value: object, path: str, number: int) -> Section:
        data = self.mapping(value, path, required=("no", "title", "points", "line", "rows"))
        return Section(
            no=self.text(data.get("no"), join(path, "no"), limit=10) if data else "",
            title=self.text(data.get("title"), join(path, "title"), limit=200) if data else "",
            points=self.points(data.get("points"), join(path, "points")),
            line=(self.line(data["line"], join(path, "line")) if "line" in data else None) or 1,
            rows=tuple(
                self.row(item, where, f"{number}.{order:02}")
                for order, (where, item) in enumerate(self.items(data.get("rows"), join(path, "rows"), empty=False), 1)
            )
            if data
            else (),
        )

    def row(self, value: object, path: str, code: str) -> Row:
        data = self.mapping(
            value,
            path,
            required=("path", "line", "points", "offices", "clauses"),
            optional=("points_line", "preamble", "rules", "deadlines"),
        )
        preamble, preamble_line = self.preamble(data.get("preamble"), join(path, "preamble"))
        paragraphs = self.items(data.get("clauses"), join(path, "clauses"))
        clauses = tuple(self.clause(item, where) for where, item in paragraphs)
        texts = (preamble, *(clause.text for clause in clauses))
        return Row(
            code=code,
            path=tuple(
                self.text(item, where, limit=200)
                for where, item in self.items(data.get("path"), join(path, "path"), empty="path" not in data)
            ),
            line=(self.line(data["line"], join(path, "line")) if "line" in data else None) or 1,
            points=self.points(data.get("points"), join(path, "points")),
            points_line=self.optional_line(data.get("points_line"), join(path, "points_line")),
            preamble=preamble,
            preamble_line=preamble_line,
            rules=self.rules(data.get("rules"), join(path, "rules"), *texts),
            deadlines=self.deadlines(data.get("deadlines"), join(path, "deadlines"), *texts),
            offices=self.offices(data.get("offices"), join(path, "offices")),
            clauses=clauses,
        )

    def preamble(self, value: object, path: str) -> tuple[str | None, int | None]:
        if value is None:
            return None, None
        data = self.mapping(value, path, required=("line", "text"))
        line = self.line(data["line"], join(path, "line")) if "line" in data else None
        return (self.text(data["text"], join(path, "text")) if "text" in data else None), line

    def clause(self, value: object, path: str) -> Clause:
        data = self.mapping(
            value,
            path,
            required=("no", "line", "text", "points"),
            optional=("points_from", "parts", "measures", "unscored", "deadlines", "rules"),
        )
        text = self.text(data["text"], join(path, "text")) if "text" in data else ""
        points = self.points(data.get("points"), join(path, "points"))
        parts = self.parts(data.get("parts"), join(path, "parts"), text)
        if data.get("points_from") is not None:
            self.choice(data["points_from"], join(path, "points_from"), ("parts",))
            if not data.get("parts"):
                self.problem(join(path, "points_from"), "写了 points_from: parts,就须写出 parts")
        return Clause(
            no=None if data.get("no") is None else self.number(data["no"], join(path, "no"), low=1, high=9999),
            line=(self.line(data["line"], join(path, "line")) if "line" in data else None) or 1,
            text=text,
            points=points,
            parts=parts,
            measures=self.measures(data.get("measures"), join(path, "measures"), text),
            unscored=self.flag(data.get("unscored"), join(path, "unscored")),
            deadlines=self.deadlines(data.get("deadlines"), join(path, "deadlines"), text),
            rules=self.rules(data.get("rules"), join(path, "rules"), text),
        )

    def parts(self, value: object, path: str, text: str) -> tuple[Mapping[str, str], ...]:
        found, readable = [], True
        for where, item in self.items(value, path):
            try:
                parse_part(item, path=where)
            except RuleError as error:
                readable = False
                for place, message in error.problems:
                    self.problem(place, message)
                continue
            self.quoted(item["quote"], where, text)
            found.append(item)
        return tuple(found) if readable else ()

    def measures(self, value: object, path: str, text: str) -> tuple[Mapping[str, Any], ...]:
        found = []
        for where, item in self.items(value, path):
            data = self.mapping(item, where, required=("name", "target", "quote"), optional=("unit", "at_least"))
            if not data:
                continue
            for name in ("name", "quote"):
                if name in data:
                    self.text(data[name], join(where, name))
            if data.get("unit") is not None:
                self.text(data["unit"], join(where, "unit"), limit=20)
            self.points(data.get("target"), join(where, "target"))
            self.flag(data.get("at_least"), join(where, "at_least"))
            self.quoted(data.get("quote"), where, text)
            found.append(data)
        return tuple(found)

    def offices(self, value: object, path: str) -> tuple[Responsibility, ...]:
        found = []
        for where, item in self.items(value, path):
            data = self.mapping(item, where, required=("name", "role"), optional=("line", "clauses", "inherited"))
            clauses = None
            if data.get("clauses") is not None:
                numbers = self.items(data["clauses"], join(where, "clauses"), empty=False)
                clauses = tuple(no for at, no in numbers if self.number(no, at, low=1, high=9999) is not None)
            found.append(
                Responsibility(
                    name=self.text(data["name"], join(where, "name"), limit=120) if "name" in data else "",
                    role=self.choice(data["role"], join(where, "role"), ROLES) if "role" in data else "",
                    clauses=clauses,
                    inherited=self.flag(data.get("inherited"), join(where, "inherited")),
                    line=self.optional_line(data.get("line"), join(where, "line")),
                )
            )
        return tuple(found)

    # --- around the sections

    def source_of(self, value: object, path: str) -> tuple[str, str]:
        if value is None:
            return "", ""
        data = self.mapping(value, path, required=("file",), optional=("sha256",))
        name = self.text(data["file"], join(path, "file"), limit=200) if "file" in data else ""
        if data.get("sha256") is None:
            return name, ""
        return name, self.matching(data["sha256"], join(path, "sha256"), SHA256, "64位十六进制(小写)", limit=64)

    def differences(self, value: object, path: str) -> tuple[Mapping[str, str], ...]:
        found = []
        for where, item in self.items(value, path):
            data = self.mapping(item, where, required=("where", "reason"), optional=("stated", "sum"))
            words = {name: self.text(data[name], join(where, name)) for name in ("where", "reason") if name in data}
            for name in ("stated", "sum"):
                self.points(data.get(name), join(where, name))
            found.append({**data, **words})
        return tuple(found)

    def cycle(self, value: object, path: str) -> Mapping[str, Any]:
        if not self.deadline(value, path):
            return {"kind": "yearly", "reading": "?"}
        if not DEADLINE_KINDS[value["kind"]].makes_tasks or DEADLINE_KINDS[value["kind"]].fixed:
            usable = [name for name, kind in DEADLINE_KINDS.items() if kind.makes_tasks and not kind.fixed]
            self.problem(join(path, "kind"), f"“{value['kind']}”不能作申报周期,可用:{'、'.join(usable)}")
        self.text(value.get("reading"), join(path, "reading"), limit=500)
        return value

    def office_names(self, value: object, path: str) -> tuple[str, ...]:
        names = []
        for where, item in self.items(value, path, empty=False):
            data = self.mapping(item, where, required=("name",))
            if "name" in data:
                names.append(self.text(data["name"], join(where, "name"), limit=120))
        return tuple(names)

    def groups(self, value: object, path: str) -> tuple[Group, ...]:
        found = []
        for where, item in self.items(value, path):
            data = self.mapping(item, where, required=("name", "members"), optional=("doubt",))
            members = self.items(data.get("members"), join(where, "members"), empty="members" not in data)
            found.append(
                Group(
                    name=self.text(data["name"], join(where, "name"), limit=120) if "name" in data else "",
                    members=tuple(self.text(name, at, limit=120) for at, name in members),
                    doubt=data.get("doubt"),
                )
            )
        return tuple(found)

    def settings(self, value: object, path: str) -> dict[str, Any]:
        if value is None:
            return {}
        data = self.mapping(value, path, required=(), optional=tuple(SETTINGS))
        return {name: self.flag(data[name], join(path, name)) for name in SETTINGS if name in data}

    def doubts(self, value: object, path: str) -> tuple[Doubt, ...]:
        found = []
        for where, item in self.items(value, path):
            data = self.mapping(
                item, where, required=("id", "kind", "question", "reading"), optional=("line", "quote", "where")
            )
            found.append(
                Doubt(
                    id=self.matching(data["id"], join(where, "id"), CODE, "字母开头的编号", limit=20)
                    if "id" in data
                    else "",
                    kind=self.choice(data["kind"], join(where, "kind"), DOUBT_KINDS) if "kind" in data else "",
                    question=self.text(data["question"], join(where, "question")) if "question" in data else "",
                    reading=self.text(data["reading"], join(where, "reading")) if "reading" in data else "",
                    line=self.optional_line(data.get("line"), join(where, "line")),
                    quote="" if data.get("quote") is None else self.text(data["quote"], join(where, "quote")),
                    where=None
                    if data.get("where") is None
                    else self.text(data["where"], join(where, "where"), limit=40),
                )
            )
        return tuple(found)

    def bonus(self, value: object, path: str) -> Mapping[str, Any] | None:
        if value is None:
            return None
        data = self.mapping(
            value, path, required=("cap", "rows"), optional=("title", "line", "window", "offices", "notes", "rules")
        )
        if not data:
            return None
        if "cap" in data and self.points(data["cap"], join(path, "cap")) is None and data["cap"] is None:
            self.problem(join(path, "cap"), "须写明加分上限")
        if data.get("title") is not None:
            self.text(data["title"], join(path, "title"), limit=200)
        self.optional_line(data.get("line"), join(path, "line"))
        self.window(data.get("window"), join(path, "window"))
        self.offices(data.get("offices"), join(path, "offices"))
        notes = []
        for where, item in self.items(data.get("notes"), join(path, "notes")):
            note = self.mapping(item, where, required=("line", "text"))
            if "text" in note:
                notes.append(self.text(note["text"], join(where, "text")))
            if "line" in note:
                self.line(note["line"], join(where, "line"))
        self.rules(data.get("rules"), join(path, "rules"), *notes)
        rows = []
        for where, item in self.items(data.get("rows"), join(path, "rows"), empty=False):
            row = self.mapping(item, where, required=("path", "line", "text", "rules"), optional=("offices",))
            for at, label in self.items(row.get("path"), join(where, "path"), empty="path" not in row):
                self.text(label, at, limit=200)
            text = self.text(row["text"], join(where, "text")) if "text" in row else ""
            if "line" in row:
                self.line(row["line"], join(where, "line"))
            self.rules(row.get("rules"), join(where, "rules"), text)
            self.offices(row.get("offices"), join(where, "offices"))
            rows.append({**row, "rules": _mappings(row.get("rules")), "offices": _mappings(row.get("offices"))})
        lists = {name: _mappings(data.get(name)) for name in ("offices", "notes", "rules")}
        window = data.get("window")
        return {**data, **lists, "rows": rows, "window": window if isinstance(window, Mapping) else None}

    def window(self, value: object, path: str) -> None:
        if value is None:
            return
        data = self.mapping(value, path, required=("from", "to"), optional=("quote", "line", "doubt"))
        for name in ("from", "to"):
            if name in data:
                given = self.matching(data[name], join(path, name), MONTH_DAY, '"月-日",如 "01-01"', limit=5)
                try:
                    date.fromisoformat(f"2017-{given}") if given else None
                except ValueError:
                    self.problem(join(path, name), f"没有{_shown(given)}这一天")
        if data.get("quote") is not None:
            self.text(data["quote"], join(path, "quote"))
        self.optional_line(data.get("line"), join(path, "line"))

    def document(self) -> Document:
        data = self.mapping(self.source.data, "", required=HEADER, optional=HEADER_OPTIONAL)
        present = data.__contains__
        if present("format") and data["format"] != 1:
            self.problem("format", f"{_shown(data['format'])}不可用:本程序只认 format: 1")
        file, sha256 = self.source_of(data.get("source"), "source")
        return Document(
            key=self.matching(data["key"], "key", KEY, "小写字母、数字和连字符", limit=60) if present("key") else "",
            title=self.text(data["title"], "title", limit=200) if present("title") else "",
            year=(self.number(data["year"], "year", low=1950, high=2999) if present("year") else None) or 2000,
            issuer=self.text(data["issuer"], "issuer", limit=120) if present("issuer") else "",
            issued_on=self.day(data.get("issued_on"), "issued_on"),
            source_file=file,
            source_sha256=sha256,
            points=self.points(data.get("points"), "points"),
            differences=self.differences(data.get("differences"), "differences"),
            reporting_cycle=self.cycle(data["reporting_cycle"], "reporting_cycle")
            if present("reporting_cycle")
            else {"kind": "yearly", "reading": "?"},
            groups=self.groups(data.get("groups"), "groups"),
            settings=self.settings(data.get("settings"), "settings"),
            sections=tuple(
                self.section(item, where, number)
                for number, (where, item) in enumerate(
                    self.items(data["sections"], "sections", empty=False) if present("sections") else [], 1
                )
            ),
            bonus=self.bonus(data.get("bonus"), "bonus"),
            doubts=self.doubts(data.get("doubts"), "doubts"),
        )


def check(source: Source) -> tuple[Document | None, list[Problem]]:
    """The document, or None and everything that is wrong with the file, in the order of its lines."""
    checker = Checker(source)
    if not isinstance(source.data, Mapping):
        checker.problem("", "文件最外层须是键值对,例如 format: 1")
        return None, checker.problems
    document = checker.document()
    offices = checker.office_names(source.data.get("offices"), "offices") if "offices" in source.data else ()
    for path, message in closing.problems(document, offices=offices):
        checker.problem(path, message)
    found = sorted(dict.fromkeys(checker.problems), key=lambda problem: problem.line or 0)
    return (None if found else document), found
