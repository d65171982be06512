"""What every rule kind shares: common fields, the registry, and what a rule says about a pot of points."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, auto
from typing import Annotated, ClassVar

from scoring.facts import Fact, InputSpec
from scoring.fields import LINE, POSITIVE, TEXT, Problems, record_of
from scoring.points import ZERO, format_points


class Family(Enum):
    """How a kind takes part in a clause."""

    DEDUCT = auto()  # full points unless something is found
    OPEN = auto()  # a deduction a person decides; no ground for full points by itself
    CLEAN = auto()  # full points as long as nothing is found, costs nothing itself
    ZERO = auto()  # scores nothing if the condition holds
    EARN = auto()  # starts from zero and adds
    SET = auto()  # computes the points from an outside result
    JUDGED = auto()  # points entered by a person
    PEERS = auto()  # the mean of the others, for a unit that was not checked
    FLAG = auto()  # a mark beside the score
    NOTE = auto()  # says how other rules combine
    BONUS = auto()  # only in the bonus section


class Effect(Enum):
    """What an outcome does to the running points."""

    COST = auto()
    GAIN = auto()
    BASE = auto()
    ZERO = auto()
    FLAG = auto()
    NONE = auto()


@dataclass(frozen=True)
class Outcome:
    """What one rule makes of its facts, before caps, exclusive groups and the floor. `amount` in points (分), ≥ 0."""

    effect: Effect
    amount: Decimal = ZERO
    inputs: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    bit: str | None = None
    unresolved: str | None = None
    flag: tuple[str, str | None] | None = None  # (flag kind, effect text)
    once: str | None = None  # outcomes of the same name speak of the same points: the dearest counts


def unresolved(reason: str, **extra: object) -> Outcome:
    """An outcome which cannot be computed, and why (Chinese)."""
    return Outcome(Effect.NONE, unresolved=reason, **extra)


@dataclass(frozen=True, kw_only=True)
class Part:
    """An inner figure of a clause: verbatim quote and its points (分)."""

    quote: Annotated[str, TEXT]
    points: Annotated[Decimal, POSITIVE]


@dataclass(frozen=True)
class Pot:
    """The points a set of rules works on. `zeroed_by`: the scopes of 不得分 that empty exactly this pot."""

    points: Decimal
    rest: Decimal  # points no earning rule speaks for
    parts: Sequence[Part]
    rules: Mapping[str, "Rule"]
    zeroed_by: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Lookback:
    """追溯时间 as printed and as read (L672, L676)."""

    quote: Annotated[str, TEXT]
    reading: Annotated[str | None, TEXT] = None


@dataclass(frozen=True, kw_only=True)
class Rule:
    """The fields common to all kinds (docs/scheme-format.md, Rules)."""

    id: Annotated[str, TEXT]
    quote: Annotated[str, TEXT]
    trigger: Annotated[str | None, TEXT] = None
    applies_to: Annotated[str | None, TEXT] = None
    exclusive: Annotated[str | None, TEXT] = None
    cap: Annotated[Decimal | None, POSITIVE] = None
    doubt: Annotated[str | None, TEXT] = None
    lookback: Annotated[Lookback | None, record_of(Lookback)] = None
    attribution: Annotated[str | None, TEXT] = None
    line: Annotated[int | None, LINE] = None
    reading: Annotated[str | None, TEXT] = None

    kind: ClassVar[str]
    family: ClassVar[Family]
    needs_basis: ClassVar[bool] = False  # a person decides the amount and must say on what ground
    needs_fact: ClassVar[bool] = False  # EARN kinds: no record is not "none earned", it is missing

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, float):
                raise TypeError(f"{name} must be Decimal, not float")

    @property
    def asked(self) -> str:
        """Short Chinese name of the fact that is asked for."""
        return self.trigger or self.quote

    def inputs(self) -> tuple[InputSpec, ...]:
        """What a fact of this rule has to say."""
        return ()

    def fact_problems(self, fact: Fact) -> list[str]:
        """Problems beyond those of single values (Chinese)."""
        return []

    def problems(self) -> Problems:
        """Contradictions between the fields of the rule itself: (field, Chinese message)."""
        return []

    def evaluate(self, facts: Sequence[Fact], pot: Pot) -> Outcome:
        """What the facts do to the pot; called with at least one complete fact, so never for kinds without inputs."""
        raise NotImplementedError

    def earnable(self) -> Decimal | None:
        """The most this rule can earn (EARN kinds); None = up to the clause's points."""
        return self.cap

    def sentence(self) -> str:
        """The rule read back in plain Chinese, without its common fields."""
        raise NotImplementedError

    def limit(self) -> str:
        """How a deduction ends, in words."""
        return f",累计不超过{format_points(self.cap)}分" if self.cap is not None else ",扣完为止"


#: Every known kind by its name in a scheme file.
KINDS: dict[str, type[Rule]] = {}


def register(cls: type[Rule]) -> type[Rule]:
    """Class decorator: make a kind known under its `kind`; a second kind of the same name is a programming error."""
    if cls.kind in KINDS:
        raise ValueError(f"kind {cls.kind} is registered twice")
    KINDS[cls.kind] = cls
    return cls


def total(facts: Sequence[Fact], name: str) -> Decimal:
    """The exact sum of one recorded input over several facts."""
    if name == "count":
        return sum((fact.count for fact in facts), ZERO)
    if name == "points":
        return sum((fact.points for fact in facts), ZERO)
    return sum((fact.inputs[name] for fact in facts), ZERO)


def holds(facts: Sequence[Fact]) -> bool:
    """Whether the condition is recorded as holding by any of the facts."""
    return any(fact.holds for fact in facts)


def per(unit: str | None) -> str:
    """每起, 每件 …; 每次(单位缺失) where the notice lost the unit."""
    return f"每{unit}" if unit else "每发生一次(原文缺单位)"
