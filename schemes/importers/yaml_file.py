"""From the bytes of a YAML file to plain data that remembers its lines.

Read from the parser's events, not through a loader: no tag can build an object, nesting and aliases are bounded before
anything is built, `no:` stays a word (YAML 1.1 makes it False), a date stays text, and every value keeps its line.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from schemes.importers.problems import Problem

MAX_BYTES = 5_000_000
MAX_DEPTH = 20
MAX_ALIASED = 10_000  # nodes that aliases (*name) may repeat, all together

PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})", re.ASCII)
NUMBER_LIKE = re.compile(
    r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan", re.ASCII | re.I
)
WORDS = {"": None, "null": None, "~": None, "Null": None, "NULL": None, "true": True, "false": False}
# What no text of a notice contains and PostgreSQL or UTF-8 refuse: controls except tab and line breaks, surrogates.
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
PLAIN_TAGS = frozenset({None, "!"})


class UnreadableFile(Exception):
    """The file is not YAML that can be checked at all; `problems` says where."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))


@dataclass
class Source:
    """The data of a file; `lines` maps a path to its line, `problems` are those of the YAML itself."""

    data: Any
    lines: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line_of(self, path: str) -> int | None:
        """The line of a path, or of the nearest thing around it that exists."""
        while path not in self.lines and path:
            cut = max(path.rfind("."), path.rfind("["))
            path = path[:cut] if cut > 0 else ""
        return self.lines.get(path)


@dataclass
class _Node:
    """A node of the file before aliases are followed. `value`: scalar, list of nodes, or list of (key, node)."""

    value: Any
    line: int
    shape: str  # scalar, sequence, mapping
    closed: bool = False


def read_yaml(raw: bytes) -> Source:
    """Parse the bytes; UnreadableFile if there is nothing that could be checked further."""
    root, problems = _build(_decode(raw))
    source = Source(data=None, problems=problems)
    source.data = _Plain(source).value(root, path="", depth=1, aliased=False)
    return source


def _decode(raw: bytes) -> str:
    if len(raw) > MAX_BYTES:
        raise UnreadableFile([Problem("", None, f"文件过大:{len(raw)}字节,最多{MAX_BYTES}字节")])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message = "文件不是 UTF-8 编码(可能是 GBK),请另存为 UTF-8 后再导入"
        raise UnreadableFile([Problem("", line, message)]) from None


def _build(text: str) -> tuple[_Node, list[Problem]]:
    """The tree of nodes, built without recursion."""
    problems: list[Problem] = []
    anchors: dict[str, _Node] = {}
    stack: list[tuple[_Node, list]] = []  # open collections, each with a pending key [key, line] for mappings
    root: _Node | None = None
    documents = 0

    def place(node: _Node) -> None:
        nonlocal root
        if not stack:
            root = node
            return
        parent, pending = stack[-1]
        if parent.shape == "sequence":
            parent.value.append(node)
        elif not pending:
            pending.append(node)
        else:
            parent.value.append((pending.pop(), node))

    try:
        for event in yaml.parse(text, Loader=PARSER):
            line = event.start_mark.line + 1
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise UnreadableFile([Problem("", line, "一个文件只能有一份方案,多了一个“---”")])
            elif isinstance(event, yaml.AliasEvent):
                node = anchors.get(event.anchor)
                if node is None or not node.closed:
                    raise UnreadableFile([Problem("", line, f"引用 *{event.anchor} 没有可用的定义 &{event.anchor}")])
                place(node)
            elif isinstance(event, yaml.ScalarEvent):
                node = _Node(_scalar(event, line, problems), line, "scalar", closed=True)
                if event.anchor:
                    anchors[event.anchor] = node
                place(node)
            elif isinstance(event, yaml.CollectionStartEvent):
                if len(stack) >= MAX_DEPTH:
                    raise UnreadableFile([Problem("", line, f"嵌套过深,最多{MAX_DEPTH}层")])
                if event.tag not in PLAIN_TAGS:
                    problems.append(Problem("", line, f"不接受标签 {event.tag},请直接写列表或键值"))
                shape = "sequence" if isinstance(event, yaml.SequenceStartEvent) else "mapping"
                node = _Node([], line, shape)
                if event.anchor:
                    anchors[event.anchor] = node
                place(node)
                stack.append((node, []))
            elif isinstance(event, yaml.CollectionEndEvent):
                stack.pop()[0].closed = True
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = "; ".join(part for part in (error.context, error.problem) if part)
        hint = "不是有效的 YAML:这一行或上一行的引号、括号、冒号或缩进没有写对"
        raise UnreadableFile([Problem("", mark.line + 1 if mark else None, f"{hint}({said})")]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1 if isinstance(error.position, int) else None
        raise UnreadableFile([Problem("", line, "文件中有不可用的控制字符")]) from None
    if root is None or (root.shape == "scalar" and root.value is None):
        raise UnreadableFile([Problem("", None, "文件是空的")])
    return root, problems


def _scalar(event: yaml.ScalarEvent, line: int, problems: list[Problem]) -> object:
    text = event.value
    if event.tag not in PLAIN_TAGS and event.tag != "tag:yaml.org,2002:str":
        problems.append(Problem("", line, f"不接受标签 {event.tag},请直接写值"))
    if UNPRINTABLE.search(text):
        problems.append(Problem("", line, "文字中有不可用的控制字符或残缺字符"))
        text = UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)
    if not event.implicit[0]:
        return text
    if text in WORDS:
        return WORDS[text]
    if INTEGER.fullmatch(text):
        return int(text)
    # A float stays one here, so that whoever expects points can say that they need quotes.
    return float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan")) if _floats(text) else text


def _floats(text: str) -> bool:
    return len(text) <= 40 and bool(NUMBER_LIKE.fullmatch(text)) and text.lower() not in {".", "+.", "-."}


class _Plain:
    """Nodes to dicts and lists, writing down the line of every path."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.aliased = 0
        self.seen: set[int] = set()

    def value(self, node: _Node, *, path: str, depth: int, aliased: bool) -> object:
        self.source.lines.setdefault(path, node.line)
        if node.shape == "scalar":
            return node.value
        if depth > MAX_DEPTH:
            raise UnreadableFile([Problem(path, node.line, f"嵌套过深,最多{MAX_DEPTH}层")])
        aliased = aliased or id(node) in self.seen
        self.seen.add(id(node))
        if aliased:
            self.aliased += len(node.value)
            if self.aliased > MAX_ALIASED:
                raise UnreadableFile([Problem(path, node.line, f"引用(*)展开后过大,最多{MAX_ALIASED}项")])
        if node.shape == "sequence":
            return [
                self.value(item, path=f"{path}[{index}]", depth=depth + 1, aliased=aliased)
                for index, item in enumerate(node.value)
            ]
        return self._mapping(node, path=path, depth=depth, aliased=aliased)

    def _mapping(self, node: _Node, *, path: str, depth: int, aliased: bool) -> dict[str, object]:
        found: dict[str, object] = {}
        for key_node, item in node.value:
            if key_node.shape != "scalar":
                self._problem(path, key_node.line, "键须是一个词")
                continue
            key = _word(key_node.value)
            inner = f"{path}.{key}" if path else key
            if key in found:
                self._problem(inner, key_node.line, f"“{key}”写了两次")
                continue
            self.source.lines[inner] = key_node.line if item.line < key_node.line else item.line
            found[key] = self.value(item, path=inner, depth=depth + 1, aliased=aliased)
        return found

    def _problem(self, path: str, line: int, message: str) -> None:
        self.source.problems.append(Problem(path, line, message))


def _word(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
