"""One thing that is wrong in a scheme file, with its place."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """`path` within the file (`sections[0].rows[2].points`), `line` of the file (1-based, None: the whole file)."""

    path: str
    line: int | None
    message: str

    def __str__(self) -> str:
        place = " ".join(part for part in (f"第{self.line}行" if self.line else "", self.path) if part)
        return f"{place}: {self.message}" if place else self.message
